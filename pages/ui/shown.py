"""Frames as tables show them: chosen columns, units a person reads, and headings with help."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import format as text
from pages.ui.columns import columns_of
from pipeline.expected import Expectation
from pipeline.flows.present import Present
from profiles.grid import UNASSIGNED_NAME
from profiles.profile import ALL, UNASSIGNED

MOST_WITHOUT_SCROLLING = 24
THE_LOG = "current, as logged"
_ROW_PX = 35
_OPTIONAL = ("Tokens in", "Tokens out", "Latency p50, s", "Latency p95, s")
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
    most_rows: int = MOST_WITHOUT_SCROLLING,
) -> None:
    """Show a frame with headings and help; unknown is a dash. A click may select one row."""
    shared: dict[str, Any] = {
        "hide_index": True,
        "column_config": columns_of(frame),
        "placeholder": text.DASH,
        "alt": alt,
        "height": "content" if frame.height <= most_rows else _ROW_PX * (min(most_rows, 12) + 1),
    }
    if on_select is None:
        st.dataframe(frame, **shared)
    else:
        st.dataframe(frame, **shared, key=key, on_select=on_select, selection_mode="single-row")


def short(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return a frame with the short names of its models in some columns, where these are unlike."""
    named = pl.concat([frame[column].drop_nulls() for column in columns]).unique().sort().to_list()
    names = dict(zip(named, text.short_models(named), strict=True))
    return frame.with_columns(pl.col(columns).replace(names))


def models(cells: pl.DataFrame) -> pl.DataFrame:
    """Return profile cells of one element, one row for each model, best first.

    Tokens and latencies that no model has are left out; `what_is_unknown` says so.
    """
    rows = cells.sort(["quality", "model_id"], descending=[True, False], nulls_last=True).select(
        pl.col("model_id").alias("Model"),
        pl.col("quality").alias("Quality"),
        interval("quality_lo", "quality_hi").alias("95 % interval"),
        pl.col("n"),
        (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
        pl.col("n_tokens_in").alias("Tokens in"),
        pl.col("n_tokens_out").alias("Tokens out"),
        pl.col("latency_p50_s").alias("Latency p50, s"),
        pl.col("latency_p95_s").alias("Latency p95, s"),
    )
    return rows.drop([name for name in _OPTIONAL if rows[name].is_null().all()])


def what_is_unknown(cells: pl.DataFrame) -> str:
    """Say what no imported file told about any model; empty where everything is known."""
    parts = {"tokens": "n_tokens_out", "latency": "latency_p50_s", "cost": "cost_usd"}
    missing = [word for word, column in parts.items() if cells[column].is_null().all()]
    return f" Unknown, since no file said: {', '.join(missing)}." if missing else ""


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
            reason().alias("Why"),
        )
    )


def reason() -> pl.Expr:
    """Return why a model was chosen, with signs and percent written as everywhere on the pages."""
    said = pl.col("reason").str.replace_all(r"(^|\s)-(\d)", "${1}−${2}")
    return said.str.replace_all(r"(\d)%", "$1 %")


def by_size(buckets: pl.DataFrame) -> pl.DataFrame:
    """Return bucket, name in plain words and n_prompts; the largest first, the unassigned last."""
    return buckets.sort(
        [pl.col("domain_id") == UNASSIGNED, "n_prompts", "bucket"], descending=[False, True, False]
    ).select("bucket", "n_prompts", name=in_words())


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
        time_text("created_at").alias("Built"),
        time_text("published_at").alias("Published"),
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
        time_text("imported_at").alias("Imported"),
        pl.col("n_rows").alias("Rows"),
        pl.col("n_rejected").alias("Rejected"),
    )


def runs(rows: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """Return the discoveries, the one asked for last first; `moves` has run_id and moved."""
    joined = rows.sort("asked_at", descending=True).join(moves, on="run_id", how="left")
    return joined.select(
        time_text("created_at").alias("Done"),
        pl.col("n_prompts").alias("Prompts"),
        pl.col("n_clusters").alias("Clusters"),
        (100 * pl.col("n_unclustered") / pl.col("n_prompts")).alias("Unclustered, %"),
        (100 * pl.col("moved")).alias("Moved, %"),
        pl.col("config").map_elements(_settings, return_dtype=pl.String).alias("Settings"),
        pl.col("duration_s").alias("Seconds"),
        pl.col("encoder_id").alias("Encoder"),
    )


def _settings(config: str) -> str:
    """Say in a line how a run was made, from its JSON."""
    given = json.loads(config)
    cluster, project = given.get("cluster", {}), given.get("project", {})
    size = cluster.get("min_cluster_size")
    parts = [
        f"least {size}" if size else "size by sweep",
        *(f"{name} {cluster[name]}" for name in ("method",) if name in cluster),
        *(f"{name} {project[name]}" for name in ("n_neighbors", "n_components", "seed")
          if name in project),
    ]  # fmt: skip
    return " · ".join(parts)


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


def tried(
    diff: pl.DataFrame, entries: pl.DataFrame, domain_ids: Sequence[str], sizes: pl.DataFrame
) -> pl.DataFrame:
    """Return first choices of two tables beside each other, those that differ on top.

    Parameters
    ----------
    diff
        As `pipeline.table.table_diff` gives it, the policy that is tried as the later one.
    entries
        Of the policy that is tried.
    domain_ids
        Of its buckets.
    sizes
        Columns domain_id and n_prompts.
    """
    first = entries.filter(rank=1).with_columns(
        domain_id=pl.col("bucket").map_elements(domain_ids.__getitem__, return_dtype=pl.String)
    )
    differs = pl.col("change") != "same"
    return (
        diff.join(first, on="domain_id", how="left")
        .join(sizes, on="domain_id", how="left")
        .sort(
            [differs, pl.col("domain_id") == UNASSIGNED, "n_prompts", "bucket"],
            descending=[True, False, True, False],
            nulls_last=True,
        )
        .select(
            in_words().alias("Domain"),
            pl.col("n_prompts").alias("Prompts"),
            pl.col("model_before").alias("Published"),
            pl.when(differs).then("model_after").otherwise(pl.lit("the same")).alias("This policy"),
            (100 * pl.col("advantage")).alias("Points"),
            (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
            pl.col("n"),
            reason().alias("Why"),
        )
    )


def regrets(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `Hindsight.domains` for a table."""
    return rows.select(
        in_words("domain", key="domain").alias("Domain"),
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
        in_words("domain", key="domain").alias("Domain"),
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


def worst(rows: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return prompts of `Hindsight.prompts` with their texts, for a table."""
    return rows.join(texts, on="prompt_id", maintain_order="left").select(
        pl.col("text").alias("Prompt"),
        (100 * pl.col("regret")).alias("Points lost"),
        (1000 * pl.col("overspend_usd")).alias("$ per 1,000 more"),
        pl.col("chosen").alias("Chosen"),
        pl.col("best").alias("Best"),
        in_words("domain", key="domain").alias("Domain"),
    )


def changes(diff: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets that choose differently, from `pipeline.table.table_diff`."""
    return diff.filter(pl.col("change") != "same").select(
        in_words().alias("Domain"),
        pl.col("model_before").alias("Before"),
        pl.col("model_after").alias("After"),
        pl.col("change").alias("Change"),
    )


def scorecard(expectation: Expectation, present: Present) -> pl.DataFrame:
    """Return what a table, each model for everything and the best in hindsight reach, best first.

    The quality of the best in hindsight is that of the luckiest model too: nothing reaches it. What
    the log did is a row where it shows choices in use; of other prompts, so without a difference.
    """
    rows = expectation.options
    if present.is_single:
        log = {"option": THE_LOG, "quality": present.quality, "cost_usd": present.cost_usd}
        rows = pl.concat([rows, pl.DataFrame([log], schema=dict(rows.schema))])
    if expectation.oracle:
        oracle = pl.DataFrame([expectation.oracle], schema=rows.schema)
        rows = pl.concat([rows, oracle])
    reference = pl.col("model_id") == expectation.reference_model_id
    return rows.sort("quality", "option", descending=[True, False], nulls_last=True).select(
        pl.col("option").alias("For every prompt"),
        pl.col("quality").alias("Quality"),
        (100 * pl.col("advantage")).alias("Points"),
        pl.when(reference)
        .then(pl.lit("reference"))
        .otherwise(_points_interval("advantage_lo", "advantage_hi"))
        .alias("Points, 95 %"),
        (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
    )


def in_words(name: str = "name", *, key: str = "domain_id") -> pl.Expr:
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


def interval(lo: str, hi: str) -> pl.Expr:
    """Return two columns of qualities as one text."""
    return _row_text(lo, hi, text.interval)


def _points_interval(lo: str, hi: str) -> pl.Expr:
    return _row_text(lo, hi, text.points_interval)


def _row_text(lo: str, hi: str, write: Callable[[float | None, float | None], str]) -> pl.Expr:
    return pl.struct(lo, hi).map_elements(
        lambda row: write(row[lo], row[hi]), return_dtype=pl.String
    )


def time_text(column: str) -> pl.Expr:
    """Return a time to the minute as text."""
    return pl.col(column).dt.strftime("%Y-%m-%d %H:%M")
