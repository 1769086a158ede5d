import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bootstrap import bootstrap_interval
from tests.support import GRID, NAN

values = st.lists(st.sampled_from(GRID), min_size=2, max_size=40)


def first_column(means):
    return means[:, 0]


def interval(numbers, **knobs):
    part = np.array(numbers, dtype=np.float64)[:, None]
    return bootstrap_interval(
        [part], [np.arange(len(part))], statistic=first_column, n_prompts=len(part), **knobs
    )


@given(values)
def test_the_interval_holds_the_mean(numbers):
    """The plain mean lies inside, up to rounding."""
    found = interval(numbers * 3)
    assert found.mean == pytest.approx(np.mean(numbers))
    assert found.lo - 1e-12 <= found.mean <= found.hi + 1e-12
    assert min(numbers) - 1e-12 <= found.lo
    assert found.hi <= max(numbers) + 1e-12


def test_equal_values_have_no_width():
    """Where every prompt is equal, nothing is uncertain."""
    found = interval([0.5] * 20)
    assert (found.mean, found.lo, found.hi) == pytest.approx((0.5, 0.5, 0.5))


def test_the_width_is_that_of_the_standard_error():
    """For 400 fair coins the 95 % interval is about 2 x 1.96 x 0.025 wide."""
    found = interval([0.0, 1.0] * 200)
    assert found.hi - found.lo == pytest.approx(0.098, rel=0.12)


def test_pairing_removes_what_columns_share():
    """The difference of two columns that differ by a constant is certain."""
    noise = np.random.default_rng(0).random(50)
    part = np.column_stack([noise + 0.25, noise])
    found = bootstrap_interval(
        [part], [np.arange(50)], statistic=lambda m: m[:, 0] - m[:, 1], n_prompts=50
    )
    assert found.hi - found.lo < 1e-9
    assert found.mean == pytest.approx(0.25)


def test_splits_share_their_prompts():
    """Splitting the same prompts in two tells no more than their mean does."""
    numbers = np.array([0.0, 1.0] * 50)[:, None]
    halves = [np.arange(0, 50), np.arange(50, 100)]
    parts = bootstrap_interval(
        [numbers[i] for i in halves], halves, statistic=first_column, n_prompts=100
    )
    twice = bootstrap_interval(
        [numbers, numbers], [np.arange(100)] * 2, statistic=first_column, n_prompts=100
    )
    once = interval(numbers.ravel())
    assert twice.hi - twice.lo == pytest.approx(once.hi - once.lo)
    assert parts.hi - parts.lo == pytest.approx(once.hi - once.lo, rel=0.15)


def test_unknown_stays_unknown():
    """One unknown value makes mean and interval NaN, not smaller."""
    found = interval([0.0, NAN, 1.0])
    assert np.isnan([found.mean, found.lo, found.hi]).all()


def test_one_prompt():
    """A single prompt has its own value as mean and ends; a draw without it does not count."""
    found = interval([0.5])
    assert (found.mean, found.lo, found.hi) == (0.5, 0.5, 0.5)


def test_a_seed_repeats_itself():
    """The same seed gives the same interval."""
    numbers = [0.0, 0.25, 1.0, 0.5] * 5
    assert interval(numbers, seed=1) == interval(numbers, seed=1)
    assert interval(numbers, seed=1) != interval(numbers, seed=2)
