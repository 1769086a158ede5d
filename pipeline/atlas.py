"""The map: every prompt of a run with its place and the groups it may be coloured by."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.taxonomy import domain_rows
from profiles.profile import UNASSIGNED

UNCLUSTERED = "unclustered"
NO_DOMAIN = "in no approved domain"
UNKNOWN = "not known"
CONFIDENCES = (0.5, 0.8, 0.95)
CONFIDENCE_NAMES = ("below .5", ".5 to .8", ".8 to .95", "above .95")
REGRETS = (0.0, 0.1, 0.3)
REGRET_NAMES = ("nothing lost", "up to 10 points lost", "10 to 30 points lost", "over 30 lost")


def map_frame(
    members: pl.DataFrame,
    clusters: pl.DataFrame,
    domains: tuple[pl.DataFrame, pl.DataFrame],
    choices: pl.DataFrame,
) -> pl.DataFrame:
    """Place every prompt of a run.

    Parameters
    ----------
    members, clusters
        The MEMBERS and CLUSTERS rows of one run.
    domains
        The DOMAIN_EVENTS and MEMBER_SETS tables.
    choices
        Columns domain_id and model_id: the current table's first choices; may be empty.

    Returns
    -------
    DataFrame
        prompt_id, x, y, domain, cluster and model, sorted by prompt_id. A prompt without a
        cluster is `UNCLUSTERED`; one without an approved domain is `NO_DOMAIN` and has no model,
        since what it gets depends on where routing puts it.
    """
    named = clusters.select("cluster_id", cluster=distinct_names(clusters, "cluster_id"))
    kept, rows = domain_rows(tuple(members["prompt_id"]), *domains)
    owners = kept.select("domain_id", domain=distinct_names(kept, "domain_id"))
    owners = owners.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    routed = choices.filter(pl.col("domain_id") != UNASSIGNED).select("domain_id", model="model_id")
    return (
        members.with_columns(row=pl.Series(rows, dtype=pl.Int64))
        .join(named, on="cluster_id", how="left")
        .join(owners, on="row", how="left")
        .join(routed, on="domain_id", how="left")
        .select(
            "prompt_id",
            "x",
            "y",
            pl.col("domain").fill_null(NO_DOMAIN),
            pl.col("cluster").fill_null(UNCLUSTERED),
            pl.col("model").fill_null(NO_DOMAIN),
        )
        .sort("prompt_id")
    )


def with_measures(
    points: pl.DataFrame,
    labels: pl.DataFrame,
    placed: pl.DataFrame | None,
    regrets: pl.DataFrame | None,
) -> pl.DataFrame:
    """Add what else a point may be coloured by, as names of groups.

    Parameters
    ----------
    points
        From `map_frame`.
    labels
        Columns prompt_id and label.
    placed
        prompt_id and confidence, see `pipeline.flows.monitoring`; None: no table.
    regrets
        prompt_id and regret, see `pipeline.hindsight`; None: not known.

    Returns
    -------
    DataFrame
        `points` with label, confidence and regret; `UNKNOWN` where there is none.
    """
    nothing = {"prompt_id": pl.String, "confidence": pl.Float64, "regret": pl.Float64}
    sure = pl.DataFrame(schema=nothing).drop("regret") if placed is None else placed
    lost = pl.DataFrame(schema=nothing).drop("confidence") if regrets is None else regrets
    confidence = _binned("confidence", CONFIDENCES, CONFIDENCE_NAMES)
    regret = _binned("regret", REGRETS, REGRET_NAMES)
    return (
        points.join(labels, on="prompt_id", how="left")
        .join(sure.select("prompt_id", confidence), on="prompt_id", how="left")
        .join(lost.select("prompt_id", regret), on="prompt_id", how="left")
        .with_columns(pl.col("label", "confidence", "regret").fill_null(UNKNOWN))
        .sort("prompt_id")
    )


def _binned(column: str, edges: Sequence[float], names: Sequence[str]) -> pl.Expr:
    """Name the bin of a number; a number on an edge belongs below it, null has no name."""
    above = sum((pl.col(column) > edge).cast(pl.Int64) for edge in edges)
    return above.replace_strict(  # pyright: ignore[reportAttributeAccessIssue] - a sum of exprs
        dict(enumerate(names)), return_dtype=pl.String
    ).alias(column)


def distinct_names(frame: pl.DataFrame, key: str) -> pl.Series:
    """Return the names, with the key behind those that occur twice."""
    name = pl.col("name")
    twice = pl.concat_str(name, pl.lit(" ("), pl.col(key).cast(pl.String), pl.lit(")"))
    return frame.select(pl.when(name.is_duplicated()).then(twice).otherwise(name)).to_series()


def sample_points(points: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return at most so many rows, the same ones every time, in the same order."""
    if points.height <= most:
        return points
    step = points.height / most
    return points[(np.arange(most) * step).astype(np.int64)]


def inside_polygon(
    x: NDArray[np.floating], y: NDArray[np.floating], corners: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Tell which points lie inside a polygon, by the even-odd rule.

    Parameters
    ----------
    x, y
        Shape (n,).
    corners
        Shape (n_corners, 2), in drawing order; the last joins the first. Fewer than three corners
        enclose nothing.

    References
    ----------
    Shimrat (1962), Algorithm 112, doi:10.1145/368637.368653.
    """
    inside = np.zeros(len(x), dtype=np.bool_)
    if len(corners) < 3:
        return inside
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside
