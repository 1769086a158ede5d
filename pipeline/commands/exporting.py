"""`promptshed export`."""

from pathlib import Path

import click

from pipeline.artefact import Artefact, write_artefact
from pipeline.commands.shared import encoder_option, say, store_option
from pipeline.encoders import load_encoder
from pipeline.flows.tables import load_model
from pipeline.store import Store
from pipeline.table import RoutingModel
from profiles.errors import UsageError
from profiles.tables import BUCKETS, TABLE_ENTRIES


@click.command("export")
@click.option("--to", "form", type=click.Choice(["artefact"]), default="artefact")
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
    say(f"Table {model.table_version} as {form}; no prompt text is in it. {_what_is_lost(model)}")


def _what_is_lost(model: RoutingModel) -> str:
    if model.router is None:
        return "Nothing is lost."
    return "It routes by the table alone; the stack's per-prompt refinement stays here."
