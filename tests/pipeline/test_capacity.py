import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.capacity import Limits, fill_capacities
from pipeline.knapsack import total_of
from pipeline.route import best_columns
from profiles.errors import InfeasibleError

UNHURRIED = settings(deadline=None)  # a busy machine is no failure

GRID = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def problems(draw):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))
    utility, cost = (
        draw(arrays(float, shape, elements=GRID)),
        draw(arrays(float, shape, elements=GRID)),
    )
    utility[draw(arrays(bool, shape, elements=st.sampled_from([False, False, True])))] = -np.inf
    assume(np.isfinite(utility).any(axis=1).all())
    n_calls = draw(arrays(np.int64, shape[1], elements=st.integers(0, shape[0])))
    budget = draw(st.sampled_from([np.inf, 2.0, 1.0]))
    assume(np.where(np.isfinite(utility), cost, 9.0).min(axis=1).sum() <= budget)
    return utility, cost, Limits(budget=budget, n_calls=n_calls)


def feasible_totals(utility, cost, limits):
    rows, n_models = np.arange(len(utility)), utility.shape[1]
    return [
        utility[rows, columns].sum()
        for columns in map(list, itertools.product(range(n_models), repeat=len(utility)))
        if cost[rows, columns].sum() <= limits.budget
        and np.all(np.bincount(columns, minlength=n_models) <= limits.n_calls)
        and np.isfinite(utility[rows, columns]).all()
    ]


def solve(utility, cost, limits):
    return fill_capacities(utility, cost, best_columns(utility, cost), limits)


@UNHURRIED
@given(problems())
def test_it_finds_the_optimum_or_proves_there_is_none(problem):
    """On small grids it equals brute force, within every limit, and errors only when it must."""
    utility, cost, limits = problem
    totals = feasible_totals(*problem)
    if not totals:
        with pytest.raises(InfeasibleError, match=r"capacities|cheapest possible"):
            solve(*problem)
        return
    found = solve(*problem)
    assert total_of(cost, found.chosen) <= limits.budget
    assert np.all(np.bincount(found.chosen, minlength=len(limits.n_calls)) <= limits.n_calls)
    assert np.isclose(total_of(utility, found.chosen), max(totals))
    assert found.bound >= max(totals) - 1e-7


def test_worked_example():
    """One call to the best model goes to the prompt that gains most by it."""
    utility = np.array([[1.0, 0.25], [1.0, 0.75]])
    found = solve(utility, np.zeros((2, 2)), Limits(budget=np.inf, n_calls=np.array([1, 2])))
    assert found.chosen.tolist() == [0, 1]
    assert 0.25 - 1e-9 <= found.capacity_price[0] <= 0.75 + 1e-9


def test_missing_capacity_is_counted():
    """Three prompts and two calls: one is missing."""
    with pytest.raises(InfeasibleError, match=r"leave 1 of 3 prompts") as caught:
        solve(np.ones((3, 2)), np.ones((3, 2)), Limits(budget=np.inf, n_calls=np.array([1, 1])))
    assert caught.value.nearest == 1.0


def test_the_cheapest_possible_within_capacities_is_named():
    """The cheap model takes one prompt only, so two prompts cost $1.50 at least."""
    cost = np.array([[0.5, 1.0], [0.5, 1.0]])
    limits = Limits(budget=1.25, n_calls=np.array([1, 2]))
    with pytest.raises(InfeasibleError, match=r"\$1.25 is below \$1.5") as caught:
        solve(np.array([[0.0, 1.0], [0.0, 1.0]]), cost, limits)
    assert caught.value.nearest == 1.5


@pytest.mark.slow
@pytest.mark.parametrize("n_kinds", [30, 3_000])
@pytest.mark.parametrize("spend", [0.3, None])
def test_many_rows_come_close_to_the_bound(n_kinds, spend):
    """With more rows than are sampled, equal or not, the gap stays under a thousandth."""
    generator = np.random.default_rng(2)
    kind = generator.integers(n_kinds, size=3_000)
    utility, cost = generator.random((n_kinds, 5))[kind], generator.random((n_kinds, 5))[kind]
    n_calls = np.array([300, 300, 900, 3_000, 3_000])
    least, most = cost.min(axis=1).sum(), cost[np.arange(3_000), utility.argmax(axis=1)].sum()
    budget = np.inf if spend is None else least + spend * (most - least)
    found = solve(utility, cost, Limits(budget=budget, n_calls=n_calls))
    assert total_of(cost, found.chosen) <= budget
    assert np.all(np.bincount(found.chosen, minlength=5) <= n_calls)
    assert 0.0 <= found.bound - total_of(utility, found.chosen) + 1e-6 <= 1e-3 * found.bound
