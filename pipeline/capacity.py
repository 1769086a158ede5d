"""One candidate per row when models take a limited number of calls, with or without a budget.

Prices for calls and for the budget come from the linear relaxation, solved with HiGHS on all rows,
or on a sample of them. Rows that clearly prefer one model at those prices take it; the rest, the
*core*, is solved as an integer program with what is left of every limit, and grows until it fits.
By weak duality the prices bound every choice from above, so the gap of the result is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import maximum_flow

from pipeline.knapsack import (
    Allocation,
    Columns,
    Floats,
    cheapest_columns,
    fill_knapsack,
    round_up,
    total_of,
)
from profiles.errors import InfeasibleError

EXACT_ROWS = 200
SAMPLE_ROWS = 1_000
_CORE_ROWS = 400
_CORE_COLUMNS = 6
_LARGEST_CORE = 30_000
_SWEEPS = 4
_NUDGE = 1e-6
_SHRINK = 1e-6
"""HiGHS meets a constraint up to this relative error; a budget is never exceeded, so it shrinks."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on totals over all rows."""

    budget: float
    """US dollars; infinity is no limit."""
    n_calls: Columns
    """Shape (n_models,): most rows a model may take."""


def require_capacity(candidate: NDArray[np.bool_], n_calls: Columns) -> None:
    """Check that every row can have a model, by maximum flow over the patterns of candidates.

    Raises
    ------
    InfeasibleError
        If it cannot; `nearest` is the number of calls that are missing.
    """
    n, n_models = candidate.shape
    patterns, counts = np.unique(candidate, axis=0, return_counts=True)
    n_patterns = len(patterns)
    source, sink = 0, 1 + n_patterns + n_models
    pattern, model = np.nonzero(patterns)
    tails = np.concatenate(
        [np.zeros(n_patterns), 1 + pattern, 1 + n_patterns + np.arange(n_models)]
    )
    heads = np.concatenate(
        [1 + np.arange(n_patterns), 1 + n_patterns + model, np.full(n_models, sink)]
    )
    sizes = np.concatenate([counts, counts[pattern], np.minimum(n_calls, n)]).astype(np.int32)
    shape = (sink + 1, sink + 1)
    network = csr_array((sizes, (tails.astype(np.int32), heads.astype(np.int32))), shape=shape)
    missing = n - int(maximum_flow(network, source, sink).flow_value)
    if missing:
        raise InfeasibleError(
            f"The capacities leave {missing:,} of {n:,} prompts without a model. Raise them by "
            f"{missing:,} calls in all, or allow more models.",
            constraint="capacity",
            nearest=float(missing),
        )


def fill_capacities(utility: Floats, cost: Floats, top: Columns, limits: Limits) -> Allocation:
    """Choose one candidate per row at the highest total utility within all limits.

    Parameters
    ----------
    utility, cost, top
        As in `fill_knapsack`.

    Returns
    -------
    Allocation
        Up to `EXACT_ROWS` rows the optimum (under a budget, of those that spend at most all but a
        millionth of it, should HiGHS overstep); beyond that within `bound` minus the total.

    Raises
    ------
    InfeasibleError
        If capacities leave a prompt without a model, or the budget is below the cheapest choice.
    """
    n_models = utility.shape[1]
    relaxed = _without_capacity(utility, cost, top, limits)
    if relaxed and np.all(np.bincount(relaxed.chosen, minlength=n_models) <= limits.n_calls):
        return relaxed
    require_capacity(np.isfinite(utility), limits.n_calls)
    safe = _cheapest_within(utility, cost, limits) if np.isfinite(limits.budget) else None
    scale = _spread(utility)
    found = _fill(utility / scale, cost, limits, safe)
    return Allocation(
        chosen=_without_dominated(utility, cost, found.chosen, limits),
        bound=found.bound * scale,
        budget_price=found.budget_price * scale,
        capacity_price=found.capacity_price * scale,
    )


def _without_capacity(
    utility: Floats, cost: Floats, top: Columns, limits: Limits
) -> Allocation | None:
    if np.isfinite(limits.budget):
        return fill_knapsack(utility, cost, top, budget=limits.budget)
    free = np.zeros(utility.shape[1])
    total = total_of(utility, top)
    return Allocation(chosen=top, bound=total, budget_price=0.0, capacity_price=free)


def _cheapest_within(utility: Floats, cost: Floats, limits: Limits) -> Columns:
    thrift = np.where(np.isfinite(utility), -cost, -np.inf)
    unlimited = Limits(budget=np.inf, n_calls=limits.n_calls)
    cheapest = fill_capacities(thrift, cost, cheapest_columns(utility, cost), unlimited)
    least = total_of(cost, cheapest.chosen)
    if least > limits.budget:
        raise InfeasibleError(
            f"The budget of ${limits.budget:,.6g} is below ${round_up(least):,.6g}, the cheapest "
            "possible within the capacities. Raise the budget or the capacities of cheap models.",
            constraint="budget",
            nearest=least,
        )
    return cheapest.chosen


def _spread(utility: Floats) -> float:
    known = utility[np.isfinite(utility)]
    return float(np.ptp(known)) or 1.0


def _fill(utility: Floats, cost: Floats, limits: Limits, safe: Columns | None) -> Allocation:
    money, calls = _prices(utility, cost, limits)
    nudged = utility
    if len(utility) > SAMPLE_ROWS:  # prices cannot split identical rows, unless they differ a bit
        nudged = utility + _NUDGE * np.random.default_rng(0).random(utility.shape)
        money, calls = _descend(nudged, cost, limits, money, calls)
    bound = float(_at_prices(utility, cost, money, calls).max(axis=1).sum())
    bound += float(calls @ limits.n_calls) + (money * limits.budget if money else 0.0)
    priced = _at_prices(nudged, cost, money, calls)
    best = priced.max(axis=1)
    second = np.partition(priced, -2, axis=1)[:, -2] if priced.shape[1] > 1 else best
    order = np.argsort(best - second, kind="stable")
    settled = np.argmax(priced, axis=1)
    n_core = _CORE_ROWS if len(utility) > EXACT_ROWS else EXACT_ROWS
    largest = len(utility) if safe is None else min(len(utility), _LARGEST_CORE)
    chosen = _solve_core(utility, cost, priced, settled, np.sort(order[:n_core]), limits)
    while chosen is None and n_core < largest:
        n_core *= 4
        chosen = _solve_core(utility, cost, priced, settled, np.sort(order[:n_core]), limits)
    if chosen is None:
        chosen = safe  # the budget leaves hardly any choice
    if chosen is None:
        raise RuntimeError("HiGHS found no assignment, although the maximum flow has one.")
    return Allocation(chosen=chosen, bound=bound, budget_price=money, capacity_price=calls)


def _without_dominated(utility: Floats, cost: Floats, chosen: Columns, limits: Limits) -> Columns:
    """Move prompts to models with room that are at least as good and as cheap."""
    chosen = chosen.copy()
    rows, n_models = np.arange(len(chosen)), utility.shape[1]
    for column in range(n_models):
        room = int(limits.n_calls[column] - np.count_nonzero(chosen == column))
        gain = utility[:, column] - utility[rows, chosen]
        saving = cost[rows, chosen] - cost[:, column]
        better = (gain >= 0.0) & (saving >= 0.0) & ((gain > 0.0) | (saving > 0.0))
        chosen[np.flatnonzero(better)[: max(room, 0)]] = column
    return chosen


def _prices(utility: Floats, cost: Floats, limits: Limits) -> tuple[float, Floats]:
    """Return the price of a US dollar and of one call to each model, by the linear relaxation."""
    n = len(utility)
    rows = np.arange(n)
    if n > SAMPLE_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(n, SAMPLE_ROWS, replace=False))
    u, c = utility[rows], cost[rows]
    worst = u[np.isfinite(u)].min()
    spare = np.full((len(rows), 1), worst - 10.0)  # a sample may not fit its share of the limits
    u, c = np.hstack([u, spare]), np.hstack([c, np.zeros_like(spare)])
    share = len(rows) / n
    n_calls = np.append(limits.n_calls * share, len(rows))
    row, column, matrix, upper = _program(u, c, limits.budget * share, n_calls)
    solved = linprog(
        -u[row, column],
        A_ub=matrix,
        b_ub=upper,
        A_eq=_one_per_row(row),
        b_eq=np.ones(len(rows)),
        method="highs",
    )
    if solved.x is None:
        return 0.0, np.zeros(utility.shape[1])
    price = np.maximum(-solved.ineqlin.marginals, 0.0)
    budget_price = float(price[-1]) / (limits.budget * share or 1.0)
    finite = np.isfinite(limits.budget)
    return (budget_price if finite else 0.0), price[: utility.shape[1]]


def _at_prices(utility: Floats, cost: Floats, money: float, calls: Floats) -> Floats:
    priced = utility - calls
    return priced - money * np.where(np.isfinite(priced), cost, 0.0) if money else priced


def _descend(
    utility: Floats, cost: Floats, limits: Limits, money: float, calls: Floats
) -> tuple[float, Floats]:
    """Lower the bound one price at a time, each to where its limit is just met, on all rows."""
    n = len(utility)
    calls = calls.copy()
    for _ in range(_SWEEPS):
        priced = _at_prices(utility, cost, money, calls)
        for model in np.flatnonzero(limits.n_calls < n):
            others = np.delete(priced, model, axis=1).max(axis=1)
            free = priced[:, model] + calls[model]
            wish = np.where(np.isfinite(free), free - others, -np.inf)
            last = n - 1 - int(limits.n_calls[model])
            price = max(float(np.partition(wish, last)[last]), 0.0)
            calls[model] = price if np.isfinite(price) else calls[model]
            priced[:, model] = free - calls[model]
        if np.isfinite(limits.budget):
            free = utility - calls
            spent = fill_knapsack(free, cost, np.argmax(free, axis=1), budget=limits.budget)
            money = spent.budget_price
    return money, calls


def _solve_core(
    utility: Floats,
    cost: Floats,
    priced: Floats,
    settled: Columns,
    core: NDArray[np.intp],
    limits: Limits,
) -> Columns | None:
    """Solve the core rows exactly, the others as settled; None if what is left does not fit."""
    closed = np.ones(len(settled), dtype=bool)
    closed[core] = False
    n_models = utility.shape[1]
    n_calls = limits.n_calls - np.bincount(settled[closed], minlength=n_models)
    money = limits.budget - float(cost[closed, settled[closed]].sum() if closed.any() else 0.0)
    if np.isnan(money):
        money = limits.budget
    if n_calls.min() < 0 or money < 0.0:
        return None
    u = utility[core]
    if closed.any() and n_models > _CORE_COLUMNS:
        kept = np.argpartition(-priced[core], _CORE_COLUMNS, axis=1)[:, :_CORE_COLUMNS]
        mask = np.zeros(u.shape, dtype=bool)
        np.put_along_axis(mask, kept, values=True, axis=1)
        u = np.where(mask, u, -np.inf)
    for budget in (money, money * (1.0 - _SHRINK)):
        columns = _solve(u, cost[core], budget, n_calls)
        if columns is None:
            return None
        chosen = settled.copy()
        chosen[core] = columns
        if not np.isfinite(limits.budget) or total_of(cost, chosen) <= limits.budget:
            return chosen
    return None


def _solve(utility: Floats, cost: Floats, budget: float, n_calls: Columns) -> Columns | None:
    row, column, matrix, upper = _program(utility, cost, budget, n_calls)
    constraints = [
        LinearConstraint(matrix, -np.inf, upper),  # pyright: ignore[reportArgumentType]
        LinearConstraint(_one_per_row(row), lb=1.0, ub=1.0),
    ]
    solved = milp(
        -utility[row, column],
        integrality=np.ones(len(row)),
        bounds=(0.0, 1.0),
        constraints=constraints,
        options={"mip_rel_gap": 1e-9 if len(utility) <= EXACT_ROWS else 1e-5, "node_limit": 2_000},
    )
    if solved.x is None:
        return None
    taken = np.full(utility.shape, -1.0)
    taken[row, column] = solved.x
    columns = np.argmax(taken, axis=1)
    fits = np.bincount(columns, minlength=utility.shape[1]) <= n_calls
    return columns if fits.all() else None


def _program(
    utility: Floats, cost: Floats, budget: float, n_calls: Floats | Columns
) -> tuple[NDArray, NDArray, csr_array, Floats]:
    """Return each variable's row and column, and limits on calls and (as a share) on money."""
    candidate = np.isfinite(utility)
    if np.isfinite(budget):
        candidate &= np.isfinite(cost)
    row, column = np.nonzero(candidate)
    at = np.arange(len(row))
    shape = (utility.shape[1], len(row))
    matrix = csr_array(coo_array((np.ones(len(row)), (column, at)), shape=shape))
    if not np.isfinite(budget):
        return row, column, matrix, np.asarray(n_calls, dtype=np.float64)
    share = cost[row, column] / (budget or 1.0)
    upper = np.append(n_calls, 1.0 if budget else 0.0)
    return row, column, csr_array(vstack([matrix, csr_array(share[None, :])])), upper


def _one_per_row(row: NDArray) -> csr_array:
    shape = (int(row[-1]) + 1, len(row))
    return csr_array(coo_array((np.ones(len(row)), (row, np.arange(len(row)))), shape=shape))
