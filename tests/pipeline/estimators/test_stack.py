from dataclasses import replace

import numpy as np
import pytest

from pipeline.estimators.base import Prompts, fit_with_held_out
from pipeline.estimators.domain_table import DomainTable
from pipeline.estimators.stack import Stack
from profiles.outcomes import Outcomes
from tests.topics import MODEL_IDS, make_topics

TRAIN = make_topics(160)
TEST = make_topics(60, seed=9)


def fit(outcomes, prompts=TRAIN.prompts):
    return Stack().fit(prompts, outcomes)


def with_quality(quality, *, model_ids=MODEL_IDS, cost_usd=None):
    cost = TRAIN.outcomes.cost_usd[: len(quality), : quality.shape[1]]
    return Outcomes(
        model_ids=model_ids, quality=quality, cost_usd=cost if cost_usd is None else cost_usd
    )


def test_two_topics_with_opposite_best_models_are_told_apart():
    """Each unseen prompt is given the model that is better on its topic."""
    fitted = fit(TRAIN.outcomes)
    estimates = fitted.estimate(TEST.prompts)
    assert (estimates.quality.argmax(axis=1) == TEST.topic).mean() > 0.95
    assert estimates.model_ids == MODEL_IDS
    assert (estimates.cost_usd > 0.0).all()
    assert (estimates.standard_error[:, fitted.reference] == 0.0).all()


def test_row_order_is_irrelevant():
    """Shuffled training prompts give identical estimates, and shuffled held-out ones."""
    order = np.random.default_rng(4).permutation(len(TRAIN.topic))
    one = Stack().fit_held_out(TRAIN.prompts, TRAIN.outcomes)
    other = Stack().fit_held_out(TRAIN.prompts.rows(order), TRAIN.outcomes.rows(order))
    for left, right in (
        (one.estimator.estimate(TEST.prompts), other.estimator.estimate(TEST.prompts)),
        (one.held_out, other.held_out),
    ):
        rows = order if left is one.held_out else slice(None)
        np.testing.assert_array_equal(left.quality[rows], right.quality)
        np.testing.assert_array_equal(left.cost_usd[rows], right.cost_usd)


def test_an_own_outcome_hardly_moves_the_own_held_out_estimate():
    """Only means and weights shared by all prompts see it: less than an in-sample estimate does."""
    quality = TRAIN.outcomes.quality.copy()
    quality[3] = 1.25 - quality[3]
    before = Stack().fit_held_out(TRAIN.prompts, TRAIN.outcomes)
    after = Stack().fit_held_out(TRAIN.prompts, with_quality(quality))
    own = np.abs(before.held_out.quality[3] - after.held_out.quality[3]).max()
    seen = before.estimator.estimate(TRAIN.prompts.rows(np.array([3])))
    seen_after = after.estimator.estimate(TRAIN.prompts.rows(np.array([3])))
    assert own < 2.0 / len(TRAIN.topic)
    assert np.abs(seen.quality - seen_after.quality).max() > 2.0 * own


def test_unknown_outcomes_are_left_out():
    """Half of the outcomes still tell the topics apart; a model without any has no quality."""
    quality = TRAIN.outcomes.quality.copy()
    quality[np.random.default_rng(5).random(quality.shape) < 0.5] = np.nan
    quality[:, 2] = np.nan
    held_out = Stack().fit_held_out(TRAIN.prompts, with_quality(quality))
    estimates = held_out.estimator.estimate(TEST.prompts)
    assert np.isnan(estimates.quality[:, 2]).all()
    assert np.isnan(held_out.held_out.quality[:, 2]).all()
    assert (estimates.quality[:, :2].argmax(axis=1) == TEST.topic).mean() > 0.9


def test_logs_with_one_model_for_each_prompt_still_say_something():
    """Where the reference was not asked, its expected quality stands in."""
    asked = np.random.default_rng(6).integers(2, size=160)
    quality = np.where(np.arange(3) == asked[:, None], TRAIN.outcomes.quality, np.nan)
    estimates = fit(with_quality(quality)).estimate(TEST.prompts)
    assert (estimates.quality[:, :2].argmax(axis=1) == TEST.topic).mean() > 0.8


def test_a_new_model_leaves_the_members_of_the_others_alone():
    """Every smoother treats a model apart, so only the weights of the stack are shared."""
    two = fit(TRAIN.outcomes.columns(MODEL_IDS[:2])).estimate(TEST.prompts)
    three = fit(TRAIN.outcomes).estimate(TEST.prompts)
    np.testing.assert_allclose(three.cost_usd[:, :2], two.cost_usd, rtol=1e-9)
    assert np.abs(three.quality[:, :2] - two.quality).max() < 0.05
    for member in Stack().members[1:]:  # the first one looks at all models at once on purpose
        alone = Stack(members=(member,))
        left = alone.fit(TRAIN.prompts, TRAIN.outcomes.columns(MODEL_IDS[:2]))
        right = alone.fit(TRAIN.prompts, TRAIN.outcomes)
        np.testing.assert_allclose(
            right.estimate(TEST.prompts).quality[:, :2],
            left.estimate(TEST.prompts).quality,
            atol=1e-9,
        )


def test_equal_outcomes_give_no_advantage():
    """Where all models always do the same, all estimates are the same."""
    same = np.repeat(TRAIN.outcomes.quality[:, :1], 3, axis=1)
    estimates = fit(with_quality(same)).estimate(TEST.prompts)
    np.testing.assert_allclose(np.ptp(estimates.quality, axis=1), 0.0, atol=1e-12)
    level = fit(with_quality(np.full((160, 3), 0.5))).estimate(TEST.prompts)
    np.testing.assert_allclose(level.quality, 0.5, atol=1e-9)


@pytest.mark.parametrize("n_prompts", [1, 2, 3])
def test_few_prompts_give_finite_estimates(n_prompts):
    """Three, two and one training prompt are enough for a number."""
    few = make_topics(n_prompts)
    held_out = Stack().fit_held_out(few.prompts, few.outcomes)
    estimates = held_out.estimator.estimate(TEST.prompts)
    assert np.isfinite(estimates.quality).all()
    assert np.isfinite(estimates.cost_usd).all()
    assert held_out.held_out.quality.shape == (n_prompts, 3)


def test_one_model_and_no_domains_are_enough():
    """The table's member then says nothing and gets no weight."""
    bare = replace(TRAIN.prompts, memberships=np.ones((160, 1)))
    alone = TRAIN.outcomes.columns(MODEL_IDS[:1])
    unseen = replace(TEST.prompts, memberships=np.ones((60, 1)))
    fitted = Stack().fit(bare, alone)
    quality = fitted.estimate(unseen).quality[:, 0]
    assert quality[TEST.topic == 0].mean() > quality[TEST.topic == 1].mean() + 0.2
    assert fitted.reference == 0


def test_no_prompts_give_no_estimates():
    """An empty batch is a valid one."""
    nothing = Prompts(
        texts=(), vectors=np.zeros((0, 8), dtype=np.float32), memberships=np.zeros((0, 3))
    )
    assert fit(TRAIN.outcomes).estimate(nothing).quality.shape == (0, 3)


def test_a_named_reference_is_kept():
    """Advantages are then against that model."""
    fitted = Stack(reference_model_id="poem-model").fit(TRAIN.prompts, TRAIN.outcomes)
    assert fitted.model_ids[fitted.reference] == "poem-model"


def test_no_known_quality_is_refused():
    """There is nothing to learn from."""
    with pytest.raises(ValueError, match="No model has a known quality"):
        fit(with_quality(np.full((160, 3), np.nan)))


def test_an_estimator_without_held_out_estimates_is_refit_by_fold():
    """The stack gives its own; the domain table is fitted without each fold."""
    folds = np.arange(160) % 4
    own = fit_with_held_out(Stack(), TRAIN.prompts, TRAIN.outcomes, folds)
    np.testing.assert_array_equal(
        own.held_out.quality,
        Stack().fit_held_out(TRAIN.prompts, TRAIN.outcomes).held_out.quality,
    )
    table = fit_with_held_out(DomainTable(), TRAIN.prompts, TRAIN.outcomes, folds)
    fitted = DomainTable().fit(TRAIN.prompts.rows(folds != 1), TRAIN.outcomes.rows(folds != 1))
    expected = fitted.estimate(TRAIN.prompts.rows(folds == 1)).quality
    np.testing.assert_array_equal(table.held_out.quality[folds == 1], expected)
