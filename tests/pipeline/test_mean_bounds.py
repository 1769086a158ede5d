import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mean_bounds import METHODS, _tail, upper_bound

UNHURRIED = settings(deadline=None)  # a busy machine is no failure

LOSSES = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.5, 1.0]), max_size=40).map(np.array)


def test_the_tail_is_exact():
    """Two pairs, half of them discordant, no true loss: P(losses minus wins ≤ 0) = 11/16."""
    assert np.isclose(_tail(2, 0, 0.0, 0.5), 11.0 / 16.0)
    assert np.isclose(_tail(2, -2, 0.0, 0.5), 1.0 / 16.0)
    assert np.isclose(_tail(3, 2, 1.0, 1.0), 0.0)


def test_one_win_shows_nothing():
    """With n = 1 and a bet of 0.75 / (1 − m) at most, capital stays below 20: nothing is shown."""
    assert upper_bound(np.array([-1.0]), alpha=0.05, method="betting") == 1.0


@pytest.mark.parametrize("method", METHODS)
@UNHURRIED
@given(LOSSES)
def test_a_bound_lies_between_the_mean_and_one(method, losses):
    """And it is no lower at a smaller alpha."""
    if method == "discordant":
        losses = np.sign(losses)
    loose, strict = (upper_bound(losses, alpha=alpha, method=method) for alpha in (0.1, 0.01))
    mean = losses.mean() if len(losses) else -1.0
    assert mean - 1e-9 <= loose <= strict + 1e-4
    assert strict <= 1.0


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_known_without_prompts(method):
    """The bound is the largest loss there can be."""
    assert upper_bound(np.empty(0), alpha=0.05, method=method) == 1.0


@pytest.mark.parametrize(("method", "bound"), [("discordant", 0.0136), ("betting", 0.0136)])
def test_all_zero_losses(method, bound):
    """300 ties: a little above the rule of three."""
    assert np.isclose(upper_bound(np.zeros(300), alpha=0.05, method=method), bound, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_more_prompts_tighten_the_bound(method):
    """The same mix of losses, four times and again."""
    losses = np.tile([0.0, 1.0, 0.0, -1.0, 0.0], 20)
    bounds = [
        upper_bound(np.tile(losses, times), alpha=0.05, method=method) for times in (1, 4, 16)
    ]
    assert bounds[0] > bounds[1] > bounds[2] > 0.0


def test_the_exact_bound_is_tighter_than_betting():
    """On 0/1 quality, and within a fifth of Student's t."""
    losses = np.tile([0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 100)
    exact, betting, normal = (upper_bound(losses, alpha=0.05, method=m) for m in METHODS)
    assert normal < exact < betting
    assert exact < 1.2 * normal
