import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.split import fold_numbers, hash_shares, in_test

IDS = [f"p{i}" for i in range(2000)]


def test_no_prompts_are_split_into_nothing():
    """An empty list has empty shares and folds."""
    assert len(hash_shares([], seed=0)) == len(fold_numbers([], n_folds=5)) == 0


@given(st.permutations(range(8)), st.integers(0, 9))
def test_row_order_is_irrelevant(order, seed):
    """A prompt's side depends on its id and the seed alone."""
    shuffled = [IDS[i] for i in order]
    assert np.array_equal(in_test(shuffled, seed=seed), in_test(IDS[:8], seed=seed)[list(order)])


def test_a_prompt_keeps_its_fold_when_others_come():
    """More prompts do not move the ones that were there."""
    few, many = fold_numbers(IDS[:10], n_folds=5), fold_numbers(IDS, n_folds=5)
    assert np.array_equal(few, many[:10])


def test_shares_are_spread_evenly():
    """Test shares and folds are met within four standard errors."""
    assert abs(in_test(IDS, test_share=0.3).mean() - 0.3) < 4 * np.sqrt(0.21 / 2000)
    counts = np.bincount(fold_numbers(IDS, n_folds=5), minlength=5)
    assert len(counts) == 5
    assert (abs(counts - 400) < 4 * np.sqrt(2000 * 0.16)).all()


def test_seeds_split_differently():
    """Two seeds agree on about half of the prompts."""
    agreed = (in_test(IDS, seed=0) == in_test(IDS, seed=1)).mean()
    assert 0.4 < agreed < 0.6


def test_folds_are_independent_of_the_test_split():
    """Training prompts of a split still meet every fold."""
    train = [i for i, tested in zip(IDS, in_test(IDS, seed=0), strict=True) if not tested]
    assert set(fold_numbers(train, n_folds=5, seed=0)) == set(range(5))
