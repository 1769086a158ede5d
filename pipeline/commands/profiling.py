"""`promptshed profile` and `promptshed prices`."""

from datetime import datetime
from pathlib import Path

import click
import polars as pl

from pipeline.commands.repricing import (
    day_of,
    day_option,
    models_file_option,
    reprice_options,
)
from pipeline.commands.shared import (
    encoder_option,
    interval_cell,
    json_option,
    number_cell,
    print_json,
    print_table,
    recorded_job,
    say,
    store_option,
)
from pipeline.encoders import load_encoder
from pipeline.flows.clock import now
from pipeline.flows.profiling import compare, profile
from pipeline.models_file import fill_prices, load_catalog, models_path
from pipeline.price import ListPrices
from pipeline.store import Store
from pipeline.taxonomy import domains_now
from profiles.catalog import prices_on
from profiles.errors import UsageError
from profiles.grid import by_place, element_names, profile_grid
from profiles.tables import DOMAIN_EVENTS, OUTCOMES, PROFILE_CELLS


@click.command("profile")
@store_option
@encoder_option
@click.option("--show", is_flag=True, help="Print model by domain.")
@click.option("--compare", "pair", nargs=2, metavar="A B", help="Compare two models instead.")
@reprice_options
@json_option
@recorded_job()
def profile_command(
    store: Store,
    encoder_name: str,
    pair: tuple[str, str] | None,
    at: ListPrices | None,
    *,
    show: bool,
    as_json: bool,
) -> None:
    """Build the capability profile of every model in every approved domain."""
    encoder = load_encoder(encoder_name)
    names = domains_now(store.read(DOMAIN_EVENTS)).select("domain_id", "name")
    if pair:
        if at is not None:
            raise UsageError("--compare is about quality alone: --reprice would change nothing.")
        rows = compare(store, encoder, model_id=pair[0], other_id=pair[1])
        _print_comparison(by_place(element_names(rows, names)), pair, as_json=as_json)
        return
    profile_id = profile(store, encoder, at=at)
    cells = store.read(PROFILE_CELLS, profile_id=profile_id)
    if as_json:
        print_json(cells.to_dicts())
        return
    if show:
        _print_cells(profile_grid(cells, names))
    n_elements = cells["element"].n_unique()
    say(f"{profile_id}: {cells['model_id'].n_unique()} models in {n_elements} elements.")


@click.command("prices")
@store_option
@click.option("--fill", is_flag=True, help="Add missing prices from the package genai-prices.")
@day_option
@models_file_option
@json_option
def prices_command(
    store: Store, day: datetime | None, models_file: Path | None, *, fill: bool, as_json: bool
) -> None:
    """Show the price of every model in the store, and where it comes from."""
    own, when = models_file or models_path(store.path), day_of(day)
    outcomes = store.read(OUTCOMES)
    used = sorted(outcomes["model_id"].unique())
    if fill:
        known = prices_on(load_catalog(own).prices, when)["model_id"].to_list()
        missing = [model_id for model_id in used if model_id not in known]
        found = fill_prices(own, missing, today=now().date())
        say(f"{len(found)} of {len(missing)} missing prices added to {own}. Check them there.")
    rows = _price_rows(outcomes, prices_on(load_catalog(own).prices, when))
    if as_json:
        print_json(rows.to_dicts())
        return
    print_table(
        [
            "model",
            "$ in / M",
            "$ out / M",
            "since",
            "checked",
            "source",
            "outcomes",
            "cost",
            "tokens",
        ],
        rows.iter_rows(),
    )
    say(f"Your own prices go into {own}; they come before ours.")


def _price_rows(outcomes: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    counts = outcomes.group_by("model_id").agg(
        n=pl.len(),
        n_cost=pl.col("cost_usd").count(),
        n_tokens=pl.all_horizontal(pl.col("n_tokens_in", "n_tokens_out").is_not_null()).sum(),
    )
    return (
        counts.join(prices, on="model_id", how="left")
        .select(
            "model_id", "price_in_usd_per_mtok", "price_out_usd_per_mtok", "since", "checked_on",
            "source_url", "n", "n_cost", "n_tokens",
        )
        .sort("model_id")
    )  # fmt: skip


def _print_cells(cells: pl.DataFrame) -> None:
    print_table(
        ["domain", "model", "n", "quality", "95 % interval", "$ / 1,000"],
        [
            (
                row["name"],
                row["model_id"],
                row["n"],
                number_cell(row["quality"], "{:.3f}"),
                interval_cell(row["quality_lo"], row["quality_hi"]),
                number_cell(row["cost_usd"], "{:.4f}", scale=1000),
            )
            for row in cells.iter_rows(named=True)
        ],
    )


def _print_comparison(rows: pl.DataFrame, pair: tuple[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json({"model": pair[0], "other": pair[1], "elements": rows.to_dicts()})
        return
    print_table(
        ["domain", "n", pair[0], pair[1], "points", "95 % interval"],
        [
            (
                row["name"],
                row["n"],
                number_cell(row["quality"], "{:.3f}"),
                number_cell(row["other_quality"], "{:.3f}"),
                number_cell(row["difference"], "{:+.1f}", scale=100),
                interval_cell(row["difference_lo"], row["difference_hi"], scale=100),
            )
            for row in rows.iter_rows(named=True)
        ],
    )
    say(f"Points of quality by which {pair[0]} is better, on prompts that both answered, shrunk.")
