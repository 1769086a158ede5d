"""`promptshed batch …`: files for providers' batch interfaces, and their results back."""

from dataclasses import asdict
from datetime import date
from pathlib import Path

import click

from pipeline.commands.shared import json_option, print_json, recorded_job, say, store_option
from pipeline.emitting import MAX_BYTES, MAX_LINES, Limits, emit_batches
from pipeline.flows.merging import Merged, merge_results
from pipeline.ingest import read_mapping
from pipeline.models_file import load_catalog, models_path
from pipeline.requests import FORMS, Template, parse_template
from pipeline.store import Store
from profiles.errors import SOME_ROWS_REJECTED, UsageError

_MEGABYTE = 1_000_000


@click.group("batch")
def batch_group() -> None:
    """Write batch files for a provider, and merge their results."""


@batch_group.command("emit")
@click.argument("routed")
@click.option("--to", "provider", type=click.Choice(list(FORMS)), required=True)
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
    help="A new folder.",
)  # fmt: skip
@click.option("--request", "template", type=click.Path(path_type=Path), help="Template, YAML.")
@click.option("--model", "models", multiple=True, help="Only rows of this model; repeatable.")
@click.option("--mapping", help="prompt=COLUMN where it is not detected.")
@click.option("--max-lines", type=click.IntRange(1), default=MAX_LINES, show_default=True)
@click.option(
    "--max-mb", type=click.FloatRange(0.001), default=MAX_BYTES / _MEGABYTE, show_default=True
)
@store_option
@json_option
@recorded_job()
def emit(
    routed: str,
    provider: str,
    folder: Path,
    template: Path | None,
    models: tuple[str, ...],
    mapping: str | None,
    store: Store,  # noqa: ARG001 - only the record of the job is kept beside it
    *,
    max_lines: int,
    max_mb: float,
    as_json: bool,
) -> int:
    """Write a set of request files for each model of a routed file, and a manifest."""
    emitted = emit_batches(
        routed,
        folder,
        provider=provider,
        template=read_template(template),
        limits=Limits(max_lines=max_lines, max_bytes=int(max_mb * _MEGABYTE)),
        models=models,
        mapping=read_mapping(mapping) if mapping else None,
    )
    counts = ", ".join(f"{model} {n:,}" for model, n in emitted.n_requests.items()) or "none"
    say(
        f"{sum(emitted.n_requests.values()):,} requests in {emitted.n_files} files in {folder}: "
        f"{counts}. {emitted.n_without_model:,} rows have no model, {emitted.n_rejected:,} cannot "
        f"be said in the form {provider}."
    )
    if as_json:
        print_json(asdict(emitted) | {"folder": str(folder)})
    return SOME_ROWS_REJECTED if emitted.n_rejected else 0


@batch_group.command("merge")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--manifest", type=click.Path(path_type=Path), required=True,
    help="The folder of `batch emit`, or its manifest.",
)  # fmt: skip
@click.option(
    "-o", "--output", "answers", type=click.Path(path_type=Path), required=True,
    help="Answers, .jsonl; failures go to the same name with .failed.jsonl.",
)  # fmt: skip
@click.option(
    "--on", "day", type=click.DateTime(["%Y-%m-%d"]),
    help="Take the batch prices in force on this day; today by default.",
)  # fmt: skip
@click.option("--all", "is_all", is_flag=True, help="These are all results: what lacks has failed.")
@click.option("--models-file", type=click.Path(path_type=Path), envvar="PROMPTSHED_MODELS")
@store_option
@json_option
@recorded_job()
def merge(
    results: tuple[Path, ...],
    manifest: Path,
    answers: Path,
    day: object,
    models_file: Path | None,
    store: Store,
    *,
    is_all: bool,
    as_json: bool,
) -> int:
    """Match result files to their requests by id; keep tokens and costs as outcomes."""
    catalog = load_catalog(models_file or models_path(store.path))
    merged = merge_results(
        store,
        results,
        manifest,
        answers,
        catalog.prices,
        day=getattr(day, "date", date.today)(),
        missing_failed=is_all,
    )
    say(_said(merged))
    if as_json:
        paths = {"answers_path": str(answers), "failed_path": str(merged.failed_path or "") or None}
        print_json(asdict(merged) | paths)
    return SOME_ROWS_REJECTED if merged.n_failed or merged.n_unreadable else 0


def read_template(path: Path | None) -> Template:
    """Read a request template; none asks for nothing."""
    if path is None:
        return Template()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected a request template, found: {error}.") from error
    return parse_template(text, name=path.name)


def _said(merged: Merged) -> str:
    cost = "unknown cost" if merged.cost_usd is None else f"${merged.cost_usd:,.4f}"
    priced = f" ({merged.n_cost_unknown:,} without a known batch price)"
    worst = sorted(merged.errors.items(), key=lambda item: (-item[1], item[0]))[:3]
    errors = "".join(f"\n  {n:,} × {error}" for error, n in worst)
    following = f"\nThe next wave: promptshed batch emit {merged.failed_path}"
    return (
        f"{merged.n_answers:,} answers, {merged.n_new:,} of them new outcomes; {cost}"
        f"{priced if merged.n_cost_unknown else ''}. {merged.n_failed:,} failed, "
        f"{merged.n_missing:,} without a result, {merged.n_unknown:,} of other requests, "
        f"{merged.n_unreadable:,} lines that are no result.{errors}"
        f"{following if merged.failed_path else ''}"
    )
