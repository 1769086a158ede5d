"""`promptshed import`."""

from pathlib import Path

import click

from pipeline.commands.shared import (
    charset_option,
    json_option,
    print_json,
    recorded_job,
    say,
    store_option,
)
from pipeline.foreign import Origin
from pipeline.ingest import Ingest, groups_of, read_file, read_mapping, write_rejects
from pipeline.readers.registry import GENERIC, NAMES
from pipeline.scale import AUTO, SCALES
from pipeline.store import Store
from profiles.errors import SOME_ROWS_REJECTED, UsageError
from profiles.tables import IMPORTS, OUTCOMES


@click.command("import")
@click.argument("files", nargs=-1, required=True)
@store_option
@click.option("--mapping", help="prompt=COLUMN,model=COLUMN,… or @preset.json; see the README.")
@click.option("--quality-scale", type=click.Choice(SCALES), default="auto", show_default=True)
@click.option(
    "--from",
    "form",
    type=click.Choice([AUTO, GENERIC, *NAMES]),
    default=AUTO,
    show_default=True,
    help="The tool that wrote the file; generic maps columns.",
)
@charset_option
@click.option("--score", help="The score that is the quality, where a tool logs several.")
@click.option("--model", help="The model, where a tool leaves it to the name of the file.")
@click.option(
    "--known-models-only", is_flag=True, help="Reject rows of models the store has not seen."
)
@click.option(
    "--replace", is_flag=True, help="Forget what the same file gave when it was read otherwise."
)
@click.option("--dry-run", is_flag=True, help="Show the mapping and the counts; store nothing.")
@json_option
@recorded_job()
def import_files(
    files: tuple[str, ...],
    store: Store,
    mapping: str | None,
    quality_scale: str,
    *,
    form: str,
    encoding: str,
    score: str | None,
    model: str | None,
    known_models_only: bool,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Read logs and outcomes: CSV, JSON, JSON Lines or Parquet, also .gz and .zst; - is stdin.

    Logs of LiteLLM, Langfuse, OpenTelemetry, LangSmith and others are known by their structure.
    Calls and their scores, requests and their results are read together: name both files.

    Importing a file twice changes nothing. Rows that cannot be read go to a rejects file.
    """
    known = set(store.read(OUTCOMES)["model_id"]) if known_models_only else None
    given = read_mapping(mapping) if mapping else None
    reports = []
    origin = Origin(form=form, score=score, model=model)
    groups = groups_of(files, origin, encoding) if given is None else zip(files, strict=True)
    for name, *companions in groups:
        ingest = read_file(
            name,
            companions=companions,
            encoding=encoding,
            origin=origin,
            mapping=given,
            quality_scale=quality_scale,
            known_models=known,
        )
        for line in ingest.described:
            say(f"  {line}")
        added = {} if dry_run else _save(store, ingest, replace=replace)
        reports.append(_report(" + ".join([name, *companions]), ingest, added, store))
        say(_sentence(reports[-1], dry_run=dry_run))
    if as_json:
        print_json(reports)
    return SOME_ROWS_REJECTED if any(report["n_rejected"] for report in reports) else 0


def _save(store: Store, ingest: Ingest, *, replace: bool) -> dict[str, int]:
    import_id, file_digest = ingest.import_row.select("import_id", "file_digest").row(0)
    before = store.read(IMPORTS, file_digest=file_digest)["import_id"].to_list()
    if import_id in before:
        return {"prompts": 0, "outcomes": 0, "requests": 0}
    if before and not replace:
        raise UsageError(
            f"{ingest.import_row['file_name'][0]} was imported before with another mapping, "
            "quality scale or encoding, so its rows would count twice. Import it as before, or "
            "give --replace to forget what was read then."
        )
    return store.replace_imports(before, *ingest.tables())


def _report(name: str, ingest: Ingest, added: dict[str, int], store: Store) -> dict[str, object]:
    rejects = _rejects_path(name, ingest, store) if ingest.n_rejected else None
    if rejects:
        write_rejects(rejects, ingest.rejects)
    return {
        "file": name,
        "n_rows": ingest.n_rows,
        "n_rejected": ingest.n_rejected,
        "n_prompts": ingest.prompts.height,
        "n_outcomes": ingest.outcomes.height,
        "n_models": ingest.outcomes["model_id"].n_unique(),
        "n_new_prompts": added.get("prompts"),
        "n_new_outcomes": added.get("outcomes"),
        "rejects_file": str(rejects) if rejects else None,
        "first_reject": ingest.rejects.row(0, named=True) if ingest.n_rejected else None,
    }


def _rejects_path(name: str, ingest: Ingest, store: Store) -> Path:
    """Name it after the file's content too: two files may have the same name."""
    stem = "stdin" if name == "-" else Path(name.partition(" + ")[0]).name
    store.path.parent.mkdir(parents=True, exist_ok=True)
    return store.path.parent / f"{stem}.{ingest.import_row['import_id'][0][:8]}.rejects.csv"


def _sentence(report: dict[str, object], *, dry_run: bool) -> str:
    read = (
        f"{report['file']}: {report['n_rows']:,} rows, {report['n_prompts']:,} prompts, "
        f"{report['n_outcomes']:,} outcomes of {report['n_models']} models"
    )
    stored = (
        "; nothing stored (dry run)."
        if dry_run
        else (f"; new: {report['n_new_prompts']:,} prompts, {report['n_new_outcomes']:,} outcomes.")
    )
    if not report["rejects_file"]:
        return read + stored
    first = report["first_reject"]
    shown = f" First: line {first['line']}, {first['reason']}." if isinstance(first, dict) else ""
    return (
        f"{read}{stored}\n{report['n_rejected']:,} rows could not be read and were kept in "
        f"{report['rejects_file']}.{shown}"
    )
