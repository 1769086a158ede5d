"""`promptshed run`."""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import click
import polars as pl

from pipeline.calling import Caller
from pipeline.checks import Checks, parse_checks
from pipeline.commands.batching import read_template
from pipeline.commands.shared import json_option, print_json, recorded_job, say, store_option
from pipeline.flows.asking import RunOptions
from pipeline.flows.counting import Ran
from pipeline.flows.running import run_file
from pipeline.models_file import load_catalog, models_path
from pipeline.progress import progress_bar
from pipeline.requests import Template
from pipeline.resuming import part_path
from pipeline.store import Store
from profiles.catalog import prices_on
from profiles.errors import SOME_ROWS_REJECTED, NotReadyError, UsageError

_TOKENS_PER_PRICE = 1_000_000.0


@click.command("run")
@click.argument("routed", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), required=True,
    help="Answers, .jsonl.",
)  # fmt: skip
@click.option("--base-url", required=True, help="OpenAI-compatible, such as http://host:8000/v1.")
@click.option("--request", "template", type=click.Path(path_type=Path), help="Template, YAML.")
@click.option("--checks", type=click.Path(path_type=Path), help="What answers must pass, YAML.")
@click.option("--max-usd", type=click.FloatRange(0.0), help="Stop before this could be exceeded.")
@click.option("--at-once", type=click.IntRange(1), default=4, show_default=True)
@click.option("--per-minute", type=click.FloatRange(0.001), help="Most calls in a minute.")
@click.option("--timeout-s", type=click.FloatRange(0.001), default=60.0, show_default=True)
@click.option("--tries", type=click.IntRange(1), default=5, show_default=True)
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted or stopped.")
@click.option("--models-file", type=click.Path(path_type=Path), envvar="PROMPTSHED_MODELS")
@store_option
@json_option
@recorded_job()
def run_command(
    routed: Path,
    target: Path,
    template: Path | None,
    checks: Path | None,
    models_file: Path | None,
    store: Store,
    *,
    resume: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - as click gives them to _options
) -> int:
    """Send each row of a routed file to its model, and to the next one where that fails.

    The key is taken from PROMPTSHED_API_KEY or OPENAI_API_KEY. Your prompts are sent there.
    """
    if target.suffix != ".jsonl":
        raise UsageError(f"{target}: expected a target that ends in .jsonl. Rename the target.")
    catalog = load_catalog(models_file or models_path(store.path))
    asked = _options(
        read_template(template), _read_checks(checks), _token_prices(catalog.prices), **options
    )
    ran = _run(store, routed, target, asked, _run_id(routed, asked), resume=resume)
    say(_said(ran, target))
    if as_json:
        print_json(asdict(ran))
    if ran.is_stopped:
        raise NotReadyError(
            f"Stopped before --max-usd {asked.max_usd:g} could be exceeded. {ran.n_rows:,} rows "
            f"are in {part_path(target)}; a higher --max-usd with --resume goes on."
        )
    return SOME_ROWS_REJECTED if ran.n_failed else 0


def _options(
    template: Template,
    checks: Checks,
    prices: dict[str, tuple[float, float]],
    *,
    base_url: str,
    timeout_s: float,
    tries: int,
    max_usd: float | None,
    at_once: int,
    per_minute: float | None,
) -> RunOptions:
    key = os.environ.get("PROMPTSHED_API_KEY") or os.environ.get("OPENAI_API_KEY") or "none"
    return RunOptions(
        caller=Caller(base_url=base_url, api_key=key, timeout_s=timeout_s, n_tries=tries),
        template=template,
        checks=checks,
        prices=prices,
        max_usd=max_usd,
        n_at_once=at_once,
        per_minute=per_minute,
    )


def _run(
    store: Store, routed: Path, target: Path, options: RunOptions, run_id: str, *, resume: bool
) -> Ran:
    bar, seen = progress_bar("ask", None), 0

    def progress(n_rows: int) -> None:
        nonlocal seen
        bar.update(n_rows - seen)
        seen = n_rows

    try:
        return run_file(
            store, routed, target, options, run_id=run_id, resume=resume, progress=progress
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("add --resume to the same command to go on.") from None
    finally:
        bar.close()


def _read_checks(path: Path | None) -> Checks:
    if path is None:
        return Checks()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected checks, found: {error}.") from error
    return parse_checks(text, name=path.name)


def _token_prices(prices: pl.DataFrame) -> dict[str, tuple[float, float]]:
    today = prices_on(prices, datetime.now(UTC).date())
    columns = ("model_id", "price_in_usd_per_mtok", "price_out_usd_per_mtok")
    return {
        model_id: (price_in / _TOKENS_PER_PRICE, price_out / _TOKENS_PER_PRICE)
        for model_id, price_in, price_out in today.select(columns).iter_rows()
    }


def _run_id(routed: Path, options: RunOptions) -> str:
    """Return what names the calls of this file with this template and these checks."""
    digest = blake2b(repr((options.template, options.checks)).encode(), digest_size=8)
    with routed.open("rb") as stream:
        while part := stream.read(1 << 20):
            digest.update(part)
    return f"run-{digest.hexdigest()}"


def _said(ran: Ran, target: Path) -> str:
    return (
        f"{ran.n_rows:,} rows asked, answers in {target}: {ran.n_answered:,} passed, "
        f"{ran.n_failed:,} did not; {ran.n_escalated:,} asked more than one model; at most "
        f"${ran.cost_usd:,.4f} where prices are known; {ran.n_new:,} new outcomes."
    )
