"""Frames as tables show them: chosen columns, units a person reads, and headings with help."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import format as text
from pages.ui.columns import COLUMNS
from profiles.grid import UNASSIGNED_NAME
from profiles.profile import ALL, UNASSIGNED

CLUSTER = "cluster-"
"""What the key of a waiting cluster starts with; a domain's key is its id."""
WAITING = "waiting"
_MOST_WITHOUT_SCROLLING = 24
_TRIAL = {
    "min_cluster_size": pl.Int64,
    "n_clusters": pl.Int64,
    "unclustered_share": pl.Float64,
    "validity": pl.Float64,
    "routing_points": pl.Float64,
    "routing_lo": pl.Float64,
    "routing_hi": pl.Float64,
    "chosen": pl.Boolean,
}


def table(
    frame: pl.DataFrame,
    *,
    alt: str,
    key: str | None = None,
    on_select: Callable[[], None] | None = None,
) -> None:
    """Show a frame with headings and help; unknown is a dash. A click may select one row."""
    shared: dict[str, Any] = {
        "hide_index": True,
        "column_config": {name: COLUMNS[name] for name in frame.columns if name in COLUMNS},
        "placeholder": text.DASH,
        "alt": alt,
        "height": "content" if frame.height <= _MOST_WITHOUT_SCROLLING else "auto",
    }
    if on_select is None:
        st.dataframe(frame, **shared)
    else:
        st.dataframe(frame, **shared, key=key, on_select=on_select, selection_mode="single-row")


def catalogue(domains: pl.DataFrame, waiting: pl.DataFrame) -> pl.DataFrame:
    """Return domains and waiting clusters in one list, keyed as in the address of the page.

    Columns Key (not for show), Name, Prompts, Status, By and Changed; approved ones first.
    """
    decided = domains.select(
        Key=pl.col("domain_id"),
        Name=pl.col("name"),
        Prompts=pl.col("n_prompts").cast(pl.Int64),
        Status=pl.col("status"),
        By=pl.col("approved_by"),
        Changed=_time("updated_at"),
    )
    offered = waiting.select(
        Key=pl.lit(CLUSTER) + pl.col("cluster_id").cast(pl.String),
        Name=pl.col("name"),
        Prompts=pl.col("n_prompts"),
        Status=pl.lit(WAITING),
        By=pl.lit(None, dtype=pl.String),
        Changed=pl.lit(None, dtype=pl.String),
    )
    return pl.concat([decided, offered]).sort(
        ["Status", "Prompts", "Key"], descending=[False, True, False]
    )


def events(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what was decided, newest first."""
    return rows.sort("event_id", descending=True).select(
        When=_time("occurred_at"),
        What=pl.col("verb"),
        Name=pl.col("name"),
        By=pl.col("actor"),
        Reason=pl.col("reason"),
    )


def models(cells: pl.DataFrame) -> pl.DataFrame:
    """Return profile cells of one element, one row for each model, best first."""
    return cells.sort(["quality", "model_id"], descending=[True, False], nulls_last=True).select(
        pl.col("model_id").alias("Model"),
        pl.col("quality").alias("Quality"),
        _interval("quality_lo", "quality_hi").alias("95 % interval"),
        pl.col("n"),
        (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
        pl.col("n_tokens_in").alias("Tokens in"),
        pl.col("n_tokens_out").alias("Tokens out"),
        pl.col("latency_p50_s").alias("Latency p50, s"),
        pl.col("latency_p95_s").alias("Latency p95, s"),
    )


def overall(cells: pl.DataFrame) -> pl.DataFrame:
    """Return `models` over all prompts."""
    return models(cells.filter(element=ALL))


def routes(buckets: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Return the first choice of each bucket, the largest bucket first, the unassigned last."""
    first = entries.filter(pl.col("rank") == 1)
    return (
        by_size(buckets)
        .join(first, on="bucket", maintain_order="left")
        .select(
            pl.col("name").alias("Domain"),
            pl.col("n_prompts").alias("Prompts"),
            pl.col("model_id").alias("Model"),
            *_choice_columns(),
            pl.col("reason").alias("Why"),
        )
    )


def by_size(buckets: pl.DataFrame) -> pl.DataFrame:
    """Return bucket, name in plain words and n_prompts; the largest first, the unassigned last."""
    return buckets.sort(
        [pl.col("domain_id") == UNASSIGNED, "n_prompts", "bucket"], descending=[False, True, False]
    ).select("bucket", "n_prompts", name=_in_words())


def alternatives(entries: pl.DataFrame) -> pl.DataFrame:
    """Return all models of one bucket by rank."""
    return entries.sort("rank").select(
        pl.col("rank").alias("Rank"),
        pl.col("model_id").alias("Model"),
        *_choice_columns(),
        pl.when(pl.col("rank") < pl.col("rank").max())
        .then(1000 * pl.col("margin_usd"))
        .alias("Margin, $ per 1,000"),
    )


def versions(tables: pl.DataFrame) -> pl.DataFrame:
    """Return the table versions, newest first."""
    return tables.sort("table_version", descending=True).select(
        pl.col("table_version").alias("Version"),
        _time("created_at").alias("Built"),
        _time("published_at").alias("Published"),
        pl.col("reference_model_id").alias("Reference model"),
        pl.col("quality_value_usd")
        .map_elements(lambda value: text.dollars(value / 100), return_dtype=pl.String)
        .alias("A point is worth"),
        pl.col("n_prompts").alias("Prompts"),
    )


def imports(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the imported files, newest first."""
    return rows.sort("imported_at", descending=True).select(
        pl.col("file_name").alias("File"),
        _time("imported_at").alias("Imported"),
        pl.col("n_rows").alias("Rows"),
        pl.col("n_rejected").alias("Rejected"),
    )


def runs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the discoveries, the one asked for last first."""
    return rows.sort("asked_at", descending=True).select(
        _time("created_at").alias("Done"),
        pl.col("n_prompts").alias("Prompts"),
        pl.col("n_clusters").alias("Clusters"),
        (100 * pl.col("n_unclustered") / pl.col("n_prompts")).alias("Unclustered, %"),
        pl.col("duration_s").alias("Seconds"),
        pl.col("encoder_id").alias("Encoder"),
    )


def sweep(trials: str) -> pl.DataFrame:
    """Return the granularities a discovery tried, from the JSON of its run."""
    return pl.DataFrame(json.loads(trials), schema=_TRIAL).select(
        pl.col("min_cluster_size").alias("Least prompts"),
        pl.col("n_clusters").alias("Clusters"),
        (100 * pl.col("unclustered_share")).alias("Unclustered, %"),
        pl.col("validity").alias("Validity"),
        pl.col("routing_points").alias("Routing, points"),
        pl.col("routing_lo").alias("from"),
        pl.col("routing_hi").alias("to (95 %)"),
        pl.when("chosen").then(pl.lit("chosen")).alias("Choice"),
    )


def tried(diff: pl.DataFrame, entries: pl.DataFrame, domain_ids: Sequence[str]) -> pl.DataFrame:
    """Return first choices of two tables beside each other, those that differ on top.

    Parameters
    ----------
    diff
        As `pipeline.table.table_diff` gives it, the policy that is tried as the later one.
    entries
        Of the policy that is tried.
    domain_ids
        Of its buckets.
    """
    first = entries.filter(rank=1).with_columns(
        domain_id=pl.col("bucket").map_elements(domain_ids.__getitem__, return_dtype=pl.String)
    )
    differs = pl.col("change") != "same"
    return (
        diff.join(first, on="domain_id", how="left")
        .sort([differs, pl.col("bucket")], descending=[True, False], maintain_order=True)
        .select(
            _in_words().alias("Domain"),
            pl.col("model_before").alias("Published"),
            pl.when(differs).then("model_after").otherwise(pl.lit("the same")).alias("This policy"),
            (100 * pl.col("advantage")).alias("Points"),
            (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
        )
    )


def regrets(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `Hindsight.domains` for a table."""
    return rows.select(
        _in_words("domain", key="domain").alias("Domain"),
        pl.col("n").alias("Prompts"),
        pl.col("points").alias("Points lost"),
        _row_text("points_lo", "points_hi", _plain_interval).alias("Points lost, 95 %"),
        (100 * pl.col("share")).alias("Share of all, %"),
    )


def _plain_interval(lo: float | None, hi: float | None) -> str:
    return text.DASH if lo is None or hi is None else f"{max(lo, 0.0):.1f} to {hi:.1f}"


def drift(shares: pl.DataFrame) -> pl.DataFrame:
    """Return `pipeline.drift.Drift.shares` for a table."""
    return shares.select(
        _in_words("domain", key="domain").alias("Domain"),
        (100 * pl.col("share_before")).alias("Before, %"),
        (100 * pl.col("share_now")).alias("Now, %"),
        (100 * pl.col("change")).alias("Change, %"),
        _points_interval("change_lo", "change_hi").alias("Change, 95 %"),
        pl.col("n_before").alias("n before"),
        pl.col("n_now").alias("n now"),
        pl.col("index").alias("Part of the index"),
    )


def paired(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `profiles.compare.compare_models`, named, for a table."""
    return rows.select(
        pl.col("name").alias("Domain"),
        pl.col("n").cast(pl.Float64),
        pl.col("quality").alias("This model"),
        pl.col("other_quality").alias("The other"),
        (100 * pl.col("difference")).alias("Points better"),
        _points_interval("difference_lo", "difference_hi").alias("Points, 95 %"),
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


def worst(rows: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return prompts of `Hindsight.prompts` with their texts, for a table."""
    return rows.join(texts, on="prompt_id", maintain_order="left").select(
        pl.col("text").alias("Prompt"),
        (100 * pl.col("regret")).alias("Points lost"),
        (1000 * pl.col("overspend_usd")).alias("$ per 1,000 more"),
        pl.col("chosen").alias("Chosen"),
        pl.col("best").alias("Best"),
        pl.col("domain").alias("Domain"),
    )


def changes(diff: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets that choose differently, from `pipeline.table.table_diff`."""
    return diff.filter(pl.col("change") != "same").select(
        _in_words().alias("Domain"),
        pl.col("model_before").alias("Before"),
        pl.col("model_after").alias("After"),
        pl.col("change").alias("Change"),
    )


def _in_words(name: str = "name", *, key: str = "domain_id") -> pl.Expr:
    """Return a bucket's name in plain words."""
    is_rest = pl.col(key) == UNASSIGNED
    return pl.when(is_rest).then(pl.lit(UNASSIGNED_NAME)).otherwise(pl.col(name))


def _choice_columns() -> tuple[pl.Expr, ...]:
    return (
        pl.col("quality").alias("Quality"),
        (100 * pl.col("advantage")).alias("Points"),
        pl.when(pl.col("advantage_lo") == pl.col("advantage_hi"))  # nothing to be unsure of
        .then(pl.lit("reference"))
        .otherwise(_points_interval("advantage_lo", "advantage_hi"))
        .alias("Points, 95 %"),
        (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
        pl.col("n"),
    )


def _interval(lo: str, hi: str) -> pl.Expr:
    return _row_text(lo, hi, text.interval)


def _points_interval(lo: str, hi: str) -> pl.Expr:
    return _row_text(lo, hi, text.points_interval)


def _row_text(lo: str, hi: str, write: Callable[[float | None, float | None], str]) -> pl.Expr:
    return pl.struct(lo, hi).map_elements(
        lambda row: write(row[lo], row[hi]), return_dtype=pl.String
    )


def _time(column: str) -> pl.Expr:
    return pl.col(column).dt.strftime("%Y-%m-%d %H:%M")
