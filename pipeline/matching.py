"""Clusters of a new run and the domains decided before: which is which."""

from collections.abc import Iterable

import polars as pl

from pipeline.taxonomy import APPROVED, domains_now, in_force

SAME_OVERLAP = 0.5
"""Least shared part at which a cluster is taken for a domain, or for what was rejected."""


def overlaps(
    members: pl.DataFrame, decided: pl.DataFrame, sets: pl.DataFrame, seen: pl.DataFrame
) -> pl.DataFrame:
    """Count the prompts that clusters share with sets decided earlier.

    Prompts that came after the decision speak neither for nor against: `overlap` is the number of
    shared prompts over those of either side, of a cluster only the ones that were there when the
    set was decided (Jaccard 1912, on what could be compared).

    Parameters
    ----------
    members
        The MEMBERS rows of the new run.
    decided
        Columns member_set_id and run_id: the newest run when the set was decided; null where
        there was none, then every prompt of the new run counts.
    sets, seen
        The MEMBER_SETS table, and the MEMBERS rows of the runs in `decided`.

    Returns
    -------
    DataFrame
        member_set_id, run_id, cluster_id, n_shared, n_set, n_known (prompts of the cluster that
        were there) and overlap in (0, 1]; only pairs that share a prompt.
    """
    clustered = members.filter(pl.col("cluster_id") >= 0).select("prompt_id", "cluster_id")
    there = pl.concat([seen.select("run_id", "prompt_id"), _own(decided, sets)]).unique()
    known = there.join(clustered, on="prompt_id").group_by("run_id", "cluster_id").len("n_known")
    sizes = clustered.group_by("cluster_id").len("n_cluster")
    return (
        decided.unique()
        .join(sets, on="member_set_id")
        .with_columns(n_set=pl.len().over("member_set_id", "run_id"))
        .join(clustered, on="prompt_id")
        .group_by("member_set_id", "run_id", "cluster_id", "n_set")
        .len("n_shared")
        .join(known, on=["run_id", "cluster_id"], how="left")
        .join(sizes, on="cluster_id")
        .with_columns(n_known=pl.coalesce("n_known", "n_cluster"))
        .with_columns(
            overlap=pl.col("n_shared") / (pl.col("n_known") + pl.col("n_set") - pl.col("n_shared"))
        )
        .drop("n_cluster")
        .cast({"n_shared": pl.Int64, "n_set": pl.Int64, "n_known": pl.Int64})
        .sort("member_set_id", "run_id", "cluster_id")
    )


def _own(decided: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Return the decided prompts: they were there too, whatever run they came from."""
    dated = decided.filter(pl.col("run_id").is_not_null())
    return dated.join(sets, on="member_set_id").select("run_id", "prompt_id")


def proposals(
    clusters: pl.DataFrame,
    members: pl.DataFrame,
    events: pl.DataFrame,
    sets: pl.DataFrame,
    seen: pl.DataFrame,
) -> pl.DataFrame:
    """Return the clusters of one run with what was decided about each.

    Parameters
    ----------
    clusters, members
        The CLUSTERS and MEMBERS rows of the run.
    events, sets
        The DOMAIN_EVENTS and MEMBER_SETS tables.
    seen
        The MEMBERS rows of the runs that the events name.

    Returns
    -------
    DataFrame
        `clusters` with `domain_id` (of the approved domain whose overlap is largest and at least
        `SAME_OVERLAP`, null if none) and `status`: approved, rejected (the same overlap with
        prompts that were rejected) or waiting. Sorted by cluster_id.
    """
    approved = domains_now(events).filter(status=APPROVED)
    refused = in_force(events).filter(verb="reject")
    columns = ["member_set_id", "run_id"]
    alike = overlaps(
        members, pl.concat([approved.select(columns), refused.select(columns)]), sets, seen
    ).filter(pl.col("overlap") >= SAME_OVERLAP)
    found = (
        alike.join(approved.select("domain_id", *columns), on=columns, nulls_equal=True)
        .sort(["overlap", "domain_id"], descending=[True, False])
        .unique("cluster_id", keep="first", maintain_order=True)
        .select("cluster_id", "domain_id")
    )
    rejected = alike.join(refused, on=columns, how="semi", nulls_equal=True)["cluster_id"]
    return (
        clusters.join(found, on="cluster_id", how="left")
        .with_columns(status=_status(rejected.to_list()))
        .sort("cluster_id")
    )


def _status(rejected: Iterable[int]) -> pl.Expr:
    return (
        pl.when(pl.col("domain_id").is_not_null())
        .then(pl.lit("approved"))
        .when(pl.col("cluster_id").is_in(list(rejected)))
        .then(pl.lit("rejected"))
        .otherwise(pl.lit("waiting"))
    )
