"""Routing tables: what to use in each bucket, and why; and the model that applies them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.assign import Assigner, Assignment, assign
from pipeline.estimators.base import Estimates, FittedEstimator, Prompts
from pipeline.estimators.domain_table import Cells
from pipeline.route import Decisions, choose_by_utility, route_by_utility, utilities
from profiles.interval import Z_95
from profiles.profile import UNASSIGNED
from profiles.tables import RECEIPT


@dataclass(frozen=True, kw_only=True)
class RoutingModel:
    """Everything a decision needs: plain arrays, no database and no model library."""

    table_version: int
    model_ids: tuple[str, ...]
    reference: int
    """Column of the safe choice."""
    quality_value_usd: float
    domain_ids: tuple[str, ...]
    """One for each domain; the `unassigned` bucket follows them."""
    names: tuple[str, ...]
    """One for each bucket."""
    assigner: Assigner
    quality: NDArray[np.float64]
    """Shape (n_buckets, n_models), in [0, 1]."""
    cost_usd: NDArray[np.float64]
    """Shape (n_buckets, n_models); NaN is unknown."""
    router: FittedEstimator | None = None
    """Estimates quality and cost prompt by prompt; None: the buckets do."""

    def estimate(
        self, texts: Sequence[str], vectors: NDArray[np.float32], assignment: Assignment
    ) -> Estimates:
        """Estimate with the router, or by the table where there is none."""
        if self.router is None:
            return self.estimate_by_table(assignment)
        prompts = Prompts(texts=tuple(texts), vectors=vectors, memberships=assignment.memberships)
        return _columns(self.router.estimate(prompts), self.model_ids)

    def estimate_by_table(self, assignment: Assignment) -> Estimates:
        """Mix the buckets by membership."""
        return Estimates(
            model_ids=self.model_ids,
            quality=assignment.memberships @ self.quality,
            cost_usd=assignment.memberships @ self.cost_usd,
            standard_error=np.zeros((len(assignment.memberships), len(self.model_ids))),
        )


def decide(texts: Sequence[str], vectors: NDArray[np.float32], model: RoutingModel) -> pl.DataFrame:
    """Route prompts; returns one RECEIPT row for each, in order.

    Parameters
    ----------
    texts
        Length n; read by the router only, not where the table alone decides.
    vectors
        Shape (n, n_dims), unit rows.
    """
    assignment = assign(vectors, model.assigner)
    estimates = model.estimate(texts, vectors, assignment)
    decisions = route_by_utility(estimates, quality_value_usd=model.quality_value_usd)
    rows = np.arange(len(vectors))
    buckets = assignment.buckets
    chosen, fallback = decisions.chosen, _fallbacks(decisions, model.reference)
    ids = np.array(model.model_ids, dtype=object)
    names = np.array(model.names, dtype=object)
    gain = estimates.quality[rows, chosen] - estimates.quality[:, model.reference]
    frame = pl.DataFrame(
        {
            "model": ids[chosen],
            "domain": names[buckets],
            "confidence": assignment.confidence,
            "expected_quality": np.clip(estimates.quality[rows, chosen], 0.0, 1.0),
            "expected_cost_usd": estimates.cost_usd[rows, chosen],
            "fallback": ids[fallback],
            "table_version": model.table_version,
            "gain": 100.0 * gain,
        },
        schema_overrides={name: kind for name, kind in RECEIPT.items() if name != "reason"}
        | {"gain": pl.Float64},
    )
    reason = _reasons(model.model_ids[model.reference], model.names[-1])
    return frame.with_columns(reason=reason).fill_nan(None).select(list(RECEIPT)).cast(RECEIPT)


def _columns(estimates: Estimates, model_ids: tuple[str, ...]) -> Estimates:
    """Return the estimates of some models: one without a usable cell is not in the table."""
    if estimates.model_ids == model_ids:
        return estimates
    index = [estimates.model_ids.index(model_id) for model_id in model_ids]
    return Estimates(
        model_ids=model_ids,
        quality=estimates.quality[:, index],
        cost_usd=estimates.cost_usd[:, index],
        standard_error=estimates.standard_error[:, index],
    )


def _reasons(reference_id: str, unassigned: str) -> pl.Expr:
    share = (pl.col("confidence") * 100).round(0).cast(pl.Int64).cast(pl.String)
    where = (
        pl.when(pl.col("domain") == unassigned)
        .then(pl.lit("unlike every approved domain; "))
        .otherwise(pl.concat_str(pl.col("domain"), pl.lit(" ("), share, pl.lit(" %); ")))
    )
    points = pl.col("gain").round(1).cast(pl.String)
    why = (
        pl.when(pl.col("model") == reference_id)
        .then(pl.lit("the safe choice is worth its cost here"))
        .otherwise(
            pl.concat_str(
                pl.lit("expected "), points, pl.lit(f" points against {reference_id}, better value")
            )
        )
    )
    return pl.concat_str(where, why)


def _fallbacks(decisions: Decisions, reference: int) -> NDArray[np.int64]:
    """Return the safe choice, or the runner-up where the safe choice was taken."""
    return np.where(decisions.chosen == reference, decisions.runner_up, reference)


def table_entries(cells: Cells, *, quality_value_usd: float) -> pl.DataFrame:
    """Rank the models of each bucket by value; the TABLE_ENTRIES table without its version."""
    estimates = Estimates(
        model_ids=cells.model_ids,
        quality=cells.quality,
        cost_usd=cells.cost_usd,
        standard_error=cells.advantage_sd,
    )
    utility = utilities(estimates, quality_value_usd=quality_value_usd)
    first = choose_by_utility(estimates, quality_value_usd=quality_value_usd)
    rows = [
        entry
        for bucket in range(len(cells.quality))
        for entry in _ranked(cells, utility[bucket], int(first[bucket]), bucket, quality_value_usd)
    ]
    return pl.DataFrame(rows).fill_nan(None)


def _ranked(
    cells: Cells,
    utility: NDArray[np.float64],
    first: int,
    bucket: int,
    quality_value_usd: float,
) -> list[dict[str, object]]:
    usable = [j for j in range(len(utility)) if np.isfinite(utility[j]) and j != first]
    order = [first, *sorted(usable, key=lambda j: (-utility[j], cells.model_ids[j]))]
    scale = quality_value_usd if np.isfinite(quality_value_usd) else np.nan
    following = [*order[1:], order[-1]]
    entries: list[dict[str, object]] = []
    for rank, (j, after) in enumerate(zip(order, following, strict=True), start=1):
        half = Z_95 * cells.advantage_sd[bucket, j]
        advantage = cells.advantage[bucket, j]
        entries.append(
            {
                "bucket": bucket,
                "rank": rank,
                "model_id": cells.model_ids[j],
                "quality": cells.quality[bucket, j],
                "advantage": advantage,
                "advantage_lo": advantage - half,
                "advantage_hi": advantage + half,
                "cost_usd": cells.cost_usd[bucket, j],
                "n": cells.n_effective[bucket, j],
                "margin_usd": (utility[j] - utility[after]) * scale,
                "reason": _entry_reason(cells, bucket, j, rank),
            }
        )
    return entries


def _entry_reason(cells: Cells, bucket: int, column: int, rank: int) -> str:
    if rank > 1:
        return f"rank {rank}"
    if column == cells.reference:
        return "safe choice: what a cheaper model saves is not worth its loss here"
    reference_id = cells.model_ids[cells.reference]
    points = 100.0 * cells.advantage[bucket, column]
    cost, reference_cost = cells.cost_usd[bucket, [column, cells.reference]]
    if not (np.isfinite(cost) and reference_cost > 0.0):
        return f"{points:+.1f} points against {reference_id}"
    more = cost / reference_cost - 1.0
    return f"{points:+.1f} points at {more:+.0%} cost against {reference_id}"


def buckets_frame(domains: pl.DataFrame, assigner: Assigner, *, n_unassigned: int) -> pl.DataFrame:
    """Return the BUCKETS table without its version: the domains in row order, then `unassigned`.

    Parameters
    ----------
    domains
        Columns domain_id, name and n_prompts, in the row order of `assigner`.
    n_unassigned
        Training prompts that were refused when held out.
    """
    known = pl.DataFrame(
        {
            "domain_id": domains["domain_id"],
            "name": domains["name"],
            "n_prompts": domains["n_prompts"],
            "prototype": assigner.prototypes.tolist(),
            "radius": assigner.radii.astype(np.float64),
            "weights": assigner.weights.tolist(),
            "intercept": assigner.intercepts.astype(np.float64),
        }
    )
    rest = pl.DataFrame(
        {
            "domain_id": [UNASSIGNED],
            "name": [UNASSIGNED],
            "n_prompts": [n_unassigned],
            "prototype": [[]],
            "radius": [None],
            "weights": [[]],
            "intercept": [None],
        },
        schema=known.schema,
    )
    return pl.concat([known, rest]).with_row_index("bucket")


def routing_model(
    meta: dict[str, object],
    buckets: pl.DataFrame,
    entries: pl.DataFrame,
    router: FittedEstimator | None = None,
) -> RoutingModel:
    """Rebuild the routing model from its tables (rows of one table version)."""
    model_ids = tuple(entries["model_id"].unique().sort())
    domains = buckets.filter(pl.col("domain_id") != UNASSIGNED).sort("bucket")
    n_buckets = buckets.height

    def matrix(column: str) -> NDArray[np.float64]:
        filled = np.full((n_buckets, len(model_ids)), np.nan)
        place = [model_ids.index(model_id) for model_id in entries["model_id"]]
        filled[entries["bucket"].to_numpy(), place] = (
            entries[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        )
        return filled

    return RoutingModel(
        table_version=int(meta["table_version"]),  # pyright: ignore[reportArgumentType]
        model_ids=model_ids,
        reference=model_ids.index(str(meta["reference_model_id"])),
        quality_value_usd=float(meta["quality_value_usd"]),  # pyright: ignore[reportArgumentType]
        domain_ids=tuple(domains["domain_id"]),
        names=tuple(buckets.sort("bucket")["name"]),
        assigner=Assigner(
            weights=np.array(domains["weights"].to_list(), dtype=np.float32),
            intercepts=domains["intercept"].to_numpy().astype(np.float32),
            temperature=float(meta["temperature"]),  # pyright: ignore[reportArgumentType]
            prototypes=np.array(domains["prototype"].to_list(), dtype=np.float32),
            radii=domains["radius"].to_numpy().astype(np.float32),
        ),
        quality=matrix("quality"),
        cost_usd=matrix("cost_usd"),
        router=router,
    )


def table_diff(
    before: tuple[pl.DataFrame, pl.DataFrame], after: tuple[pl.DataFrame, pl.DataFrame]
) -> pl.DataFrame:
    """Compare the first choices of two versions, each given as (buckets, entries).

    Returns
    -------
    DataFrame
        One row for each bucket of either: domain_id, name, model_before and model_after (null
        where the bucket is absent), and `change`: same, changed, added or removed.
    """
    old, new = (first_choices(*pair) for pair in (before, after))
    joined = old.join(new, on="domain_id", how="full", coalesce=True, suffix="_after").rename(
        {"model_id": "model_before", "model_id_after": "model_after"}
    )
    change = (
        pl.when(pl.col("model_before").is_null())
        .then(pl.lit("added"))
        .when(pl.col("model_after").is_null())
        .then(pl.lit("removed"))
        .when(pl.col("model_before") == pl.col("model_after"))
        .then(pl.lit("same"))
        .otherwise(pl.lit("changed"))
    )
    return joined.select(
        "domain_id",
        name=pl.coalesce("name_after", "name"),
        model_before="model_before",
        model_after="model_after",
        change=change,
    ).sort("domain_id")


def first_choices(buckets: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Return domain_id, name and the chosen model_id of each bucket."""
    first = entries.filter(pl.col("rank") == 1).select("bucket", "model_id")
    return buckets.join(first, on="bucket").select("domain_id", "name", "model_id")
