"""Estimates to decisions: the best trade of quality for cost, prompt by prompt."""

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates

TIE = 0.001
"""Utilities (in units of quality) closer than this are a tie, which the cheaper model wins."""

_SAME_COST = 1e-9
"""Relative: equal costs that were summed in another order differ by less."""

_DEAREST = 1e300


def choose_by_utility(estimates: Estimates, *, quality_value_usd: float) -> NDArray[np.int64]:
    """Return the columns of the highest quality − cost / value, shape (n,).

    Parameters
    ----------
    quality_value_usd
        US dollars that one unit of quality is worth on one prompt; infinity looks at quality
        alone, and then costs may be unknown.

    Raises
    ------
    ValueError
        If no model may be chosen for some prompt, because its quality or its cost is unknown.
    """
    utility = utilities(estimates, quality_value_usd=quality_value_usd)
    return best_columns(utility, estimates.cost_usd)


def utilities(estimates: Estimates, *, quality_value_usd: float) -> NDArray[np.float64]:
    """Return quality − cost / value, −inf where it is unknown; shape (n, n_models)."""
    if np.isinf(quality_value_usd):
        utility = estimates.quality
    elif quality_value_usd > 0.0:
        utility = estimates.quality - estimates.cost_usd / quality_value_usd
    else:
        utility = -estimates.cost_usd * 1e12  # quality is worth nothing: only cost counts
    return np.where(np.isfinite(utility), utility, -np.inf)


def next_best(
    utility: NDArray[np.float64], cost_usd: NDArray[np.float64], taken: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the best column of each row that is not taken, −1 where there is none; shape (n,).

    Parameters
    ----------
    taken
        Shape (n, n_taken): columns; −1 is none.
    """
    rest = utility.copy()
    rows, places = np.nonzero(taken >= 0)
    rest[rows, taken[rows, places]] = -np.inf
    other = np.isfinite(rest).any(axis=1)
    following = np.full(len(utility), -1, dtype=np.int64)
    following[other] = best_columns(rest[other], cost_usd[other])
    return following


def best_columns(utility: NDArray[np.float64], cost_usd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the best column of each row, shape (n,).

    Among ties the cheapest, then the first; unknown costs come last.

    Raises
    ------
    ValueError
        If no utility in some row is finite.
    """
    best = utility.max(axis=1, keepdims=True)
    stranded = ~np.isfinite(best)
    if stranded.any():
        raise ValueError(
            f"{int(stranded.sum())} prompts have no candidate with a known quality and cost, "
            f"first at row {int(np.argmax(stranded))}."
        )
    tied = (utility >= best - TIE) & np.isfinite(utility)
    cost = np.where(np.isfinite(cost_usd), cost_usd, _DEAREST)
    cost = np.where(tied, cost, np.inf)
    return np.argmax(cost <= (1.0 + _SAME_COST) * cost.min(axis=1, keepdims=True), axis=1)
