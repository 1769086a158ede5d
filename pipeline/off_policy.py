"""What another routing would have been worth, from logs that saw one model for each prompt.

Only the logged model's outcome is known, so the routing is judged by the calls on which both agree,
each weighted by one over the chance the logging had to make it (Horvitz and Thompson 1952;
Dudík, Langford and Li 2011, arXiv 1103.4601). Without that chance the number cannot be known: where
the logging always sent hard prompts to one model, agreement says nothing about easy ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import UNKNOWN, Interval, Statistic, bootstrap_intervals
from pipeline.choices import ratio_of

LEAST_EFFECTIVE = 30.0
"""Below this effective sample size no estimate is given: its interval would be a guess too."""


@dataclass(frozen=True, kw_only=True)
class LoggedCalls:
    """Calls whose model was drawn with a known chance."""

    logged: NDArray[np.int64]
    """Shape (n,): column of the model that was called."""
    quality: NDArray[np.float64]
    """Shape (n,), in [0, 1], known."""
    propensity: NDArray[np.float64]
    """Shape (n,), in (0, 1): the chance that this model was called."""
    rows: NDArray[np.intp]
    """Shape (n,): which prompt each call is of; a prompt may have several."""


@dataclass(frozen=True, kw_only=True)
class OffPolicyValue:
    """Mean quality had a router chosen, means over splits; NaN with too little overlap."""

    router: str
    ips: Interval
    """Inverse propensity: unbiased, may leave [0, 1]."""
    snips: Interval
    """Self-normalised: steadier, biased by the order of one over the effective sample size."""
    doubly_robust: Interval
    """Estimate plus weighted error of the estimate: right where either is."""
    n_effective: float
    """(Σw)² / Σw² of the weights, for one split."""
    overlap: float
    """Share of the calls on which the router agrees with the log."""


def value_of_choices(
    router: str,
    calls: Sequence[LoggedCalls],
    chosen: Sequence[NDArray[np.int64]],
    expected: Sequence[NDArray[np.float64]],
    *,
    n_prompts: int,
) -> OffPolicyValue:
    """Estimate what a router's choices would have been worth on logged calls.

    Parameters
    ----------
    calls
        For each split, calls of prompts the router was not fitted on.
    chosen
        For each split, shape (n,): column the router chooses on the call's prompt.
    expected
        For each split, shape (n, n_models): quality expected by a fit that saw none of the calls.
    """
    parts = [
        _weighted(part, columns, estimate)
        for part, columns, estimate in zip(calls, chosen, expected, strict=True)
    ]
    effective = float(np.mean([_effective(part[:, 0]) for part in parts]))
    overlap = float(np.mean([(part[:, 0] > 0.0).mean() for part in parts]))
    statistics: dict[str, Statistic] = {
        "ips": lambda means: means[:, 1],
        "snips": ratio_of(1, 0),
        "doubly_robust": lambda means: means[:, 2],
    }
    found = dict.fromkeys(statistics, UNKNOWN)
    if effective >= LEAST_EFFECTIVE:
        rows = [part.rows for part in calls]
        found = bootstrap_intervals(parts, rows, statistics=statistics, n_prompts=n_prompts)
    return OffPolicyValue(router=router, n_effective=effective, overlap=overlap, **found)


def logged_value(calls: Sequence[LoggedCalls], *, n_prompts: int) -> Interval:
    """Return the mean quality of what the logging itself chose."""
    return bootstrap_intervals(
        [part.quality[:, None] for part in calls],
        [part.rows for part in calls],
        statistics={"logged": lambda means: means[:, 0]},
        n_prompts=n_prompts,
    )["logged"]


def _weighted(
    calls: LoggedCalls, chosen: NDArray[np.int64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return weight, weighted quality and doubly robust term of each call, shape (n, 3)."""
    n = np.arange(len(chosen))
    weight = np.where(chosen == calls.logged, 1.0 / calls.propensity, 0.0)
    own = np.where(weight > 0.0, expected[n, calls.logged], 0.0)
    robust = expected[n, chosen] + weight * (calls.quality - own)
    return np.column_stack([weight, weight * calls.quality, robust])


def _effective(weights: NDArray[np.float64]) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
