import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.estimators.base import Estimates
from pipeline.frontier import (
    average_improvement,
    cost_to_reach,
    log_cost_improvement,
    means_of,
    quality_values,
    sweep_router,
    upper_hull,
)
from tests.support import GRID, NAN, outcomes_of

points = st.lists(st.tuples(st.sampled_from(GRID), st.sampled_from(GRID)), min_size=1, max_size=8)


def hull_of(pairs):
    return upper_hull(*(np.array(part) for part in zip(*pairs, strict=True)))


def aiq(pairs, cheapest=0.0, dearest=1.0):
    cost, quality = (np.array(part, dtype=np.float64) for part in zip(*pairs, strict=True))
    return average_improvement(cost, quality, cheapest_usd=cheapest, dearest_usd=dearest)


def test_a_hull_by_hand():
    """The point below the line from (0, 0) to (2, 1) is left out, as is the one past the best."""
    cost, quality = hull_of([(1, 0.25), (2, 1.0), (0, 0.0), (3, 1.0), (0, -1)])
    assert (cost.tolist(), quality.tolist()) == ([0, 2], [0, 1])


def test_aiq_by_hand():
    """A line from (0, 0) to (1, 1) has mean height 1/2; a plateau from 1/2 on gives 3/4."""
    assert aiq([(0, 0), (1, 1)]) == 0.5
    assert aiq([(0, 0), (0.5, 1)]) == 0.75


def test_aiq_is_flat_beyond_the_ends():
    """A router that ends before the dearest model keeps its best quality up to there."""
    assert aiq([(0.25, 0.5)], 0.0, 1.0) == 0.5


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (NAN, NAN), (0.0, NAN)])
def test_aiq_needs_two_known_costs(low, high):
    """Equal or unknown ends give NaN, not 0."""
    assert np.isnan(aiq([(0, 0)], low, high))


def log_aiq(pairs, cheapest, dearest):
    cost, quality = (np.array(part, dtype=np.float64) for part in zip(*pairs, strict=True))
    return log_cost_improvement(cost, quality, cheapest_usd=cheapest, dearest_usd=dearest)


def test_log_cost_aiq_by_hand():
    """A plateau is its height; the line from (1, 0) to (e, 1) has the mean (e − 2)/(e − 1)."""
    assert log_aiq([(1, 1)], 1.0, np.e) == pytest.approx(1.0)
    assert log_aiq([(1, 0), (np.e, 1)], 1.0, np.e) == pytest.approx((np.e - 2) / (np.e - 1))


def test_log_cost_aiq_agrees_with_a_fine_sum():
    """The exact integral of a bent hull equals the mean height at many log-spaced costs."""
    pairs = [(0.001, 0.25), (0.03, 0.75), (0.4, 0.8), (1.0, 0.9)]
    at = np.geomspace(0.001, 1.0, 200_001)
    cost, quality = hull_of(pairs)
    mean = np.trapezoid(np.interp(at, cost, quality), np.log(at)) / np.log(1000)
    assert log_aiq(pairs, 0.001, 1.0) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 1.0), (NAN, 1.0)])
def test_log_cost_aiq_needs_two_prices(low, high):
    """A free model has no logarithm: NaN."""
    assert np.isnan(log_aiq([(0.5, 0.5)], low, high))


def test_cost_to_reach_by_hand():
    """Half of the way from (1, 0.5) to (3, 1) costs 2."""
    cost, quality = np.array([1.0, 3.0]), np.array([0.5, 1.0])
    assert cost_to_reach(cost, quality, 0.75) == 2.0
    assert cost_to_reach(cost, quality, 0.25) == 1.0
    assert np.isnan(cost_to_reach(cost, quality, 1.25))


@given(points)
def test_a_hull_rises_and_bends_down(pairs):
    """Cost and quality rise strictly, slopes fall, and no point lies above it."""
    cost, quality = hull_of(pairs)
    assert (np.diff(cost) > 0).all()
    assert (np.diff(quality) > 0).all()
    slopes = np.diff(quality) / np.diff(cost)
    assert (np.diff(slopes) < 0).all()
    for x, y in pairs:
        if x >= cost[0]:
            assert np.interp(x, cost, quality) >= y - 1e-12


@given(points)
def test_aiq_lies_between_the_least_and_the_best_quality(pairs):
    """AIQ is a mean height of the hull."""
    found = aiq(pairs)
    assert min(y for _, y in pairs) - 1e-12 <= found <= max(y for _, y in pairs) + 1e-12


@given(points, st.sampled_from([0.25, 2.0, 1000.0]))
def test_scaling_prices_keeps_aiq(pairs, factor):
    """AIQ has no currency."""
    scaled = [(factor * x, y) for x, y in pairs]
    assert aiq(scaled, 0.0, factor) == pytest.approx(aiq(pairs))


@given(points, st.tuples(st.sampled_from(GRID), st.sampled_from(GRID)))
def test_one_more_point_never_lowers_the_hull(pairs, extra):
    """A router with one more option is at least as good from its own cheapest point on."""
    cost, quality = hull_of(pairs)
    more_cost, more_quality = hull_of([*pairs, extra])
    at = np.linspace(cost[0], 1, 9)
    assert (np.interp(at, more_cost, more_quality) >= np.interp(at, cost, quality) - 1e-12).all()


def test_values_fall_from_quality_alone_to_cost_alone():
    """The sweep starts at infinity, ends at 0 and scales with the dearest model."""
    values = quality_values(outcomes_of([[1, 1]], [[0.1, 0.5]]))
    assert values[0] == np.inf
    assert values[-1] == 0.0
    assert (np.diff(values) < 0).all()
    assert values[1] == pytest.approx(0.5e4)
    scaled = quality_values(outcomes_of([[1, 1]], [[0.2, 1.0]]))
    assert scaled[1:] == pytest.approx(2 * values[1:])


@pytest.mark.parametrize("cost", [None, [[0.0, 0.0]]], ids=["unknown", "free"])
def test_without_costs_quality_decides(cost):
    """There is no trade-off to sweep where costs are unknown or nothing."""
    assert quality_values(outcomes_of([[1, 1]], cost)).tolist() == [np.inf]


def test_a_sweep_moves_from_the_best_to_the_cheapest():
    """Row 0 takes the better model, the last row the cheaper one; means are looked up."""
    outcomes = outcomes_of([[1, 0.5], [1, 0.25]], [[1, 0.25], [1, 0.25]])
    estimates = Estimates(
        model_ids=("a", "b"),
        quality=outcomes.quality,
        cost_usd=outcomes.cost_usd,
        standard_error=np.zeros((2, 2)),
    )
    sweep = sweep_router(estimates, quality_values(outcomes))
    assert sweep.chosen[0].tolist() == [0, 0]
    assert sweep.chosen[-1].tolist() == [1, 1]
    cost, quality = means_of(sweep.chosen, outcomes)
    assert (cost[0], quality[0]) == (1.0, 1.0)
    assert (cost[-1], quality[-1]) == (0.25, 0.375)
    assert (np.diff(cost) <= 0).all()
