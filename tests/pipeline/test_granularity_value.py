import numpy as np
import pytest

from pipeline.granularity_value import routing_gain, routing_gains
from profiles.outcomes import Outcomes


def outcomes_of(quality):
    quality = np.array(quality, dtype=float)
    names = tuple(f"model-{column}" for column in range(quality.shape[1]))
    return Outcomes(model_ids=names, quality=quality, cost_usd=np.full(quality.shape, np.nan))


def two_topics(n=40):
    """Model 0 is right on even prompts and on a quarter of the odd ones, model 1 on odd ones."""
    place = np.arange(n)
    first = (place % 2 == 0) | (place % 8 == 1)
    return place % 2, outcomes_of(np.stack([first, place % 2 == 1], axis=1)), place // 2 % 5


def test_clusters_that_need_other_models_gain():
    """By hand: the right model on every prompt instead of model 0 on all gains 3/8."""
    topic, outcomes, folds = two_topics()
    found = routing_gain(topic, outcomes, folds)
    assert found is not None
    assert found.points == pytest.approx(37.5)
    assert found.lo < 37.5 < found.hi
    assert found.n_prompts == 40


def test_one_cluster_and_none_gain_nothing():
    """A single row is the best single model, whether its prompts are clustered or not."""
    topic, outcomes, folds = two_topics()
    for ids in (np.zeros_like(topic), np.full_like(topic, -1)):
        found = routing_gain(ids, outcomes, folds)
        assert found is not None
        assert found.points == found.lo == found.hi == 0.0


def test_luck_gains_nothing():
    """With every prompt a cluster, a table that is read where it was learned would gain 50."""
    _, outcomes, folds = two_topics()
    found = routing_gain(np.arange(40), outcomes, folds)
    assert found is not None
    assert found.points == 0.0


def test_a_single_fold_tells_nothing():
    """There is nothing to learn from then."""
    topic, outcomes, folds = two_topics()
    assert routing_gains([topic, topic], outcomes, np.zeros_like(folds)) == [None, None]
