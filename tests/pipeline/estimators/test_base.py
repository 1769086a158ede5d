import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.estimators.base import Prompts, best_single, column_means, cross_estimate
from pipeline.estimators.bucket_table import References, Tags
from pipeline.estimators.domain_table import DomainTable
from pipeline.estimators.inference_dynamics import InferenceDynamics
from pipeline.estimators.knn import NearestNeighbours
from tests.support import GRID, NAN, outcomes_of

FOLDS = np.arange(12) % 3
ESTIMATORS = [
    DomainTable(),
    DomainTable(soft=False),
    NearestNeighbours(n_neighbours=(2, 4)),
    InferenceDynamics(),
    References(vectors=np.eye(2, dtype=np.float32), buckets=np.array([1, 0])),
    Tags(bucket_of={f"t{i}": i % 2 for i in range(9)}, n_buckets=2),
]
qualities = arrays(np.float64, (12, 3), elements=st.sampled_from(GRID))


def prompts(n=12, n_domains=2):
    """Return n prompts on a circle, whose memberships go round the buckets."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    memberships = np.full((n, n_domains + 1), 0.25 / n_domains)
    memberships[np.arange(n), np.arange(n) % (n_domains + 1)] += 0.75 - 0.25 / n_domains
    return Prompts(
        texts=tuple(f"t{i}" for i in range(n)),
        vectors=np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32),
        memberships=memberships,
    )


def test_rows_are_picked_together():
    """A mask and positions pick the same texts, vectors and memberships."""
    mask = np.arange(12) % 5 == 0
    by_mask, by_position = prompts().rows(mask), prompts().rows(np.flatnonzero(mask))
    assert by_mask.texts == by_position.texts == ("t0", "t5", "t10")
    assert np.array_equal(by_mask.vectors, by_position.vectors)
    assert np.array_equal(by_mask.memberships, prompts().memberships[mask])


def test_the_best_single_model_by_hand():
    """Means 0.75, 0.5 and 0.75: the cheaper of the two best wins."""
    quality = [[1, 0.5, 0.5], [0.5, 0.5, 1]]
    assert best_single(outcomes_of(quality, [[2, 1, 1]])) == 2
    assert best_single(outcomes_of(quality, [[1, 1, 1]])) == 0
    assert best_single(outcomes_of(quality, [[NAN, 1, 9]])) == 2


def test_a_lucky_few_are_no_evidence():
    """A model known on under a tenth as many prompts as the best known is passed over."""
    quality = np.column_stack([np.full(40, 0.5), np.full(40, NAN)])
    quality[:3, 1] = 1.0
    assert best_single(outcomes_of(quality)) == 0
    quality[:4, 1] = 1.0
    assert best_single(outcomes_of(quality)) == 1


def test_the_reference_may_be_named():
    """Only the models named may be the best single one."""
    assert best_single(outcomes_of([[1, 0.5]]), among=("b",)) == 1


@pytest.mark.parametrize(("quality", "among"), [([[NAN, NAN]], ()), ([[1, NAN]], ("b",))])
def test_no_known_quality_has_no_best(quality, among):
    """All null is an error, not the first model."""
    with pytest.raises(ValueError, match="No model has a known quality"):
        best_single(outcomes_of(quality), among=among)


def test_column_means_skip_the_unknown():
    """Means are over known values, NaN where there is none."""
    found = column_means(np.array([[1, NAN, NAN], [0, 0.5, NAN]]))
    assert np.array_equal(found, [0.5, 0.5, NAN], equal_nan=True)
    assert np.isnan(column_means(np.zeros((0, 2)))).all()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@given(quality=qualities, row=st.integers(0, 11), value=st.sampled_from(GRID))
def test_a_held_out_row_does_not_see_its_own_outcome(estimator, quality, row, value):
    """Changing one training prompt's outcome leaves its own estimate exactly as it was."""
    changed = quality.copy()
    changed[row] = value
    before, after = (
        cross_estimate(estimator, prompts(), outcomes_of(q, q), FOLDS) for q in (quality, changed)
    )
    assert np.array_equal(before.quality[row], after.quality[row])
    assert np.array_equal(before.cost_usd[row], after.cost_usd[row])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_other_rows_see_an_outcome(estimator):
    """The property above is no accident: prompts of other folds do learn from it."""
    quality = np.full((12, 3), 0.25)
    quality[:, 0] = 0.5
    changed = quality.copy()
    changed[0] = 1.0
    before, after = (
        cross_estimate(estimator, prompts(), outcomes_of(q), FOLDS) for q in (quality, changed)
    )
    assert not np.array_equal(before.quality[FOLDS != 0], after.quality[FOLDS != 0])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@given(quality=qualities)
def test_estimates_stay_between_the_outcomes(estimator, quality):
    """Expected quality is in [0, 1] and expected cost within the known costs."""
    found = cross_estimate(estimator, prompts(), outcomes_of(quality, quality + 1), FOLDS)
    assert ((found.quality >= -1e-9) & (found.quality <= 1 + 1e-9)).all()
    assert (found.cost_usd >= 1 - 1e-9).all()
    assert (found.cost_usd <= 2 + 1e-9).all()
    assert (found.standard_error >= 0).all()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@given(quality=qualities, order=st.permutations(range(12)))
def test_row_order_is_irrelevant(estimator, quality, order):
    """Shuffled training prompts give each prompt the same estimate."""
    order = np.array(order)
    spread = prompts()  # neighbours at equal distance are told apart by row, so bend the circle
    angle = np.cumsum(np.geomspace(0.1, 1, 12))
    vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    spread = Prompts(texts=spread.texts, vectors=vectors, memberships=spread.memberships)
    whole = cross_estimate(estimator, spread, outcomes_of(quality, quality), FOLDS)
    part = cross_estimate(
        estimator, spread.rows(order), outcomes_of(quality[order], quality[order]), FOLDS[order]
    )
    assert part.quality == pytest.approx(whole.quality[order], abs=1e-6)
    assert part.cost_usd == pytest.approx(whole.cost_usd[order], abs=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_null_stays_null(estimator):
    """A model without a known quality, or cost, has none in the estimates."""
    quality, cost = np.tile([1.0, NAN, 0.5], (12, 1)), np.tile([1.0, 2.0, NAN], (12, 1))
    fitted = estimator.fit(prompts(), outcomes_of(quality, cost))
    found = fitted.estimate(prompts(3))
    assert np.isnan(found.quality[:, 1]).all()
    assert np.isnan(found.cost_usd[:, 2]).all()
    assert np.isfinite(found.quality[:, [0, 2]]).all()
    assert found.cost_usd[:, :2] == pytest.approx(np.tile([1.0, 2.0], (3, 1)))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_scaling_prices_scales_costs_alone(estimator):
    """Twice the price is twice the expected cost, at the same quality."""
    quality = np.random.default_rng(0).choice(GRID, size=(12, 3))
    once, twice = (
        estimator.fit(prompts(), outcomes_of(quality, factor * quality)).estimate(prompts())
        for factor in (1, 2)
    )
    assert np.array_equal(twice.cost_usd, 2 * once.cost_usd)
    assert np.array_equal(twice.quality, once.quality)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_equal_outcomes_are_expected_again(estimator):
    """Where every model always did the same, that is the estimate."""
    fitted = estimator.fit(prompts(), outcomes_of(np.tile([0.25, 1.0], (12, 1))))
    assert fitted.estimate(prompts(5)).quality == pytest.approx(np.tile([0.25, 1.0], (5, 1)))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_one_training_prompt(estimator):
    """A single outcome is all there is to expect."""
    fitted = estimator.fit(prompts(1), outcomes_of([[1, 0.25]], [[2, 1]]))
    found = fitted.estimate(prompts(3))
    assert found.quality == pytest.approx(np.tile([1, 0.25], (3, 1)))
    assert found.cost_usd == pytest.approx(np.tile([2, 1], (3, 1)))
