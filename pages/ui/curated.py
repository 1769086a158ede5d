"""Domains, clusters and decisions as tables show them."""

import polars as pl

from pages.ui import format as text
from pages.ui.shown import time_text

CLUSTER = "cluster-"
"""What the key of a waiting cluster starts with; a domain's key is its id."""
_LONGEST_LEVEL = 26
WAITING = "waiting"


def catalogue(
    domains: pl.DataFrame, waiting: pl.DataFrame, choices: pl.DataFrame, clusters: pl.DataFrame
) -> pl.DataFrame:
    """Return domains and waiting clusters in one list, keyed as in the address of the page.

    Parameters
    ----------
    choices
        Columns domain_id, model_id, quality and cost_usd: the published first choices.
    clusters
        CLUSTERS of every run, which say in which groups the prompts were found.

    Returns
    -------
    DataFrame
        Columns Key (not for show), Name, Prompts, Goes to, Quality, $ per 1,000, Status and Group;
        approved ones first, then by group, those of most prompts first.
    """
    decided = domains.select(
        Key=pl.col("domain_id"),
        Name=pl.col("name"),
        Prompts=pl.col("n_prompts").cast(pl.Int64),
        Status=pl.col("status"),
        run_id="run_id",
        cluster_id="cluster_id",
    )
    offered = waiting.select(
        Key=pl.lit(CLUSTER) + pl.col("cluster_id").cast(pl.String),
        Name=pl.col("name"),
        Prompts=pl.col("n_prompts"),
        Status=pl.lit(WAITING),
        run_id="run_id",
        cluster_id="cluster_id",
    )
    return (
        pl.concat([decided, offered])
        .join(choices, left_on="Key", right_on="domain_id", how="left")
        .join(groups(clusters), on=["run_id", "cluster_id"], how="left")
        .with_columns(
            pl.col("Prompts").sum().over("Status", "top").alias("n_top"),
            pl.col("Prompts").sum().over("Status", "top", "Group").alias("n_group"),
        )
        .sort(
            ["Status", "n_top", "top", "n_group", "Group", "Prompts", "Key"],
            descending=[False, True, False, True, False, True, False],
        )
        .select(
            "Key",
            "Name",
            "Prompts",
            pl.col("model_id").alias("Goes to"),
            pl.col("quality").alias("Quality"),
            (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
            "Status",
            "Group",
        )
    )


def groups(clusters: pl.DataFrame) -> pl.DataFrame:
    """Return run_id, cluster_id, top and Group of CLUSTERS: the widest group, and the path to it.

    A group of one cluster alone has the cluster's name, and is no level of the path.
    """
    rows = []
    for run_id, cluster_id, name, parents in clusters.select(
        "run_id", "cluster_id", "name", "parents"
    ).iter_rows():
        levels = [level for level in dict.fromkeys(reversed(parents or [])) if level != name]
        short = [text.shorten(level, longest=_LONGEST_LEVEL) for level in levels]
        rows.append((run_id, cluster_id, next(iter(levels), name), " › ".join(short) or None))
    return pl.DataFrame(
        rows,
        schema={
            "run_id": pl.String,
            "cluster_id": pl.Int64,
            "top": pl.String,
            "Group": pl.String,
        },
        orient="row",
    )


def events(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what was decided, newest first."""
    return rows.sort("event_id", descending=True).select(
        When=time_text("occurred_at"),
        What=pl.col("verb"),
        Name=pl.col("name"),
        By=pl.col("actor"),
        Reason=pl.col("reason"),
    )


def taxonomy_changes(found: pl.DataFrame) -> pl.DataFrame:
    """Return `pipeline.taxonomy_file.changes` for a table."""
    is_new, is_gone = pl.col("name_before").is_null(), pl.col("name_after").is_null()
    was_renamed = pl.col("name_before") != pl.col("name_after")
    return found.select(
        pl.coalesce("name_after", "name_before").alias("Domain"),
        pl.when(is_new)
        .then(pl.lit("new"))
        .when(is_gone)
        .then(pl.lit("gone"))
        .when(pl.col("status_before") != pl.col("status_after"))
        .then("status_after")
        .when(was_renamed)
        .then(pl.lit("renamed"))
        .otherwise(pl.lit("other prompts"))
        .alias("What"),
        pl.when(was_renamed).then("name_before").alias("Name before"),
        pl.col("n_prompts_in").cast(pl.Int64).alias("Prompts in"),
        pl.col("n_prompts_out").cast(pl.Int64).alias("Prompts out"),
        pl.col("domain_id").alias("Id"),
    )


def fates(matches: pl.DataFrame, domains: pl.DataFrame) -> pl.DataFrame:
    """Return what a run has made of the domains (`read_matches`), those that need a look first."""
    named = matches.drop_nulls("domain_id").join(
        domains.select("domain_id", "name"), on="domain_id", how="left"
    )
    return named.sort(
        [pl.col("fate") == "survived", "share_of_domain", "domain_id"],
        descending=[False, False, False],
    ).select(
        pl.col("name").alias("Domain"),
        pl.col("fate").alias("Fate"),
        pl.col("cluster_id").alias("Cluster"),
        pl.col("n_shared").alias("Shared prompts"),
        (100 * pl.col("share_of_domain")).alias("Of the domain, %"),
        (100 * pl.col("share_of_cluster")).alias("Of the cluster, %"),
        pl.col("cosine").alias("Likeness"),
    )
