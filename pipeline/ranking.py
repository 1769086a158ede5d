"""The models of each bucket by rank, with the evidence for every place."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates
from pipeline.estimators.domain_table import Cells
from pipeline.route import best_columns
from pipeline.terms import Terms, Weighed, weigh
from profiles.interval import Z_95

BEYOND = "beyond a limit of the policy"
"""The reason of a model that is ranked in a bucket but may not be chosen there."""


def table_entries(cells: Cells, latency_s: NDArray[np.float64], terms: Terms) -> pl.DataFrame:
    """Rank the models of each bucket: first its candidates by value, then those beyond a limit.

    Parameters
    ----------
    latency_s
        Shape (n_buckets, n_models): expected latency; NaN is unknown.

    Returns
    -------
    DataFrame
        The TABLE_ENTRIES table without its version. A model of unknown value is in no ranking.
    """
    estimates = Estimates(
        model_ids=cells.model_ids,
        quality=cells.quality,
        cost_usd=cells.cost_usd,
        standard_error=cells.advantage_sd,
    )
    weighed = weigh(estimates, np.eye(len(cells.quality)), latency_s, terms)
    first = best_columns(weighed.utility, cells.cost_usd)
    rows = [
        entry | {"latency_s": latency_s[bucket, column], "surcharge": terms.surcharge[column]}
        for bucket in range(len(cells.quality))
        for column, entry in _ranked(cells, weighed, int(first[bucket]), bucket, terms)
    ]
    return pl.DataFrame(rows).fill_nan(None)


def _ranked(
    cells: Cells, weighed: Weighed, first: int, bucket: int, terms: Terms
) -> list[tuple[int, dict[str, object]]]:
    utility, worth = weighed.unlocked[bucket], weighed.unlimited[bucket]
    is_candidate = np.isfinite(utility)
    usable = [j for j in np.flatnonzero(is_candidate | np.isfinite(worth)).tolist() if j != first]
    usable.sort(
        key=lambda j: (not is_candidate[j], -utility[j], -worth[j], cells.model_ids[j]),
    )
    order = [first, *usable]
    value = terms.quality_value_usd
    scale = value if np.isfinite(value) and not weighed.fell_back[bucket] else np.nan
    entries = []
    for rank, (j, after) in enumerate(zip(order, [*order[1:], order[-1]], strict=True), start=1):
        half = Z_95 * cells.advantage_sd[bucket, j]
        advantage = cells.advantage[bucket, j]
        entry = {
            "bucket": bucket,
            "rank": rank,
            "model_id": cells.model_ids[j],
            "quality": cells.quality[bucket, j],
            "advantage": advantage,
            "advantage_lo": advantage - half,
            "advantage_hi": advantage + half,
            "cost_usd": cells.cost_usd[bucket, j],
            "n": cells.n_effective[bucket, j],
            "margin_usd": (worth[j] - worth[after]) * scale if is_candidate[after] else np.nan,
            "reason": f"rank {rank}" if is_candidate[j] else BEYOND,
        }
        entries.append((j, entry))
    entries[0][1]["reason"] = _first_reason(cells, bucket, first, weighed)
    return entries


def _first_reason(cells: Cells, bucket: int, column: int, weighed: Weighed) -> str:
    if weighed.is_locked[bucket]:
        return "locked to this model by the policy"
    if weighed.fell_back[bucket]:
        return "fallback: no model keeps the limits here, or it is unlike every domain"
    if column == cells.reference:
        return "safe choice: what a cheaper model saves is not worth its loss here"
    reference_id = cells.model_ids[cells.reference]
    points = 100.0 * cells.advantage[bucket, column]
    cost, reference_cost = cells.cost_usd[bucket, [column, cells.reference]]
    if not (np.isfinite(cost) and reference_cost > 0.0):
        return f"{points:+.1f} points against {reference_id}"
    more = cost / reference_cost - 1.0
    return f"{points:+.1f} points at {more:+.0%} cost against {reference_id}"
