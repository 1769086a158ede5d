from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.estimators.base import Estimates
from pipeline.route import TIE, best_columns, choose_by_utility, next_best, utilities
from tests.support import GRID, NAN

VALUES = st.sampled_from([np.inf, 4.0, 1.0, 0.5, 0.0])
grids = arrays(np.float64, (4, 3), elements=st.sampled_from(GRID))


def estimates(quality, cost_usd):
    quality = np.atleast_2d(np.array(quality, dtype=np.float64))
    cost = np.broadcast_to(np.array(cost_usd, dtype=np.float64), quality.shape)
    ids = tuple("abcdef"[: quality.shape[1]])
    return Estimates(
        model_ids=ids, quality=quality, cost_usd=cost, standard_error=np.zeros_like(quality)
    )


def route(quality, cost_usd, value=1.0, *, allowed=True):
    made = estimates(quality, cost_usd)
    utility = np.where(allowed, utilities(made, quality_value_usd=value), -np.inf)
    chosen = best_columns(utility, made.cost_usd)
    runner_up = next_best(utility, made.cost_usd, chosen[:, None])
    return SimpleNamespace(chosen=chosen, runner_up=runner_up)


def test_a_decision_by_hand():
    """At 2 USD for quality: 1 − 1/2, 0.75 − 0.1/2, 0.25 − 0: b wins, then a."""
    found = route([1, 0.75, 0.25], [1, 0.1, 0], value=2.0)
    assert (found.chosen.item(), found.runner_up.item()) == (1, 0)


def test_the_value_of_quality_moves_the_choice():
    """Quality alone takes the best, cost alone the cheapest."""
    assert route([1, 0.75, 0.25], [1, 0.1, 0.01], np.inf).chosen.item() == 0
    assert route([1, 0.75, 0.25], [1, 0.1, 0.01], 0.0).chosen.item() == 2


def test_ties_go_to_the_cheaper_then_to_the_first():
    """Utilities within TIE count as equal."""
    assert route([0.5, 0.5 + TIE / 2], [0.1, 0.2], np.inf).chosen.item() == 0
    assert route([0.5 + TIE / 2, 0.5], [0.2, 0.1], np.inf).chosen.item() == 1
    assert route([0.5, 0.5 + 2 * TIE], [0.1, 0.2], np.inf).chosen.item() == 1
    assert route([0.5, 0.5], [0.1, 0.1], np.inf).chosen.item() == 0


@pytest.mark.parametrize("n_models", [2, 5, 8, 11])
def test_equal_costs_that_differ_by_rounding_are_a_tie(n_models):
    """Sums of the same costs in another order do not decide: the first model does."""
    cost = np.full(n_models, 0.3)
    cost[1:] = 0.1 + 0.2  # one unit in the last place more
    assert route(np.full(n_models, 0.5), cost[::-1]).chosen.item() == 0


def test_equal_columns_mixed_by_a_matrix_product_are_a_tie():
    """Models of equal price and quality: the first is taken for every prompt."""
    generator = np.random.default_rng(0)
    for n_models in (3, 7, 12):
        shares = generator.dirichlet(np.ones(9), size=37)
        price = np.repeat(generator.random((9, 1)), n_models, axis=1)
        assert not route(np.full((37, n_models), 0.5), shares @ price).chosen.any()


def test_unknown_costs_come_last_in_ties():
    """Where quality alone decides, a known cost beats an unknown one."""
    assert route([0.5, 0.5], [NAN, 9.0], np.inf).chosen.item() == 1
    assert route([0.5, 0.5], [NAN, NAN], np.inf).chosen.item() == 0


def test_an_unknown_cost_is_not_free():
    """Where cost counts, a model of unknown cost is never chosen, not even as runner-up."""
    found = route([1, 0.25], [NAN, 5.0])
    assert (found.chosen.item(), found.runner_up.item()) == (1, -1)


def test_an_unknown_quality_is_not_zero_nor_one():
    """A model of unknown quality is no candidate."""
    assert route([NAN, 0.0], [0.0, 9.0], np.inf).chosen.item() == 1


def test_only_allowed_models_are_chosen():
    """The mask leaves models out."""
    assert route([1, 0.5], [0, 0], allowed=np.array([False, True])).chosen.item() == 1


@pytest.mark.parametrize(
    ("quality", "cost", "knobs"),
    [
        ([[1, 1], [NAN, NAN]], [1, 1], {}),
        ([[1, 1], [NAN, 1]], [1, NAN], {}),
        ([[1, NAN], [NAN, 1]], [1, 1], {"allowed": np.array([True, False])}),
    ],
    ids=["no quality", "no cost", "none allowed"],
)
def test_a_prompt_without_candidates_is_an_error(quality, cost, knobs):
    """The error counts the prompts and names the first."""
    with pytest.raises(ValueError, match=r"1 prompts have no candidate .* first at row 1"):
        route(quality, cost, **knobs)


def test_no_prompts_need_no_decision():
    """An empty table is routed to nothing."""
    assert len(route(np.zeros((0, 2)), [1, 1]).chosen) == 0


@given(grids, grids, VALUES)
def test_a_dominated_candidate_is_never_chosen(quality, cost, value):
    """No other model is better on one of quality and cost and at least as good on the other."""
    chosen = route(quality, cost, value).chosen
    for row, j in enumerate(chosen):
        better = (quality[row] >= quality[row, j]) & (cost[row] < cost[row, j])
        assert not (better & (quality[row] > quality[row, j])).any()
        if value > 0:
            assert not better.any()


@given(grids, grids, VALUES)
def test_the_choice_has_the_highest_utility(quality, cost, value):
    """Nothing beats the choice by more than a tie, nor the next best one but the choice."""
    made = estimates(quality, cost)
    found = route(quality, cost, value)
    utility = utilities(made, quality_value_usd=value)
    best = utility.max(axis=1)
    assert (utility[np.arange(4), found.chosen] >= best - TIE).all()
    assert (found.runner_up != found.chosen).all()
    rest = np.where(np.eye(3)[found.chosen] == 1.0, -np.inf, utility)
    assert (rest[np.arange(4), found.runner_up] >= rest.max(axis=1) - TIE).all()
    assert np.array_equal(found.chosen, choose_by_utility(made, quality_value_usd=value))


@given(grids, grids, VALUES, st.permutations(range(4)))
def test_row_order_is_irrelevant(quality, cost, value, order):
    """Each prompt is decided by itself."""
    order = list(order)
    whole, shuffled = route(quality, cost, value), route(quality[order], cost[order], value)
    assert np.array_equal(whole.chosen[order], shuffled.chosen)


@given(grids, grids, st.sampled_from([0.25, 2.0, 1024.0]), VALUES)
def test_scaling_prices_and_value_together_changes_nothing(quality, cost, factor, value):
    """Decisions do not depend on the currency, cost-only ones not even on the value."""
    assume(not np.isnan(factor * value))
    whole, scaled = route(quality, cost, value), route(quality, factor * cost, factor * value)
    assert np.array_equal(whole.chosen, scaled.chosen)
    only = route(quality, factor * cost, 0.0)
    assert np.array_equal(only.chosen, route(quality, cost, 0.0).chosen)


@given(grids, grids)
def test_a_higher_value_never_buys_less_quality(quality, cost):
    """Mean estimated quality rises with what a unit of quality is worth, up to a tie."""
    rows = np.arange(4)
    reached = [quality[rows, route(quality, cost, v).chosen].mean() for v in (0, 0.5, 1, 4, np.inf)]
    assert (np.diff(reached) >= -TIE).all()
