import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.strong_weak import (
    Pair,
    PairTarget,
    average_gap_closed,
    calls_to_close,
    gap_curve,
    read_target,
    score_placement,
    threshold_for,
)
from profiles.errors import UsageError
from tests.support import GRID, NAN, outcomes_of

GAIN = np.array([0.1, 0.9, 0.5, 0.3])
WON = np.array([0.0, 1.0, 1.0, 0.0])
PAIR = Pair(strong=0, weak=1)
STRONG_FIRST = outcomes_of([[0, 0], [1, 0], [1, 0], [0, 0]], [[0.03, 0.01]] * 4)


def test_a_curve_by_hand():
    """The two prompts that the strong model wins come first: half of the calls close the gap."""
    share, closed = gap_curve(GAIN, WON)
    assert share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert closed.tolist() == [0, 0.5, 1, 1, 1]
    assert average_gap_closed(share, closed) == pytest.approx(0.75)
    assert (calls_to_close(share, closed, 0.5), calls_to_close(share, closed, 0.8)) == (0.25, 0.5)


def test_a_constant_gain_over_equal_wins_is_random():
    """APGR 0.5 and CPT(x) = x, as RouteLLM defines random routing."""
    share, closed = gap_curve(np.zeros(100), np.full(100, 0.25))
    assert average_gap_closed(share, closed) == pytest.approx(0.5)
    assert calls_to_close(share, closed, 0.5) == pytest.approx(0.5)


@given(arrays(np.float64, 8, elements=st.sampled_from(GRID)), st.permutations(range(8)))
def test_the_true_order_is_the_best(won, order):
    """No order of the calls has a higher APGR than the one by what is won."""
    best = average_gap_closed(*gap_curve(won, won))
    other = average_gap_closed(*gap_curve(np.array(order, dtype=np.float64), won))
    assert np.isnan(best) or best >= other - 1e-12


@pytest.mark.parametrize("won", [np.zeros(4), -WON])
def test_without_a_gap_nothing_is_closed(won):
    """A strong model that is no better has no APGR and no CPT."""
    share, closed = gap_curve(GAIN, won)
    assert np.isnan(average_gap_closed(share, closed))
    assert np.isnan(calls_to_close(share, closed, 0.5))


def test_intervals_lie_around_the_mean():
    """A good order is above random with certainty; two splits share their prompts."""
    generator = np.random.default_rng(0)
    gain = generator.random(400)
    won = (generator.random(400) < gain).astype(np.float64)
    rows = [np.arange(400), np.arange(400)]
    found = score_placement([gain, gain], [won, won], rows, n_prompts=400)
    assert 0.5 < found.apgr.lo < found.apgr.mean < found.apgr.hi
    assert found.cpt50.lo <= found.cpt50.mean <= found.cpt50.hi < 0.5
    once = score_placement([gain], [won], rows[:1], n_prompts=400)
    assert once.apgr.lo == pytest.approx(found.apgr.lo)


@pytest.mark.parametrize(
    ("target", "n_strong"),
    [("share=0.5", 2), ("share=0", 0), ("share=1", 4), ("gap=0.5", 1), ("gap=1", 2),
     ("usd=0.01", 0), ("usd=0.0151", 1), ("usd=0.02", 2), ("usd=9", 4)],
)  # fmt: skip
def test_thresholds_by_hand(target, n_strong):
    """The strong model takes as many prompts as the target allows, largest gain first."""
    least = threshold_for(read_target(target), GAIN, STRONG_FIRST, PAIR)
    assert (least <= GAIN).sum() == n_strong


@given(st.floats(0.01, 0.03), arrays(np.float64, 4, elements=st.sampled_from(GRID)))
def test_a_budget_is_kept(budget, gain):
    """With distinct or tied gains, the first prompts of the order cost no more than allowed."""
    target = PairTarget(kind="usd", value=budget)
    distinct = gain + np.arange(4) / 100
    strong = threshold_for(target, distinct, STRONG_FIRST, PAIR) <= distinct
    assert np.where(strong, 0.03, 0.01).mean() <= budget + 1e-12


def test_a_budget_below_the_weak_model_is_refused():
    """The least that works is named; unknown costs are told apart."""
    target = PairTarget(kind="usd", value=0.001)
    with pytest.raises(UsageError, match=r"b alone costs \$0.010000 a prompt"):
        threshold_for(target, GAIN, STRONG_FIRST, PAIR)
    unknown = outcomes_of(STRONG_FIRST.quality, NAN * STRONG_FIRST.quality)
    with pytest.raises(UsageError, match="needs known costs"):
        threshold_for(target, GAIN, unknown, PAIR)


@pytest.mark.parametrize("text", ["gap", "gap=2", "share=-1", "usd=x", "usd=-1", "speed=1"])
def test_a_target_that_makes_no_sense_is_refused(text):
    """The three kinds are shown."""
    with pytest.raises(UsageError, match="share=0…1, gap=0…1 or usd=AMOUNT"):
        read_target(text)
