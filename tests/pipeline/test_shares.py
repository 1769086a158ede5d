import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.route import best_columns
from pipeline.shares import assign_within_shares, share_surcharges
from profiles.errors import InfeasibleError
from tests.support import GRID

IDS = ("a", "b", "c")
grids = arrays(np.float64, (8, 3), elements=st.sampled_from(GRID))


def shares(utility, most):
    """Return the surcharges, and the share of each model under them."""
    utility = np.array(utility, np.float64)
    surcharge = share_surcharges(utility, most, IDS)
    chosen = best_columns(utility - surcharge, np.tile([0.1, 0.2, 0.3], (len(utility), 1)))
    return surcharge, np.bincount(chosen, minlength=3) / len(utility)


def test_a_model_keeps_the_prompts_it_is_worth_most_on():
    """a may take half: the prompts where it is 0.5 and 0.3 better, not those of 0.2 and 0.1."""
    utility = [[1, 0.5, 0], [1, 0.7, 0], [1, 0.8, 0], [1, 0.9, 0]]
    surcharge, found = shares(utility, {0: 0.5})
    assert found.tolist() == [0.5, 0.5, 0]
    assert surcharge == pytest.approx([0.202, 0, 0])


def test_a_share_that_is_not_reached_costs_nothing():
    """A limit that does not bind has no price."""
    surcharge, found = shares([[1, 0, 0], [0, 1, 0]], {0: 0.5})
    assert surcharge.tolist() == [0, 0, 0]
    assert found.tolist() == [0.5, 0.5, 0]


def test_what_one_model_loses_another_limited_one_may_not_take():
    """a and b share a quarter each of four prompts; c takes the rest."""
    _, found = shares([[1, 0.9, 0.1]] * 3 + [[1, 0.2, 0.3]], {0: 0.25, 1: 0.25})
    assert found[0] <= 0.25
    assert found[1] <= 0.25


def test_a_share_of_nothing_forbids_the_model():
    """Even where it is far better."""
    assert shares([[1, 0, 0]] * 4, {0: 0.0})[1].tolist() == [0, 1, 0]


def test_a_limit_for_every_model_is_an_error():
    """Somebody has to take the rest."""
    with pytest.raises(InfeasibleError, match="limits every model"):
        shares([[1, 0, 0]], {0: 0.5, 1: 0.5, 2: 0.5})


def test_prompts_without_another_candidate_are_an_error():
    """The message has the nearest share that can be kept."""
    utility = [[1, -np.inf, -np.inf]] * 3 + [[1, 0, 0]]
    with pytest.raises(InfeasibleError, match=r"a=0\.5 .* 3 of 4 .* is 0\.75") as found:
        shares(utility, {0: 0.5})
    assert found.value.nearest == 0.75
    assert shares(utility, {0: 0.75})[1][0] == 0.75


@given(grids, st.sampled_from([{0: 0.25}, {0: 0.5, 1: 0.25}, {2: 0.0, 1: 0.5}]))
def test_no_share_is_exceeded(utility, most):
    """Ties included, for one limit or two."""
    surcharge, found = shares(utility, most)
    assert all(found[column] <= share for column, share in most.items())
    assert (surcharge >= 0).all()
    assert all(surcharge[column] == 0 for column in range(3) if column not in most)


def assigned(utility, most):
    utility = np.array(utility, np.float64)
    return assign_within_shares(utility, np.zeros_like(utility), most, IDS)


def test_equal_prompts_share_the_places_in_their_order():
    """Of four alike, the first two get a; the others the next best."""
    assert assigned([[1, 0.5, 0]] * 4, {0: 0.5}).tolist() == [0, 0, 1, 1]


def test_places_go_to_those_who_would_lose_most():
    """The third prompt has no good alternative; b takes one of the rest, and c the other."""
    utility = [[1, 0.9, 0.5], [1, 0.9, 0.8], [1, 0.2, 0.1]]
    assert assigned(utility, {0: 0.34, 1: 0.34}).tolist() == [1, 2, 0]


def test_a_file_without_alternatives_is_an_error():
    """As for surcharges, with the nearest share."""
    with pytest.raises(InfeasibleError, match=r"3 of 4 .* is 0\.75"):
        assigned([[1, -np.inf, -np.inf]] * 3 + [[1, 0, 0]], {0: 0.5})
    with pytest.raises(InfeasibleError, match="no other candidate"):
        assigned([[1, 0.5, 0.2]] * 4, {0: 0.25, 1: 0.25, 2: 0.25})


@given(grids, st.sampled_from([{0: 0.25}, {0: 0.5, 1: 0.25}, {2: 0.0, 1: 0.5}]))
def test_shares_of_a_file_are_exact(utility, most):
    """No limit is exceeded, and a model below its limit is denied to nobody who prefers it."""
    chosen = assigned(utility, most)
    counts = np.bincount(chosen, minlength=3)
    for column, share in most.items():
        places = int(share * len(utility))
        assert counts[column] <= places
        if counts[column] < places:
            gain = utility[:, column] - utility[np.arange(len(utility)), chosen]
            assert (gain <= 0.001 + 1e-12).all()
