"""`promptshed export`."""

from pathlib import Path

import click

from pipeline.artefact import Artefact, write_artefact
from pipeline.atomic import replaced_file
from pipeline.commands.shared import encoder_option, say, store_option
from pipeline.encoders import load_encoder
from pipeline.flows.tables import current_version, load_model, require_table
from pipeline.projections import PROJECTIONS, Projection, label_map
from pipeline.store import Store
from pipeline.table import RoutingModel
from profiles.errors import UsageError
from profiles.tables import BUCKETS, TABLE_ENTRIES

_ARTEFACT = "artefact"


@click.command("export")
@click.option(
    "--to",
    "form",
    type=click.Choice([_ARTEFACT, *PROJECTIONS]),
    default=_ARTEFACT,
    show_default=True,
    help="The artefact says everything; each other format says on standard error what it loses.",
)
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), required=True
)
@click.option("--version", type=int, help="Table version; the current one by default.")
@store_option
@encoder_option
def export_command(
    form: str, folder: Path, version: int | None, store: Store, encoder_name: str
) -> None:
    """Write a routing table for other services; it holds no prompt."""
    if form != _ARTEFACT:
        _project(PROJECTIONS[form], store, version, folder)
        return
    encoder = load_encoder(encoder_name)
    meta, model = load_model(store, version)
    if meta["encoder_id"] != encoder.encoder_id:
        raise UsageError(
            f"Table {model.table_version} was built with the encoder {meta['encoder_id']}; name "
            "it with --encoder."
        )
    artefact = Artefact(
        meta=meta,
        buckets=store.read(BUCKETS, table_version=model.table_version),
        entries=store.read(TABLE_ENTRIES, table_version=model.table_version),
        model=model,
    )
    for path in write_artefact(artefact, folder, encoder):
        click.echo(path)
    say(f"Table {model.table_version}; no prompt text is in it. {_what_is_lost(model)}")


def _project(projection: Projection, store: Store, version: int | None, folder: Path) -> None:
    wanted = current_version(store) if version is None else version
    require_table(store, wanted)
    table = label_map(
        store.read(BUCKETS, table_version=wanted),
        store.read(TABLE_ENTRIES, table_version=wanted),
        table_version=wanted,
    )
    content = projection.write(table)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / projection.file_name
    with replaced_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    click.echo(path)
    say(f"Table {wanted}; no prompt text is in it. What is lost: {projection.loses}")


def _what_is_lost(model: RoutingModel) -> str:
    if not (model.router or model.rules):
        return "Nothing is lost."
    said = "It routes by the table alone; the stack's per-prompt refinement stays here."
    rules = " Rules on axes are not in it: whoever reads the table has to keep them."
    return (said if model.router else "") + (rules if model.rules else "")
