"""Decisions under constraints: the best total of quality − cost / value that satisfies them all.

Constraints on one prompt (lists, context, features, latency, floor) rule out candidates first;
limits on totals (budget, capacity) are then met at the highest total utility. Ties are broken as in
`pipeline.route`, except that under a binding capacity only exact ones count.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates, Constraints, Facts, column_of, find_candidates
from pipeline.capacity import Limits, fill_capacities
from pipeline.estimators.base import Estimates
from pipeline.knapsack import Allocation, Columns, Floats, cheapest_columns, round_up, total_of
from pipeline.route import best_columns, utilities
from profiles.errors import InfeasibleError

REASONS = (
    "best value",
    "context",
    "features",
    "latency",
    "floor",
    "fallback",
    "budget",
    "capacity",
)


@dataclass(frozen=True, kw_only=True)
class ConstrainedDecisions:
    """Which model takes each prompt, and what the constraints cost."""

    chosen: NDArray[np.int64]
    """Shape (n,): column of the model."""
    reason: NDArray[np.str_]
    """Shape (n,), one of `REASONS`: the last constraint that moved the prompt away from the model
    of the best value; "best value" where none did."""
    quality: float
    """Expected total over all prompts."""
    cost_usd: float
    """Expected total; NaN where a chosen model's cost is unknown. Never above the budget."""
    shadow_price: float
    """Utility (quality − cost / value) that one more US dollar of budget would buy; 0 where the
    budget does not bind."""
    capacity_price: dict[str, float]
    """Utility that one more prompt of capacity would buy, for models whose capacity binds."""
    gap: float
    """At most this much total utility is lost to the best possible decisions."""


def route_under(
    estimates: Estimates,
    constraints: Constraints,
    *,
    quality_value_usd: float = float("inf"),
    facts: Facts | None = None,
) -> ConstrainedDecisions:
    """Decide all prompts together at the highest total of quality − cost / value.

    Parameters
    ----------
    estimates
        Under a budget a model of unknown cost is no candidate. Guarded ones (`pipeline.guard`)
        make the floor hold, and the totals count, for the cautious quality.
    quality_value_usd
        US dollars that one unit of quality is worth on one prompt; infinity spends the whole
        budget wherever that buys quality.

    Raises
    ------
    InfeasibleError
        If no decisions satisfy the constraints; names the one that binds and the nearest value
        of it that can be satisfied.
    UsageError
        If a constraint names an unknown model.
    ValueError
        If a number or a shape makes no sense, or a constraint's facts are missing.
    """
    _require_sensible(constraints)
    utility = utilities(estimates, quality_value_usd=quality_value_usd)
    cost = estimates.cost_usd
    if constraints.budget_usd is not None:
        utility = np.where(np.isfinite(cost), utility, -np.inf)
    candidates = find_candidates(
        estimates.model_ids, utility, estimates.quality, constraints, facts or Facts()
    )
    allowed = np.where(candidates.allowed, utility, -np.inf)
    if not len(utility):
        return _nothing()
    limits = _limits(estimates.model_ids, len(utility), constraints)
    _require_budget(allowed, cost, limits.budget)
    best = best_columns(allowed, cost)
    found = fill_capacities(allowed, cost, best, limits)
    chosen = found.chosen
    listed = np.where(candidates.listed, utility, -np.inf)
    return ConstrainedDecisions(
        chosen=chosen,
        reason=_reasons(listed, allowed, cost, candidates, best, found),
        quality=total_of(estimates.quality, chosen),
        cost_usd=total_of(cost, chosen),
        shadow_price=found.budget_price,
        capacity_price={
            model_id: float(price)
            for model_id, price in zip(estimates.model_ids, found.capacity_price, strict=True)
            if price > 0.0
        },
        gap=max(0.0, found.bound - total_of(allowed, chosen)),
    )


def _require_sensible(constraints: Constraints) -> None:
    for name in ("min_quality", "budget_usd", "max_latency_s"):
        value = getattr(constraints, name)
        if value is not None and np.isnan(value).any():
            raise ValueError(f"{name} must be a number, got {value}.")
    for model_id, share in constraints.max_share.items():
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"max_share of {model_id} must be from 0 to 1, got {share}.")
    for model_id, count in constraints.max_count.items():
        if count < 0:
            raise ValueError(f"max_count of {model_id} must be at least 0, got {count}.")


def _nothing() -> ConstrainedDecisions:
    return ConstrainedDecisions(
        chosen=np.empty(0, dtype=np.int64),
        reason=np.empty(0, dtype="<U10"),
        quality=0.0,
        cost_usd=0.0,
        shadow_price=0.0,
        capacity_price={},
        gap=0.0,
    )


def _limits(model_ids: tuple[str, ...], n: int, constraints: Constraints) -> Limits:
    n_calls = np.full(len(model_ids), n, dtype=np.int64)
    for model_id, share in constraints.max_share.items():
        n_calls[column_of(model_ids, model_id)] = math.floor(share * n + 1e-9)
    for model_id, count in constraints.max_count.items():
        column = column_of(model_ids, model_id)
        n_calls[column] = min(count, n_calls[column])
    budget = math.inf if constraints.budget_usd is None else float(constraints.budget_usd)
    return Limits(budget=budget, n_calls=n_calls)


def _require_budget(allowed: Floats, cost: Floats, budget: float) -> None:
    if math.isinf(budget) and budget > 0:
        return
    least = total_of(cost, cheapest_columns(allowed, cost))
    if least > budget:
        raise InfeasibleError(
            f"The budget of ${budget:,.6g} is below the cheapest possible "
            f"${round_up(least):,.6g}. Raise it, loosen other limits or allow cheaper models.",
            constraint="budget",
            nearest=least,
        )


def _reasons(
    listed: Floats,
    allowed: Floats,
    cost: Floats,
    candidates: Candidates,
    best: Columns,
    found: Allocation,
) -> NDArray[np.str_]:
    rows = np.arange(len(best))
    first = best_columns(listed, cost)
    reason = np.full(len(best), "best value", dtype="<U10")
    moved = found.chosen != first
    for name in reversed(candidates.rules):  # the first rule broken is written last
        broken = ~candidates.rules[name][rows, first]
        reason[moved & broken] = name
    reason[candidates.fell_back & moved] = "fallback"
    limited = moved & (found.chosen != best)
    by_budget = found.budget_price > 0.0
    if by_budget and found.capacity_price.any():
        priced = allowed - found.budget_price * np.where(np.isfinite(allowed), cost, 0.0)
        within = np.isclose(priced[rows, found.chosen], priced.max(axis=1), rtol=1e-9, atol=1e-12)
        reason[limited] = np.where(within[limited], "budget", "capacity")
    else:
        reason[limited] = "budget" if by_budget else "capacity"
    return reason
