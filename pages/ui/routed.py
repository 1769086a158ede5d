"""What a job of `promptshed route` came to: its counts, its file, and how to go on with it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import access, jobs, reads, shell, shown
from pages.ui import format as text
from pipeline.expected import expect
from pipeline.jobs import DONE, RUNNING, Job, log_of, read_jobs
from pipeline.preview import Preview, preview
from pipeline.resuming import checkpoint_path, part_path, rejects_path
from profiles.errors import PromptshedError
from profiles.tables import RECEIPT

_N_SHOWN = 8
_MOST_LOG_BYTES = 1_000_000
_LONGEST_CELL = 500
_NUMBERS = ("confidence", "expected_quality", "quality_lo", "quality_hi", "expected_cost_usd")
_DRY, _RESUME = "--dry-run", "--resume"


def show(job: Job) -> None:
    """Show counts, file and receipts of a job that is done; offer to go on with another one."""
    if job.state == DONE:
        summary = summary_of(job)
        if summary:
            _counts(summary, is_dry=_DRY in job.arguments)
        written = jobs.written_by(job)
        if written is not None and written.is_file():
            _file(written, summary, key=job.job_id)
    elif access.may_decide() and can_go_on(job):
        if st.button("Resume", icon=":material/resume:", key=f"resume-{job.job_id}"):
            jobs.start("Going on", [*job.arguments, _RESUME])
        st.caption("The rows that are done are kept; it goes on after them.")


def summary_of(job: Job) -> dict[str, Any]:
    """Return what `route --json` printed at the end of a job; empty if it did not."""
    log = log_of(reads.store().path.resolve(), job, most_bytes=_MOST_LOG_BYTES)
    start = log.rfind("\n{\n") + 1
    try:
        found, _ = json.JSONDecoder().raw_decode(log[start:])
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "n_routed" in found else {}


def can_go_on(job: Job) -> bool:
    """Tell whether what a job left can be continued, and no newer job is about the same file."""
    if _DRY in job.arguments or "-o" not in job.arguments[:-1]:
        return False
    name = job.arguments[job.arguments.index("-o") + 1]
    newest = next(
        (other for other in read_jobs(reads.store().path.resolve()) if name in other.arguments), job
    )
    has_rest = checkpoint_path(Path(name)).exists() and part_path(Path(name)).exists()
    return newest.job_id == job.job_id and has_rest and job.state not in (RUNNING, DONE)


def _counts(summary: dict[str, Any], *, is_dry: bool) -> None:
    n, n_routed = summary["n_rows"], summary["n_routed"]
    cost, unknown = summary["expected_cost_usd"], summary["n_cost_unknown"]
    with st.grid(4, min_column_width=150):
        shell.number(
            "Rows that would be routed" if is_dry else "Rows routed",
            text.count(n_routed),
            f"of {text.count(n)}; {text.count(summary['n_unroutable'])} without a prompt, "
            f"{text.count(summary['n_rejected'])} unreadable",
        )
        shell.number(
            "Expected cost",
            text.DASH if cost is None else text.dollars(cost),
            _baseline(n_routed) + (f"; unknown for {text.count(unknown)} rows" if unknown else ""),
        )
        shell.number(
            "$ per 1,000 prompts",
            text.DASH if cost is None else text.dollars_per_1000(cost / max(n_routed - unknown, 1)),
            "expected, by what calls on such prompts cost",
        )
        shell.number(
            "Unassigned",
            text.share(summary["n_unassigned"] / max(n_routed, 1)),
            f"{text.count(summary['n_unassigned'])} rows unlike every domain: they take the "
            "fallback",
        )
    calls = pl.DataFrame(
        list(summary["calls"].items()), schema={"Model": pl.String, "Rows": pl.Int64}, orient="row"
    ).with_columns((100 * pl.col("Rows") / max(n_routed, 1)).alias("Share, %"))
    shown.table(calls, alt="Rows for each model")


def _baseline(n_rows: int) -> str:
    """Say what the safe choice would cost on as many prompts."""
    table = reads.current_table()
    found = table and expect(table.held_out, reference_model_id=table.reference_model_id)
    price = found.option(found.reference_model_id)["cost_usd"] if found else None
    if not found or price is None:
        return "what the safe choice would cost is unknown"
    reference = text.as_markdown(found.reference_model_id)
    return f"about \\{text.dollars(n_rows * price)} with {reference} for everything"


def _file(written: Path, summary: dict[str, Any], *, key: str) -> None:
    with st.container(horizontal=True):
        jobs.offer_file(written, key=f"download-{key}")
        rejects = rejects_path(written)
        if rejects.is_file():
            jobs.offer_file(rejects, key=f"rejects-{key}", label="Download the unreadable rows")
    more = st.expander("First rows with their receipts", key=f"rows-{key}", on_change="rerun")
    if more.open:
        with more:
            try:
                first = preview(written, n_rows=_N_SHOWN)
            except PromptshedError as error:
                st.text(str(error))
                return
            names = summary.get("receipt_columns") or list(RECEIPT)
            shown.table(receipts(first, names), alt="Routed rows")


def receipts(first: Preview, names: list[str]) -> pl.DataFrame:
    """Return routed rows for a table; `names` are the receipt's columns in this file, in order."""
    rows = pl.DataFrame(
        list(first.rows), schema=dict.fromkeys(first.columns, pl.String), orient="row"
    )
    named = {ours: pl.col(theirs) for ours, theirs in zip(RECEIPT, names, strict=True)}
    prompt = first.prompt or first.columns[0]

    ours = rows.select(
        pl.col(prompt).str.slice(0, _LONGEST_CELL).alias("Prompt"),
        *(named[name].replace("", None).alias(name) for name in RECEIPT),
    ).with_columns(pl.col(_NUMBERS).cast(pl.Float64, strict=False))
    return ours.select(
        "Prompt",
        Model="model",
        Domain=shown.in_words("domain", key="domain"),
        Confidence="confidence",
        Quality="expected_quality",
        interval=shown.interval("quality_lo", "quality_hi"),
        cost=1000 * pl.col("expected_cost_usd"),
        Fallback="fallback",
        Why="reason",
    ).rename({"interval": "95 % interval", "cost": "$ per 1,000"})


def finished() -> list[tuple[Job, Path]]:
    """Return the files that jobs have routed here and that are still there, newest first."""
    found = [
        (job, jobs.written_by(job))
        for job in read_jobs(reads.store().path.resolve())
        if job.verb == "route" and job.state == DONE
    ]
    return [(job, path) for job, path in found if path is not None and path.is_file()]
