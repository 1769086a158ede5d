"""Cost–quality frontiers and the numbers read off them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates
from pipeline.route import choose_by_utility
from profiles.outcomes import Outcomes

_N_STEPS = 81


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a router does as a unit of quality is worth less and less."""

    quality_value_usd: NDArray[np.float64]
    """Shape (n_steps,): falling from infinity (quality alone) to 0 (cost alone)."""
    chosen: NDArray[np.int64]
    """Shape (n_steps, n): columns of the chosen models."""


def quality_values(outcomes: Outcomes) -> NDArray[np.float64]:
    """Return the values of quality to try, for a table of training outcomes.

    From one at which the dearest model's cost is worth a ten-thousandth of quality to one at
    which a thousandth of it outweighs all quality; with unknown costs, infinity alone.
    """
    dearest = np.nanmax(np.nan_to_num(outcomes.cost_usd, nan=0.0).mean(axis=0), initial=0.0)
    if dearest <= 0.0:
        return np.array([np.inf])
    inner = dearest * np.geomspace(1e4, 1e-3, _N_STEPS - 2)
    return np.concatenate([[np.inf], inner, [0.0]])


def sweep_router(estimates: Estimates, values: NDArray[np.float64]) -> Sweep:
    """Decide every prompt at every value of quality."""
    chosen = np.stack(
        [choose_by_utility(estimates, quality_value_usd=float(value)) for value in values]
    )
    return Sweep(quality_value_usd=values, chosen=chosen)


def means_of(chosen: NDArray[np.int64], outcomes: Outcomes) -> tuple[NDArray, NDArray]:
    """Return mean cost and mean quality of each row of choices, shapes (n_steps,)."""
    rows = np.arange(chosen.shape[-1])
    return (
        outcomes.cost_usd[rows, chosen].mean(axis=-1),
        outcomes.quality[rows, chosen].mean(axis=-1),
    )


def upper_hull(
    cost: NDArray[np.float64], quality: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the non-decreasing upper convex hull of (cost, quality) points, by rising cost.

    >>> cost, quality = upper_hull(np.array([0.0, 1, 2, 3]), np.array([0.0, 0.1, 1, 0.5]))
    >>> cost.tolist(), quality.tolist()
    ([0.0, 2.0], [0.0, 1.0])
    """
    order = np.lexsort((-quality, cost))
    hull: list[int] = []
    for index in order:
        if hull and quality[index] <= quality[hull[-1]]:
            continue
        while len(hull) > 1 and _below(cost, quality, hull[-2], hull[-1], index):
            hull.pop()
        hull.append(int(index))
    return cost[hull], quality[hull]


def _below(
    cost: NDArray[np.float64], quality: NDArray[np.float64], left: int, middle: int, right: int
) -> bool:
    rise = (quality[middle] - quality[left]) * (cost[right] - cost[left])
    return bool(rise <= (quality[right] - quality[left]) * (cost[middle] - cost[left]))


def average_improvement(
    cost: NDArray[np.float64],
    quality: NDArray[np.float64],
    *,
    cheapest_usd: float,
    dearest_usd: float,
) -> float:
    """Return AIQ: the mean height of the hull between two costs.

    Parameters
    ----------
    cheapest_usd, dearest_usd
        Mean cost of the cheapest and of the dearest single model on the same prompts. The hull
        is flat beyond its ends. NaN where both are equal or unknown.

    References
    ----------
    Hu et al. (2024), RouterBench, arXiv 2403.12031.
    """
    if not dearest_usd > cheapest_usd:
        return float("nan")
    hull_cost, hull_quality = upper_hull(cost, quality)
    inside = (hull_cost > cheapest_usd) & (hull_cost < dearest_usd)
    at = np.concatenate([[cheapest_usd], hull_cost[inside], [dearest_usd]])
    height = np.interp(at, hull_cost, hull_quality)
    return float(np.trapezoid(height, at) / (dearest_usd - cheapest_usd))


def log_cost_improvement(
    cost: NDArray[np.float64],
    quality: NDArray[np.float64],
    *,
    cheapest_usd: float,
    dearest_usd: float,
) -> float:
    """Return AIQ with the logarithm of cost as the axis: each tenfold of cost counts alike.

    Where prices span orders of magnitude, the plain AIQ is nearly the dearest model's quality and
    hardly moves; this one weighs the cheap end as much as the dear one. The hull is the plain one,
    for mixing two models is linear in cost, not in its logarithm. NaN where a single model is free,
    or all cost the same.
    """
    if not dearest_usd > cheapest_usd > 0.0:
        return float("nan")
    hull_cost, hull_quality = upper_hull(cost, quality)
    inside = (hull_cost > cheapest_usd) & (hull_cost < dearest_usd)
    at = np.concatenate([[cheapest_usd], hull_cost[inside], [dearest_usd]])
    height = np.interp(at, hull_cost, hull_quality)
    slope = np.diff(height) / np.diff(at)
    area = (height[:-1] - slope * at[:-1]) * np.diff(np.log(at)) + slope * np.diff(at)
    return float(area.sum() / np.log(dearest_usd / cheapest_usd))


def cost_to_reach(cost: NDArray[np.float64], quality: NDArray[np.float64], target: float) -> float:
    """Return the lowest cost on the hull with at least this quality; NaN if it is never reached."""
    hull_cost, hull_quality = upper_hull(cost, quality)
    if hull_quality[-1] < target:
        return float("nan")
    if hull_quality[0] >= target:
        return float(hull_cost[0])
    return float(np.interp(target, hull_quality, hull_cost))
