"""The map: every prompt of a run with its place and the groups it may be coloured by."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.taxonomy import domain_rows
from profiles.profile import UNASSIGNED

UNCLUSTERED = "unclustered"
NO_DOMAIN = "in no approved domain"


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
