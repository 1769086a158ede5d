from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.budget import Ledger, improvement_steps
from pipeline.route import TIE, best_columns
from profiles.errors import InfeasibleError, UsageError
from tests.support import GRID, NAN

N, M = 5, 3
utilities = arrays(np.float64, (N, M), elements=st.sampled_from(GRID))
costs = arrays(np.float64, (N, M), elements=st.sampled_from([0.0, 1.0, 2.0, 5.0]))
BUDGETS = st.sampled_from([0.0, 1.0, 3.0, 5.5, 8.0, 12.0, 25.0])


def spend(utility, cost, budget, *, chunk=2):
    """Both passes over the rows, a few at a time; returns the choices and the rule."""
    utility, cost = np.array(utility, np.float64), np.array(cost, np.float64)
    parts = [slice(start, start + chunk) for start in range(0, len(utility), chunk)]
    ledger = Ledger()
    for part in parts:
        ledger.add(utility[part], cost[part])
    rule = ledger.spend(budget)
    chosen = np.concatenate([rule.choose(utility[part], cost[part]) for part in parts])
    return chosen, rule


def total(values, chosen):
    return values[np.arange(len(chosen)), chosen].sum()


def test_the_money_goes_where_it_buys_most():
    """3.01 USD: the first prompt gains 0.75 for 2 USD, the second 0.25 for 2; only one fits."""
    chosen, rule = spend([[0, 0.75], [0.5, 0.75]], [[0.5, 2.5], [0.5, 2.5]], 3.01)
    assert chosen.tolist() == [1, 0]
    assert rule.shadow_price == pytest.approx(0.125, rel=0.005)


def test_ties_are_filled_in_the_order_of_the_file():
    """Ten equal prompts, money for four improvements: the first four get them."""
    chosen, _ = spend([[0.0, 1.0]] * 10, [[0.1, 0.2]] * 10, 1.4 + 1e-6, chunk=3)
    assert chosen.tolist() == [1] * 4 + [0] * 6


def test_enough_money_changes_nothing():
    """The choices are those without a budget, and another dollar buys nothing."""
    utility, cost = np.array([[0, 0.5, 1], [1, 0.5, 0.75]]), np.array([[1, 2, 3], [1, 2, 3.0]])
    chosen, rule = spend(utility, cost, 4.1)
    assert chosen.tolist() == best_columns(utility, cost).tolist() == [2, 0]
    assert rule.shadow_price == 0.0


def test_a_model_off_the_hull_is_passed_over():
    """b gains little for nearly the price of c, so half the money does not buy it."""
    chosen, _ = spend([[0, 0.1, 1]] * 2, [[0, 0.9, 1]] * 2, 1.5)
    assert sorted(chosen.tolist()) == [0, 2]


def test_too_little_money_is_an_error_that_names_the_least():
    """The sum of the cheapest candidates, rounded up so that it can be typed."""
    with pytest.raises(InfeasibleError, match=r"--budget-usd 1 is below \$2\.469.*allow") as found:
        spend([[1, 0]] * 2, [[5, 1.2341]] * 2, 1.0)
    assert found.value.constraint == "--budget-usd"
    assert spend([[1, 0]] * 2, [[5, 1.2341]] * 2, found.value.nearest)[0].tolist() == [1, 1]


def test_a_model_of_unknown_cost_is_no_candidate():
    """Under a budget it cannot be counted; a prompt without another one is an error."""
    chosen, _ = spend([[0.5, 1]], [[1, NAN]], 9.0)
    assert chosen.tolist() == [0]
    with pytest.raises(UsageError, match=r"1 prompts have no candidate of known cost"):
        spend([[0.5, 1]], [[NAN, NAN]], 9.0)


def test_no_prompts_cost_nothing():
    """An empty file fits any budget."""
    ledger = Ledger()
    ledger.add(np.zeros((0, 2)), np.zeros((0, 2)))
    rule = ledger.spend(0.0)
    assert len(rule.choose(np.zeros((0, 2)), np.zeros((0, 2)))) == 0


@given(utilities, costs, BUDGETS)
def test_the_budget_is_never_exceeded(utility, cost, budget):
    """Ties, zero costs and dominated models included; too small a budget is an error."""
    least = cost.min(axis=1).sum()
    if least >= budget > 0 or least > 0 == budget:
        with pytest.raises(InfeasibleError):
            spend(utility, cost, budget)
        return
    chosen, _ = spend(utility, cost, budget)
    assert total(cost, chosen) <= budget


@given(utilities, costs, BUDGETS)
def test_at_most_one_step_is_lost(utility, cost, budget):
    """No choice within the budget is better by more than the best single improvement."""
    if cost.min(axis=1).sum() >= budget:
        return
    chosen, _ = spend(utility, cost, budget)
    every = np.array(list(product(range(M), repeat=N)))
    rows = np.arange(N)
    fits = cost[rows, every].sum(axis=1) <= budget
    best = utility[rows, every].sum(axis=1)[fits].max()
    step = np.ptp(utility, axis=1).max()
    assert total(utility, chosen) >= best - step - N * TIE - 1e-9


@given(utilities, costs)
def test_steps_lead_to_the_free_choice(utility, cost):
    """All steps taken, each prompt is where it would be without a budget."""
    steps = improvement_steps(utility, cost)
    chosen = steps.start.copy()
    chosen[steps.row] = steps.column
    assert np.array_equal(chosen, best_columns(utility, cost))
    for row in range(N):
        assert (np.diff(steps.bin[steps.row == row]) <= 0).all()


@given(utilities, costs, st.sampled_from([1, 2, 5]))
def test_the_size_of_chunks_is_irrelevant(utility, cost, chunk):
    """Any reading of the file in parts gives the same choices."""
    budget = cost.min(axis=1).sum() + 2.5
    whole = spend(utility, cost, budget, chunk=N)[0]
    assert np.array_equal(spend(utility, cost, budget, chunk=chunk)[0], whole)
