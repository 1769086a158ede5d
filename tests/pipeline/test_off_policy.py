import numpy as np
import pytest

from pipeline.off_policy import LoggedCalls, logged_value, value_of_choices


def simulate(n, *, seed=0, explore=0.4):
    """Log calls of two models; `1` is right on odd prompts, `0` on even ones, mostly."""
    generator = np.random.default_rng(seed)
    likely = np.where((np.arange(n) % 2)[:, None] == np.arange(2), 0.9, 0.3)
    chance = np.where(likely == 0.9, explore / 2, 1 - explore / 2)  # the log prefers the wrong one
    logged = (generator.random(n) < chance[:, 1]).astype(np.int64)
    rows = np.arange(n)
    calls = LoggedCalls(
        logged=logged,
        quality=(generator.random(n) < likely[rows, logged]).astype(np.float64),
        propensity=chance[rows, logged],
        rows=rows,
    )
    return calls, rows % 2, likely


def test_values_by_hand():
    """Weights 2 and 4 on qualities 1 and 0 of four calls: IPS 2/4, SNIPS 2/6, ESS 36/20."""
    calls = LoggedCalls(
        logged=np.array([0, 0, 1, 1]),
        quality=np.array([1.0, 0.0, 1.0, 1.0]),
        propensity=np.array([0.5, 0.25, 0.5, 0.5]),
        rows=np.arange(4),
    )
    many = LoggedCalls(
        logged=np.tile(calls.logged, 50),
        quality=np.tile(calls.quality, 50),
        propensity=np.tile(calls.propensity, 50),
        rows=np.arange(200),
    )
    expected = np.full((200, 2), 0.5)
    found = value_of_choices("r", [many], [np.zeros(200, int)], [expected], n_prompts=200)
    assert found.ips.mean == pytest.approx(0.5)
    assert found.snips.mean == pytest.approx(1 / 3)
    assert found.doubly_robust.mean == pytest.approx(0.5 + (2 * 0.5 - 4 * 0.5) / 4)
    assert found.n_effective == pytest.approx(50 * 36 / 20)
    assert found.overlap == 0.5


def test_estimates_find_the_truth_that_the_log_hides():
    """The right router is worth .9; the log itself, which prefers the wrong model, far less."""
    calls, right, likely = simulate(4000)
    blind = np.full_like(likely, 0.5)
    found = value_of_choices("right", [calls], [right], [blind], n_prompts=4000)
    for value in (found.ips, found.snips, found.doubly_robust):
        assert value.lo < 0.9 < value.hi
    assert logged_value([calls], n_prompts=4000).hi < 0.5


def test_a_right_estimate_narrows_the_interval():
    """Doubly robust with the true expectations is surer than IPS."""
    calls, right, likely = simulate(2000)
    found = value_of_choices("right", [calls], [right], [likely], n_prompts=2000)
    width = found.ips.hi - found.ips.lo
    assert found.doubly_robust.hi - found.doubly_robust.lo < 0.8 * width
    assert found.doubly_robust.mean == pytest.approx(0.9, abs=0.05)


def test_little_overlap_is_no_number():
    """Where router and log hardly agree, the effective size is told and the value is NaN."""
    calls, right, likely = simulate(60, explore=0.2)
    found = value_of_choices("right", [calls], [right], [likely], n_prompts=60)
    assert found.n_effective < 30
    assert np.isnan([found.ips.mean, found.snips.mean, found.doubly_robust.mean]).all()
    never = value_of_choices("none", [calls], [1 - calls.logged], [likely], n_prompts=60)
    assert (never.n_effective, never.overlap) == (0.0, 0.0)


def test_intervals_cover_the_truth():
    """Of 40 logs, about 95 % of the doubly robust intervals hold the true value."""
    covered = 0
    for seed in range(40):
        calls, right, likely = simulate(400, seed=seed)
        found = value_of_choices("right", [calls], [right], [likely * 0 + 0.5], n_prompts=400)
        covered += found.doubly_robust.lo <= 0.9 <= found.doubly_robust.hi
    assert covered >= 34
