"""`promptshed axes`."""

from collections.abc import Mapping, Sequence

import click

from pipeline.axes.reading import AxisReading
from pipeline.commands.shared import (
    encoder_option,
    json_option,
    print_json,
    print_table,
    say,
    store_option,
)
from pipeline.encoders import load_encoder
from pipeline.flows.axes import axes_of_store, axes_of_texts
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.tables import PROMPTS


@click.command("axes")
@click.argument("source", required=False)
@store_option
@encoder_option
@json_option
def axes_command(source: str | None, store: Store, encoder_name: str, *, as_json: bool) -> None:
    """Say what each prompt of a file, or of the store, asks for beside its domain."""
    encoder = load_encoder(encoder_name)
    if source is None:
        ids, readings = axes_of_store(store, encoder)
    else:
        of_file = {table.name: frame for table, frame in read_file(source).tables()}[PROMPTS.name]
        ids = of_file["prompt_id"].to_list()
        readings = axes_of_texts(store, encoder, of_file["text"].to_list())
    if as_json:
        print_json(_as_rows(ids, readings))
        return
    print_table(["axis", "value", "prompts", "share", "mean confidence"], _shares(readings))
    say(f"{len(ids):,} prompts. --json prints each one, and why.")


def _as_rows(ids: Sequence[str], readings: Mapping[str, AxisReading]) -> list[dict[str, object]]:
    """Return one object for each prompt: for each axis its value, confidence and reasons."""
    rows: list[dict[str, object]] = []
    for row, prompt_id in enumerate(ids):
        told: dict[str, object] = {"prompt_id": prompt_id}
        rows.append(told | {name: _as_json(part, row) for name, part in readings.items()})
    return rows


def _as_json(reading: AxisReading, row: int) -> dict[str, object]:
    held = reading.probabilities[row]
    return {
        "value": reading.axis.values[int(held.argmax())],
        "confidence": float(held.max()),
        "why": reading.explain(row),
        "probabilities": dict(zip(reading.axis.values, held.tolist(), strict=True)),
    }


def _shares(readings: Mapping[str, AxisReading]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, reading in readings.items():
        best = reading.probabilities.argmax(axis=1)
        for column, value in enumerate(reading.axis.values):
            chosen = best == column
            if chosen.any():
                confidence = f"{reading.confidence[chosen].mean():.2f}"
                rows.append((name, value, int(chosen.sum()), f"{chosen.mean():.1%}", confidence))
    return rows
