"""`promptshed export`."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import click
from safetensors.numpy import load

from pipeline.artefact import Artefact, table_json, table_tensors, write_artefact
from pipeline.atomic import replaced_file
from pipeline.commands.shared import encoder_option, recorded_job, say, store_option
from pipeline.embed import Encoder
from pipeline.encoders import load_encoder
from pipeline.exports.label_map import Contents, Projection
from pipeline.exports.onnx_graph import router_onnx
from pipeline.exports.redaction import redact
from pipeline.exports.registry import MUST, PROJECTIONS
from pipeline.flows.exporting import read_label_map, with_exemplars
from pipeline.flows.tables import load_model
from pipeline.store import Store
from pipeline.table import RoutingModel
from profiles.errors import UsageError
from profiles.tables import BUCKETS, TABLE_ENTRIES

_ARTEFACT, _ONNX, _PLUGIN, _NONE = "artefact", "onnx", "litellm-plugin", "none"
_MASKS: Mapping[str, Callable[[str], str]] = {"redacted": redact, "full": str}
_HELD = {
    _NONE: "no prompt text is in it",
    "redacted": "it holds masked prompts: read them before they leave the house",
    "full": "it holds logged prompts as they are",
}


@click.command("export")
@click.option(
    "--to",
    "form",
    type=click.Choice([_ARTEFACT, _ONNX, *PROJECTIONS]),
    default=_ARTEFACT,
    show_default=True,
    help="The artefact says everything; each other format says on standard error what it loses.",
)
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), required=True
)
@click.option("--version", type=int, help="Table version; the current one by default.")
@click.option(
    "--exemplars",
    type=click.Choice([_NONE, *_MASKS]),
    default=_NONE,
    show_default=True,
    help="Whether logged prompts leave the house as examples of a domain; redacted masks web and "
    "e-mail addresses, digits and most capitalised names, no more.",
)
@store_option
@encoder_option
@recorded_job()
def export_command(
    form: str,
    folder: Path,
    version: int | None,
    exemplars: str,
    store: Store,
    encoder_name: str,
) -> None:
    """Write a routing table for other services; prompts are in it only where you ask for them."""
    projection = PROJECTIONS.get(form)
    _check_exemplars(form, projection, exemplars)
    if form == _ONNX:
        _require_onnx()
    lost = "" if projection is None else f"What is lost: {projection.loses}"
    if projection is None or form == _PLUGIN:
        artefact = _write_artefact(store, version, folder, load_encoder(encoder_name))
        stays = _what_stays_here(artefact.model)
        lost = " ".join(filter(None, [lost, stays])) or "Nothing is lost."
        if form == _ONNX:
            graph = router_onnx(table_json(artefact), load(table_tensors(artefact.model)))
            _write_files(folder, {"router.onnx": graph})
    table = read_label_map(store, version)
    if projection is not None:
        if exemplars != _NONE:
            table = with_exemplars(table, store, load_encoder(encoder_name), _MASKS[exemplars])
        _write_files(folder, projection.write(table))
    held = _HELD[exemplars]
    say(f"Table {table.table_version}; {held}. {lost}")


def _check_exemplars(form: str, projection: Projection | None, exemplars: str) -> None:
    rule = projection.exemplars if projection else None
    if rule == MUST and exemplars == _NONE:
        raise UsageError(
            f"{form} knows a domain by examples, which are logged prompts. Let them leave with "
            "--exemplars redacted or --exemplars full, or export to litellm-plugin or vllm-sr, "
            "which need none."
        )
    if rule is None and exemplars != _NONE:
        raise UsageError(f"{form} has no place for examples. Leave --exemplars out.")


def _require_onnx() -> None:
    if find_spec("onnx") is None:
        raise UsageError("--to onnx needs an extra: pip install 'promptshed[onnx]'.")


def _write_artefact(store: Store, version: int | None, folder: Path, encoder: Encoder) -> Artefact:
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
    return artefact


def _write_files(folder: Path, contents: Contents) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        data = content.encode() if isinstance(content, str) else content
        with replaced_file(folder / name) as temporary:
            temporary.write_bytes(data)
        click.echo(folder / name)


def _what_stays_here(model: RoutingModel) -> str:
    """Return what the artefact does not decide; empty if it decides everything."""
    router = "It routes by the table alone; the stack's per-prompt refinement stays here."
    rules = "Rules on axes are described in it but not decided: whoever reads it has to keep them."
    return " ".join([*([router] if model.router else []), *([rules] if model.rules else [])])
