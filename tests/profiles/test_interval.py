import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.interval import Z_95, beta_interval, shrink_means, shrink_towards
from tests.support import GRID, NAN

grid = st.lists(st.sampled_from(GRID), min_size=1, max_size=6)


def test_shrinkage_by_hand():
    """Two groups of 4 with variance 0.04 around prior 0.5: v/n = 0.01, tau² = 0.15, B = 15/16.

    Q = (0.4² + 0.4²) / 0.01 = 32, so tau² = (32 − 2) / 200 = 0.15.
    """
    found = shrink_means(np.array([0.1, 0.9]), np.full(2, 0.04), np.full(2, 4.0), 0.5)
    assert found.mean == pytest.approx([0.5 - 0.4 * 15 / 16, 0.5 + 0.4 * 15 / 16])
    assert found.sd == pytest.approx([np.sqrt(0.01 * 15 / 16)] * 2)


def test_equal_groups_become_the_prior():
    """Without spread between groups all of them equal the prior, with no doubt left."""
    found = shrink_means(np.array([0.6, 0.6]), np.full(2, 0.25), np.full(2, 10.0), 0.6)
    assert found.mean.tolist() == [0.6, 0.6]
    assert found.sd.tolist() == [0.0, 0.0]


def test_an_unseen_group_is_the_prior_with_the_spread_between_groups():
    """A group without observations gets the prior and tau as its uncertainty."""
    means, n = np.array([0.1, 0.9, NAN]), np.array([4.0, 4.0, 0.0])
    found = shrink_means(means, np.array([0.04, 0.04, 0.04]), n, 0.5)
    assert found.mean[2] == 0.5
    assert found.sd[2] == pytest.approx(np.sqrt(0.15))


@pytest.mark.parametrize("means", [[], [0.9]], ids=["none", "one"])
def test_too_few_groups_to_tell_spread(means):
    """None or one group is taken for the prior."""
    ones = np.ones(len(means))
    assert shrink_means(np.array(means), ones, ones, 0.5).mean.tolist() == [0.5] * len(means)


@given(grid, st.sampled_from(GRID), st.sampled_from([0.01, 0.25, 1.0]))
def test_a_shrunk_mean_lies_between_the_mean_and_the_prior(means, prior, variance):
    """Shrinkage never overshoots and never moves away from the prior."""
    values = np.array(means)
    found = shrink_means(values, np.full(len(means), variance), np.full(len(means), 3.0), prior)
    low, high = np.minimum(values, prior), np.maximum(values, prior)
    assert (found.mean >= low - 1e-12).all()
    assert (found.mean <= high + 1e-12).all()
    assert (found.sd >= 0).all()


def test_more_observations_shrink_less():
    """Of two equal means, the one of more observations stays closer to itself."""
    n = np.array([1.0, 100.0, 100.0])
    found = shrink_means(np.array([0.9, 0.9, 0.1]), np.full(3, 0.1), n, 0.5)
    assert 0.5 < found.mean[0] < found.mean[1] < 0.9


def test_pseudo_counts_by_hand():
    """Three ones against a prior of 0.5 worth one observation: 3.5 / 4."""
    found = shrink_towards(np.array([1.0, NAN]), np.array([3.0, 0.0]), np.array([0.5, 0.5]), 1.0)
    assert found.tolist() == [0.875, 0.5]


@given(st.sampled_from(GRID), st.sampled_from([0.0, 1.0, 4.0, 40.0]))
def test_a_beta_interval_holds_its_mean(mean, n):
    """The interval of a 0/1 mean contains it and stays inside [0, 1]."""
    lo, hi = beta_interval(np.array([mean]), np.array([n]))
    assert 0 <= lo[0] <= max(mean, 1e-2)
    assert mean - 0.5 < hi[0] <= 1
    if 0 < mean < 1 and n > 0:
        assert lo[0] < mean < hi[0]


def test_more_trials_narrow_the_interval():
    """Width falls with n; the 90 % interval is inside the 95 % one."""
    lo, hi = beta_interval(np.full(3, 0.5), np.array([0.0, 10.0, 100.0]))
    assert (np.diff(hi - lo) < 0).all()
    inner = beta_interval(np.array([0.5]), np.array([10.0]), level=0.9)
    assert lo[1] < inner[0][0] < inner[1][0] < hi[1]


def test_an_unknown_mean_has_no_interval():
    """NaN in, NaN out."""
    lo, hi = beta_interval(np.array([NAN]), np.array([3.0]))
    assert np.isnan([lo, hi]).all()


def test_z_is_the_normal_quantile():
    """The 95 % factor is 1.96."""
    assert pytest.approx(1.95996, abs=1e-5) == Z_95
