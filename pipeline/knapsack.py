"""One candidate per row, the highest total utility, a total cost that is never exceeded.

The multiple-choice knapsack problem. Its linear relaxation is solved exactly by walking every row
up its own cost–utility hull, the steepest steps of all rows first (Sinha and Zoltners 1979,
doi:10.1287/opre.27.3.503). What remains of the budget is spent on the best single change, and a
dynamic program over the few rows that the relaxation leaves open then looks for the optimum.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = NDArray[np.int64]

_MOST_OPEN_ROWS = 400
_MOST_STATES = 4_000


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """One candidate per row under limits on totals."""

    chosen: Columns
    """Shape (n,)."""
    bound: float
    """No choice within the limits has a higher total utility; the total itself when proven."""
    budget_price: float
    """Utility that one more US dollar would buy; 0 where the budget does not bind."""
    capacity_price: Floats
    """Shape (n_models,): utility that one more call to the model would buy."""


def total_of(values: Floats, chosen: Columns) -> float:
    """Return the sum of the chosen entries."""
    return float(values[np.arange(len(chosen)), chosen].sum())


def round_up(value: float) -> float:
    """Round up to four digits, so that a limit in a message can be typed back.

    >>> round_up(1.33701), round_up(0.0)
    (1.338, 0.0)
    """
    if value <= 0.0 or math.isinf(value):
        return value
    digits = 3 - math.floor(math.log10(value))
    return round(math.ceil(value * 10.0**digits) / 10.0**digits, max(digits, 0))


def cheapest_columns(utility: Floats, cost: Floats) -> Columns:
    """Return the cheapest candidate of each row, the better one on ties, shape (n,)."""
    known = np.isfinite(utility) & np.isfinite(cost)
    price = np.where(known, cost, np.inf)
    cheapest = price == price.min(axis=1, keepdims=True, initial=np.inf)
    return np.argmax(np.where(cheapest & known, utility, -np.inf), axis=1)


def fill_knapsack(utility: Floats, cost: Floats, top: Columns, *, budget: float) -> Allocation:
    """Choose one candidate per row at the highest total utility that the budget allows.

    Parameters
    ----------
    utility
        Shape (n, n_models); −inf marks what is no candidate.
    cost
        Shape (n, n_models), US dollars; a candidate of unknown (not finite) cost is passed over.
    top
        Shape (n,): what each row takes when money is no object. Nothing dearer is looked at.
    budget
        At least the sum of the cheapest candidates' costs.

    Returns
    -------
    Allocation
        The total cost is at most `budget`. A larger budget never gives a lower utility, as the
        steps taken under a smaller one are a prefix of those taken under a larger one, and any
        use of the remainder is worth less than the next step.
    """
    ceiling = cost[np.arange(len(top)), top, None]
    at_top = np.arange(utility.shape[1]) == top[:, None]
    utility = np.where((cost < ceiling) | at_top, utility, -np.inf)
    start = cheapest_columns(utility, cost)
    rows, targets, extras, slopes = _steps(utility, cost, start, top)
    order = np.lexsort((rows, -slopes))  # stable: the steps of one row stay in their order
    spent = total_of(cost, start) + np.cumsum(extras[order])
    n_taken = int(np.searchsorted(spent, budget, side="right"))
    chosen = _take(start, rows, targets, order[:n_taken])
    while n_taken and total_of(cost, chosen) > budget:  # the sums differ by rounding
        n_taken -= 1
        chosen = _take(start, rows, targets, order[:n_taken])
    price = float(slopes[order[n_taken]]) if n_taken < len(order) else 0.0
    left = max(budget - total_of(cost, chosen), 0.0) if price else 0.0
    bound = total_of(utility, chosen) + price * left
    if price:
        chosen = _best_single_change(utility, cost, chosen, budget)
        chosen, bound = _polish(utility, cost, chosen, budget=budget, price=price, bound=bound)
    return Allocation(
        chosen=chosen,
        bound=max(bound, total_of(utility, chosen)),
        budget_price=price,
        capacity_price=np.zeros(utility.shape[1]),
    )


def _take(start: Columns, rows: Columns, targets: Columns, taken: Columns) -> Columns:
    chosen = start.copy()
    chosen[rows[taken]] = targets[taken]  # of several steps in one row the last one stays
    return chosen


def _steps(
    utility: Floats, cost: Floats, start: Columns, top: Columns
) -> tuple[Columns, Columns, Floats, Floats]:
    """Return every step up a row's hull: row, target column, extra cost, slope."""
    parts: list[tuple[NDArray, ...]] = []
    active = np.flatnonzero(start != top)
    at, slope = start[active], np.full(len(active), np.inf)
    while len(active):
        u, c = utility[active], cost[active]
        here = np.arange(len(active))
        gain, extra = u - u[here, at, None], c - c[here, at, None]
        within = (extra > 0.0) & (gain > 0.0)
        steep = np.divide(gain, extra, out=np.full_like(gain, -np.inf), where=within)
        target = np.argmax(steep, axis=1)
        target = np.where(np.isfinite(steep[here, target]), target, top[active])
        slope = np.minimum(slope, gain[here, target] / np.maximum(extra[here, target], 1e-300))
        parts.append((active, target, extra[here, target], slope))
        going = target != top[active]
        active, at, slope = active[going], target[going], slope[going]
    if not parts:
        none, nothing = np.empty(0, dtype=np.int64), np.empty(0)
        return none, none, nothing, nothing
    rows, targets, extras, slopes = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, targets, extras, slopes


def _best_single_change(utility: Floats, cost: Floats, chosen: Columns, budget: float) -> Columns:
    rows = np.arange(len(chosen))
    left = budget - total_of(cost, chosen)
    gain = utility - utility[rows, chosen, None]
    fits = (cost - cost[rows, chosen, None] <= left) & np.isfinite(gain)
    gain = np.where(fits, gain, -np.inf)
    row = int(np.argmax(gain.max(axis=1)))
    best = gain[row] == gain[row].max()
    column = int(np.argmin(np.where(best, cost[row], np.inf)))
    changed = chosen.copy()
    changed[row] = column
    return changed if gain[row, column] > 0.0 and total_of(cost, changed) <= budget else chosen


def _polish(
    utility: Floats, cost: Floats, chosen: Columns, *, budget: float, price: float, bound: float
) -> tuple[Columns, float]:
    """Search what could still beat `chosen`; return the optimum and its total if it is proven.

    At the relaxation's price a choice that loses at least the duality gap in reduced utility
    cannot be better, so nearly every row keeps one option.
    """
    gap = bound - total_of(utility, chosen)
    reduced = np.where(np.isfinite(cost), utility - price * cost, -np.inf)
    loss = reduced.max(axis=1, keepdims=True) - reduced
    options = loss < gap * (1.0 - 1e-9)
    if gap <= 1e-12 * max(1.0, abs(bound)):
        return chosen, total_of(utility, chosen)
    opened = np.flatnonzero(options.sum(axis=1) > 1)
    if len(opened) > _MOST_OPEN_ROWS:
        return chosen, bound
    settled = np.argmax(reduced, axis=1)
    closed = np.ones(len(chosen), dtype=bool)
    closed[opened] = False
    spent = float(cost[closed, settled[closed]].sum())
    search = _search(utility, cost, loss, options, opened, gap=gap, money=budget - spent)
    if search is None:
        return chosen, bound
    found = settled.copy()
    if len(search) == 0 and len(opened):
        return chosen, total_of(utility, chosen)
    found[opened] = search
    better = total_of(utility, found) > total_of(utility, chosen)
    if better and total_of(cost, found) <= budget:
        chosen = found
    return chosen, total_of(utility, chosen)


def _search(
    utility: Floats,
    cost: Floats,
    loss: Floats,
    options: NDArray[np.bool_],
    opened: NDArray[np.intp],
    *,
    gap: float,
    money: float,
) -> Columns | None:
    """Return the best columns of the open rows, empty if none fits; None if there are too many.

    States are the undominated (cost, utility) sums so far (Dyer, Riha and Walker 1995,
    doi:10.1016/0377-0427(93)E0211-B).
    """
    floor = np.where(options, cost, np.inf)[opened].min(axis=1, initial=np.inf)
    rest = np.append(np.cumsum(floor[::-1])[::-1][1:], 0.0)
    spent, value, lost = np.zeros(1), np.zeros(1), np.zeros(1)
    trail: list[tuple[NDArray, NDArray]] = []
    for row, ahead in zip(opened, rest, strict=True):
        columns = np.flatnonzero(options[row])
        all_spent = (spent[:, None] + cost[row, columns]).ravel()
        all_value = (value[:, None] + utility[row, columns]).ravel()
        all_lost = (lost[:, None] + loss[row, columns]).ravel()
        fits = np.flatnonzero((all_lost < gap) & (all_spent + ahead <= money))
        order = fits[np.lexsort((-all_value[fits], all_spent[fits]))]
        record = np.maximum.accumulate(np.append(-np.inf, all_value[order]))[:-1]
        kept = order[all_value[order] > record]
        if len(kept) > _MOST_STATES:
            return None
        spent, value, lost = all_spent[kept], all_value[kept], all_lost[kept]
        trail.append((kept // len(columns), columns[kept % len(columns)]))
    if not len(value):
        return np.empty(0, dtype=np.int64)
    state, found = int(np.argmax(value)), []
    for parent, column in reversed(trail):
        found.append(int(column[state]))
        state = int(parent[state])
    return np.array(found[::-1], dtype=np.int64)
