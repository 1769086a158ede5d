import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.knapsack import _best_single_change, fill_knapsack, total_of
from pipeline.route import best_columns

UNHURRIED = settings(deadline=None)  # a busy machine is no failure

GRID = st.sampled_from([0.0, 0.25, 0.5, 1.0])
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 4))


@st.composite
def problems(draw):
    shape = draw(SHAPES)
    utility, cost = (
        draw(arrays(float, shape, elements=GRID)),
        draw(arrays(float, shape, elements=GRID)),
    )
    slack = draw(st.sampled_from([0.0, 0.25, 0.75, 1.5, 9.0]))
    return utility, cost, cost.min(axis=1).sum() + slack


def brute_force(utility, cost, budget):
    rows, n_models = np.arange(len(utility)), range(utility.shape[1])
    return max(
        utility[rows, columns].sum()
        for columns in map(list, itertools.product(n_models, repeat=len(utility)))
        if cost[rows, columns].sum() <= budget
    )


def solve(utility, cost, budget):
    return fill_knapsack(utility, cost, best_columns(utility, cost), budget=budget)


@UNHURRIED
@given(problems())
def test_it_finds_the_optimum_and_never_overspends(problem):
    """On small grids no choice within the budget is better, and the bound says so."""
    found = solve(*problem)
    utility, cost, budget = problem
    assert total_of(cost, found.chosen) <= budget
    assert total_of(utility, found.chosen) == brute_force(*problem)
    assert found.bound == brute_force(*problem)


@UNHURRIED
@given(problems(), st.sampled_from([0.25, 0.5, 1.0]))
def test_a_larger_budget_is_never_worse(problem, more):
    """Utility does not fall, and the price of the budget does not rise."""
    utility, cost, budget = problem
    small, large = solve(utility, cost, budget), solve(utility, cost, budget + more)
    assert total_of(utility, large.chosen) >= total_of(utility, small.chosen)
    assert large.budget_price <= small.budget_price


def test_a_larger_budget_is_never_worse_on_many_rows():
    """The same where the exact search gives up on too many equal rows."""
    generator = np.random.default_rng(1)
    utility, cost = generator.random((3, 6)), generator.random((3, 6))
    kind = generator.integers(3, size=3_000)
    utility, cost = utility[kind], cost[kind]
    least = cost.min(axis=1).sum()
    totals = [
        total_of(utility, solve(utility, cost, least + slack).chosen)
        for slack in np.linspace(0.0, 50.0, 60)
    ]
    assert np.all(np.diff(totals) >= -1e-9)


@UNHURRIED
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant(problem, random):
    """Shuffled rows reach the same totals at the same price."""
    utility, cost, budget = problem
    order = list(range(len(utility)))
    random.shuffle(order)
    one, other = solve(utility, cost, budget), solve(utility[order], cost[order], budget)
    assert total_of(utility, one.chosen) == total_of(utility[order], other.chosen)
    assert one.budget_price == other.budget_price


@UNHURRIED
@given(problems())
def test_a_dominated_candidate_is_never_chosen(problem):
    """No candidate is at once as good and cheaper than the chosen one."""
    utility, cost, budget = problem
    chosen = solve(utility, cost, budget).chosen
    rows = np.arange(len(chosen))
    better = (utility >= utility[rows, chosen, None]) & (cost < cost[rows, chosen, None])
    assert not better.any()


def test_worked_example():
    """$1 buys the second step of the first row (0.5), not that of the second (0.3)."""
    utility = np.array([[0.5, 1.0], [0.5, 0.8]])
    cost = np.array([[0.0, 1.0], [0.0, 1.0]])
    found = solve(utility, cost, 1.0)
    assert found.chosen.tolist() == [1, 0]
    assert np.isclose(found.budget_price, 0.3)


def test_unknown_costs_are_passed_over():
    """A candidate of unknown cost is never taken under a budget."""
    utility = np.array([[0.5, 1.0, 0.75]])
    cost = np.array([[0.0, np.nan, 1.0]])
    assert fill_knapsack(utility, cost, np.array([2]), budget=5.0).chosen.tolist() == [2]


def test_what_remains_buys_the_cheaper_of_equal_changes():
    """Two candidates gain the same; the dearer one would fit as well."""
    utility, cost = np.array([[0.0, 1.0, 1.0]]), np.array([[0.0, 2.0, 1.0]])
    assert _best_single_change(utility, cost, np.array([0]), 3.0).tolist() == [2]
