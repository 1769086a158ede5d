import numpy as np

from pipeline.smoothers.cost import CostRegressor
from tests.topics import make_topics


def test_estimates_keep_the_total_and_scale_with_prices():
    """Ten times the price is ten times the cost, whatever the prompt."""
    topics = make_topics(80)
    fitted, held_out = CostRegressor().fit(topics.prompts, topics.outcomes.cost_usd)
    np.testing.assert_allclose(
        held_out.sum(axis=0), topics.outcomes.cost_usd.sum(axis=0), rtol=0.05
    )
    dearer, _ = CostRegressor().fit(topics.prompts, 10.0 * topics.outcomes.cost_usd)
    np.testing.assert_allclose(
        dearer.predict(topics.prompts), 10.0 * fitted.predict(topics.prompts), rtol=1e-6
    )


def test_unknown_costs_stay_unknown_and_free_calls_stay_free():
    """A model without a known cost has none; a free one costs almost nothing."""
    topics = make_topics(20)
    cost = topics.outcomes.cost_usd.copy()
    cost[:, 1], cost[:, 2] = np.nan, 0.0
    cost[::3, 0] = np.nan
    fitted, held_out = CostRegressor().fit(topics.prompts, cost)
    for predicted in (fitted.predict(topics.prompts), held_out):
        assert (predicted[:, 0] > 0.0).all()
        assert np.isnan(predicted[:, 1]).all()
        assert predicted[:, 2].max() <= 1e-9
