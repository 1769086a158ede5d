"""`promptshed table …`."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import click
import polars as pl

from pipeline.certificate import certificate_sentence
from pipeline.commands.policy import policy_options
from pipeline.commands.repricing import list_prices, reprice_options
from pipeline.commands.shared import (
    encoder_option,
    interval_cell,
    json_option,
    number_cell,
    print_frame,
    print_json,
    print_table,
    recorded_job,
    say,
    store_option,
)
from pipeline.config import Policy, read_policy
from pipeline.encoders import load_encoder
from pipeline.flows.candidates import facts_of
from pipeline.flows.tables import (
    build_table,
    current_version,
    publish_table,
    require_table,
)
from pipeline.models_file import load_catalog, models_path
from pipeline.price import ListPrices
from pipeline.store import Store
from pipeline.table import table_diff
from profiles.errors import UsageError
from profiles.tables import BUCKETS, OUTCOMES, ROUTING_TABLES, TABLE_ENTRIES


@click.group("table")
def table_group() -> None:
    """Build, show, compare and publish routing tables."""


@table_group.command("build")
@store_option
@encoder_option
@policy_options
@reprice_options
@click.option("--publish", is_flag=True, help="Make it the current table at once.")
@recorded_job()
def build(
    store: Store, encoder_name: str, policy: Policy, at: ListPrices | None, *, publish: bool
) -> None:
    """Derive a routing table from outcomes and approved domains; prints its version."""
    _build(store, encoder_name, policy, at, publish=publish)


@table_group.command("lock")
@click.argument("domain")
@click.argument("model")
@store_option
@encoder_option
@click.option("--publish", is_flag=True, help="Make it the current table at once.")
@recorded_job()
def lock(domain: str, model: str, store: Store, encoder_name: str, *, publish: bool) -> None:
    """Build the current table anew with all prompts of DOMAIN going to MODEL."""
    _rebuild(store, encoder_name, domain, ((domain, model),), publish=publish)


@table_group.command("unlock")
@click.argument("domain")
@store_option
@encoder_option
@click.option("--publish", is_flag=True, help="Make it the current table at once.")
@recorded_job()
def unlock(domain: str, store: Store, encoder_name: str, *, publish: bool) -> None:
    """Build the current table anew with DOMAIN routed by its estimates again."""
    _rebuild(store, encoder_name, domain, (), publish=publish)


def _rebuild(
    store: Store,
    encoder_name: str,
    domain: str,
    locks: tuple[tuple[str, str], ...],
    *,
    publish: bool,
) -> None:
    """Build by the current table's policy and prices with other locks of a domain."""
    current = current_version(store)
    policy = read_policy(str(require_table(store, current)["policy"]))
    buckets = store.read(BUCKETS, table_version=current)
    called = buckets.filter((pl.col("name") == domain) | (pl.col("domain_id") == domain))
    names = {domain, *called["name"], *called["domain_id"]}
    others = tuple(lock for lock in policy.locks if lock[0] not in names)
    if not locks and others == policy.locks:
        raise UsageError(f"Table {current} has no lock on {domain!r}. See `promptshed table show`.")
    at = (
        None
        if policy.priced_on is None
        else list_prices(store, date.fromisoformat(policy.priced_on))
    )
    changed = replace(policy, locks=tuple(sorted((*others, *locks))))
    _build(store, encoder_name, changed, at, publish=publish)


def _build(
    store: Store, encoder_name: str, policy: Policy, at: ListPrices | None, *, publish: bool
) -> None:
    asks = policy.required_features or policy.min_context_tokens or policy.rules
    facts = facts_of(load_catalog(models_path(store.path))) if asks else None
    version = build_table(store, load_encoder(encoder_name), policy, facts, at=at)
    if publish:
        publish_table(store, version)
    _say_certificate(require_table(store, version))
    _say_left_out(store, version)
    click.echo(version)


def _say_left_out(store: Store, version: int) -> None:
    used = store.read(TABLE_ENTRIES, table_version=version)["model_id"]
    left_out = sorted({*store.read(OUTCOMES)["model_id"]} - {*used})
    if left_out:
        say(
            f"Not in the table: {', '.join(left_out)}. The policy leaves them out, or their "
            "quality is known on less than a tenth as many prompts as the best known model's; "
            "--models names them all the same."
        )


@table_group.command("publish")
@click.argument("version", type=int)
@store_option
def publish_command(version: int, store: Store) -> None:
    """Make a table the current one."""
    publish_table(store, version)
    say(f"Table {version} is published.")


@table_group.command("list")
@store_option
@json_option
def list_tables(store: Store, *, as_json: bool) -> None:
    """List all versions."""
    columns = ["table_version", "created_at", "published_at", "reference_model_id", "n_prompts"]
    print_frame(store.read(ROUTING_TABLES), columns, as_json=as_json)


@table_group.command("show")
@click.option("--version", type=int, help="The current one by default.")
@store_option
@json_option
def show(version: int | None, store: Store, *, as_json: bool) -> None:
    """Print the first choice of every bucket, with its evidence."""
    wanted = current_version(store) if version is None else version
    meta = require_table(store, wanted)
    buckets = store.read(BUCKETS, table_version=wanted)
    entries = store.read(TABLE_ENTRIES, table_version=wanted)
    if as_json:
        shown = buckets.drop("prototype", "weights").to_dicts()
        print_json(
            meta
            | {"policy": json.loads(str(meta["policy"]))}
            | {name: json.loads(str(meta[name] or "null")) for name in ("rules", "certificate")}
            | {"buckets": shown, "entries": entries.to_dicts()}
        )
        return
    first = buckets.join(entries.filter(rank=1), on="bucket").sort("n_prompts", descending=True)
    print_table(
        ["domain", "prompts", "model", "quality", "$ / 1,000", "advantage, 95 %", "n", "why"],
        [
            (
                row["name"],
                row["n_prompts"],
                row["model_id"],
                number_cell(row["quality"], "{:.3f}"),
                number_cell(row["cost_usd"], "{:.4f}", scale=1000),
                interval_cell(row["advantage_lo"], row["advantage_hi"], scale=100),
                f"{row['n']:.0f}",
                row["reason"],
            )
            for row in first.iter_rows(named=True)
        ],
    )
    say(f"Table {wanted}, {'published' if meta['published_at'] else 'draft'}.")
    _say_certificate(meta)


@table_group.command("diff")
@click.argument("before", type=int)
@click.argument("after", type=int)
@store_option
@json_option
def diff(before: int, after: int, store: Store, *, as_json: bool) -> None:
    """Show where two versions choose differently."""
    pairs = []
    for version in (before, after):
        require_table(store, version)
        buckets = store.read(BUCKETS, table_version=version)
        pairs.append((buckets, store.read(TABLE_ENTRIES, table_version=version)))
    changes = table_diff(*pairs)
    if as_json:
        print_json(changes.to_dicts())
        return
    print_table(
        ["domain", "before", "after", "change"],
        changes.filter(changes["change"] != "same")
        .select("name", "model_before", "model_after", "change")
        .iter_rows(),
    )
    say(f"{changes.filter(change='same').height} of {changes.height} buckets choose the same.")


def _say_certificate(meta: Mapping[str, object]) -> None:
    if meta["certificate"]:
        say(certificate_sentence(str(meta["certificate"])))
