"""Routed files read back: rows with their model, and what to do when it fails."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.chunks import as_text
from pipeline.csv_text import unguard_cell
from pipeline.formats import CSV
from pipeline.mapping import ColumnMapping, detect_prompt
from pipeline.prompt_text import normalise_text, prompt_id_of, read_prompt
from pipeline.rows import Source, about_file, open_source, read_chunks
from profiles.errors import InputFileError, UsageError
from profiles.tables import RECEIPT


@dataclass(frozen=True, kw_only=True)
class RoutedRow:
    """One row of a routed file."""

    row: int
    """From 1, in the order of the file."""
    id: str
    """Short, plain, and different in every row of a file."""
    model: str | None
    """Null where there was nothing to route."""
    fallbacks: tuple[str, ...]
    propensity: float | None
    table_version: int | None
    prompt_id: str
    text: str
    payload: str | None
    """JSON of the whole chat; null for a plain prompt."""
    values: Mapping[str, Any]
    """The whole row, by column."""


@dataclass(frozen=True, kw_only=True)
class RoutedFile:
    """A routed file that is open."""

    names: Mapping[str, str]
    """Its column for each column of the receipt."""
    rows: Iterator[RoutedRow]
    """In the order of the file."""


@contextmanager
def open_routed(path: str | Path, mapping: ColumnMapping | None = None) -> Iterator[RoutedFile]:
    """Read a routed file of any kind.

    Raises
    ------
    UsageError
        If it was not routed, or the column of the prompt cannot be told.
    """
    with open_source(path) as source:
        with about_file(path):
            names = receipt_columns(source.columns)
            own = tuple(name for name in source.columns if name not in names.values())
            prompt = detect_prompt(own, given=mapping)

        def rows() -> Iterator[RoutedRow]:
            number = 0
            for chunk in read_chunks(source):
                if chunk.rejects:
                    first = chunk.rejects[0]
                    raise InputFileError(
                        f"{path}: expected a whole routed file, found line {first.line}: "
                        f"{first.reason}. Route again."
                    )
                columns = [_as_meant(chunk.column(name), source) for name in source.columns]
                for values in zip(*columns, strict=True):
                    number += 1
                    given = dict(zip(source.columns, values, strict=True))
                    yield routed_row(number, given, prompt, names)

        yield RoutedFile(names=names, rows=rows())


def _as_meant(values: Sequence[Any], source: Source) -> Sequence[Any]:
    """Return the values of a column as they were before CSV was guarded against formulas."""
    if source.kind != CSV:
        return values
    return [unguard_cell(value) if isinstance(value, str) else value for value in values]


def receipt_columns(columns: Sequence[str]) -> dict[str, str]:
    """Return which column holds which part of the receipt; the last one that fits, by prefix.

    Raises
    ------
    UsageError
        If there is no receipt.
    """
    ends = [
        name.removesuffix("table_version") for name in columns if name.endswith("table_version")
    ]
    for prefix in reversed(ends):
        names = {name: f"{prefix}{name}" for name in RECEIPT}
        if {names["model"], names["fallbacks"], names["propensity"]} <= set(columns):
            return {name: column for name, column in names.items() if column in columns}
    raise UsageError(
        "expected a file that was routed, found no columns model, fallbacks, propensity and "
        "table_version. Run `promptshed route` on it first."
    )


def routed_row(
    number: int, values: Mapping[str, Any], prompt: str, names: Mapping[str, str]
) -> RoutedRow:
    """Return a row of a routed file from its raw values."""
    read = read_prompt(values[prompt])
    fallbacks = values[names["fallbacks"]]
    if isinstance(fallbacks, str):  # CSV holds the list as JSON
        fallbacks = _list_of(fallbacks, number)
    propensity, version = values[names["propensity"]], values[names["table_version"]]
    text = as_text(values[names["model"]])
    return RoutedRow(
        row=number,
        id=f"r-{number:06}",
        model=text if text and normalise_text(read.text) else None,
        fallbacks=tuple(fallbacks or ()),
        propensity=float(propensity) if propensity not in (None, "") else None,
        table_version=int(version) if version not in (None, "") else None,
        prompt_id=prompt_id_of(read.text),
        text=read.text,
        payload=read.payload,
        values=values,
    )


def _list_of(text: str, number: int) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise InputFileError(
            f"row {number}: fallbacks: expected a list of models as JSON, found {text[:80]!r}. "
            "Route again."
        )
    return found
