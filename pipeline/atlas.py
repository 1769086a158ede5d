"""The map: every prompt of a run with its place and the groups it may be coloured by."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from profiles.profile import UNASSIGNED

UNCLUSTERED = "unclustered"
NO_DOMAIN = "in no approved domain"
UNKNOWN = "not known"
CONFIDENCES = (0.5, 0.8, 0.95)
CONFIDENCE_NAMES = ("below .5", ".5 to .8", ".8 to .95", "above .95")
REGRETS = (0.0, 0.1, 0.3)
REGRET_NAMES = ("nothing lost", "up to 10 points lost", "10 to 30 points lost", "over 30 lost")


def map_frame(
    members: pl.DataFrame, clusters: pl.DataFrame, domains: pl.DataFrame, choices: pl.DataFrame
) -> pl.DataFrame:
    """Name the groups of every prompt of a run.

    Parameters
    ----------
    members
        prompt_id, x, y, cluster_id and place: the row of its domain in `domains`, -1 for none.
    clusters
        The CLUSTERS rows of the run.
    domains
        DOMAINS rows, in any order.
    choices
        Columns domain_id and model_id: the current table's first choices; may be empty.

    Returns
    -------
    DataFrame
        prompt_id, x, y, domain, cluster and model, in the order of `members`. A prompt without a
        cluster is `UNCLUSTERED`; one without an approved domain is `NO_DOMAIN` and has no model,
        since what it gets depends on where routing puts it.
    """
    named = clusters.select("cluster_id", cluster=distinct_names(clusters, "cluster_id"))
    routed = choices.filter(pl.col("domain_id") != UNASSIGNED).select("domain_id", model="model_id")
    owners = (
        domains.select("domain_id", domain=distinct_names(domains, "domain_id"))
        .with_row_index("place")
        .with_columns(pl.col("place").cast(pl.Int64))
        .join(routed, on="domain_id", how="left")
    )
    return (
        members.join(named, on="cluster_id", how="left", maintain_order="left")
        .join(owners, on="place", how="left", maintain_order="left")
        .select(
            "prompt_id",
            "x",
            "y",
            pl.col("domain").fill_null(NO_DOMAIN),
            pl.col("cluster").fill_null(UNCLUSTERED),
            pl.col("model").fill_null(NO_DOMAIN),
        )
    )


def with_value(points: pl.DataFrame, values: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add what else points may be coloured by.

    Parameters
    ----------
    values
        Columns prompt_id and value, a text.
    column
        What the value is called in the result; `UNKNOWN` where there is none.
    """
    named = values.select("prompt_id", pl.col("value").alias(column))
    return points.join(named, on="prompt_id", how="left", maintain_order="left").with_columns(
        pl.col(column).fill_null(UNKNOWN)
    )


def quarters(values: pl.Series) -> tuple[float, ...]:
    """Return the edges between the quarters of known numbers, fewer where many are equal."""
    ordered = values.drop_nulls().sort().cast(pl.Float64).to_list()
    edges = {ordered[len(ordered) * quarter // 4] for quarter in (1, 2, 3) if ordered}
    return tuple(sorted(edges - {*ordered[-1:]}))


def binned(values: pl.DataFrame, edges: Sequence[float], names: Sequence[str]) -> pl.DataFrame:
    """Replace the column value by the name of its bin.

    A number on an edge belongs below it; null has no name. There is one name more than edges.
    """
    above = pl.sum_horizontal(pl.lit(0), *(pl.col("value") > edge for edge in edges))
    named = above.cast(pl.Int64).replace_strict(dict(enumerate(names)), return_dtype=pl.String)
    return values.with_columns(
        value=pl.when(pl.col("value").is_null()).then(None).otherwise(named).cast(pl.String)
    )


def distinct_names(frame: pl.DataFrame, key: str) -> pl.Series:
    """Return the names, with the key behind those that occur twice."""
    name = pl.col("name")
    twice = pl.concat_str(name, pl.lit(" ("), pl.col(key).cast(pl.String), pl.lit(")"))
    return frame.select(pl.when(name.is_duplicated()).then(twice).otherwise(name)).to_series()


def sample_points(
    points: pl.DataFrame, most: int, *, first: pl.Series | None = None
) -> pl.DataFrame:
    """Return at most so many rows, the same ones every time, in the same order.

    Those whose prompt_id is in `first` come before all others.
    """
    if points.height <= most:
        return points
    places = np.arange(points.height)
    wanted = np.zeros(points.height, dtype=np.bool_)
    if first is not None:
        wanted = points["prompt_id"].is_in(first.implode()).to_numpy()
    kept = _spread(places[wanted], most)
    return points[np.sort(np.concatenate([kept, _spread(places[~wanted], most - len(kept))]))]


def _spread(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of them, evenly."""
    if len(places) <= most:
        return places
    return places[(np.arange(most) * (len(places) / max(most, 1))).astype(np.int64)]


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
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= left) & (x <= right) & (y >= low) & (y <= high))
    x, y, found = x[near], y[near], np.zeros(len(near), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        found ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    inside[near] = found
    return inside
