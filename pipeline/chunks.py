"""A few thousand rows of an input file, as they were written there, and their other shapes.

One class per kind of file; each can give a column, CSV cells, JSON lines and an Arrow table, so
that any kind of file can be written as any other and unchanged as its own.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from pipeline.json_text import json_text


@dataclass(frozen=True, kw_only=True)
class Reject:
    """A row that cannot be read."""

    line: int
    """Line on which the row starts, from 1; in Parquet the row's number, from 1."""
    reason: str
    row: str
    """The raw text."""


class Chunk(Protocol):
    """What the three classes below have in common."""

    @property
    def lines(self) -> list[int]:
        """For each row, the line on which it starts; in Parquet its number."""
        ...

    @property
    def rejects(self) -> list[Reject]:
        """Rows met on the way that could not be read."""
        ...

    def column(self, name: str) -> list[object]:
        """Return the raw values of a column; None where a row does not have it."""
        ...

    def records(self) -> Iterable[Mapping[str, object]]:
        """Return the rows by name; a JSON object without the keys that it does not have."""
        ...

    def cells(self) -> Iterable[Sequence[str]]:
        """Return the rows as CSV cells in column order; null is empty, a nested value is JSON."""
        ...

    def json_lines(self) -> list[str]:
        """Return each row as one JSON object."""
        ...

    def arrow(self, schema: pa.Schema | None) -> pa.Table:
        """Return the rows as an Arrow table, with the types of `schema` if there is one."""
        ...


@dataclass(frozen=True, kw_only=True)
class CsvChunk:
    """Rows of a CSV file; every value is a string."""

    columns: tuple[str, ...]
    lines: list[int]
    rows: list[list[str]]
    raws: list[str]
    """The text of each row, without its end; a quoted cell may hold line ends."""
    rejects: list[Reject] = field(default_factory=list)

    def column(self, name: str) -> list[object]:
        """Return the cells of a column."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def records(self) -> Iterable[Mapping[str, object]]:
        """Return the rows by name."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def cells(self) -> Iterable[Sequence[str]]:
        """Return the rows as they were read."""
        return self.rows

    def json_lines(self) -> list[str]:
        """Return objects whose values are strings, since CSV has no other type."""
        return [
            json.dumps(dict(zip(self.columns, row, strict=True)), ensure_ascii=False)
            for row in self.rows
        ]

    def arrow(self, schema: pa.Schema | None) -> pa.Table:  # noqa: ARG002 - all are strings
        """Return a table of strings."""
        return pa.table(
            [pa.array(self.column(name), pa.string()) for name in self.columns],
            names=list(self.columns),
        )


@dataclass(frozen=True, kw_only=True)
class JsonChunk:
    """Rows of a JSON Lines file."""

    columns: tuple[str, ...]
    lines: list[int]
    rows: list[dict[str, object]]
    raws: list[str]
    """The text of each line, without its end."""
    rejects: list[Reject] = field(default_factory=list)

    def column(self, name: str) -> list[object]:
        """Return the JSON values of a key; None where it is missing or null."""
        return [row.get(name) for row in self.rows]

    def records(self) -> Iterable[Mapping[str, object]]:
        """Return the objects as they were read."""
        return self.rows

    def cells(self) -> Iterable[Sequence[str]]:
        """Return one cell for every key that any line of the file has."""
        return ([as_text(row.get(name)) or "" for name in self.columns] for row in self.rows)

    def json_lines(self) -> list[str]:
        """Return the lines exactly as they were read."""
        return self.raws

    def arrow(self, schema: pa.Schema | None) -> pa.Table:
        """Return a table; a column whose values share no type becomes text.

        Raises
        ------
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError
            If a value does not fit `schema`.
        """
        arrays = [
            _typed_array(self.column(name), None if schema is None else schema.field(name).type)
            for name in self.columns
        ]
        return pa.table(arrays, names=list(self.columns))


@dataclass(frozen=True, kw_only=True)
class ParquetChunk:
    """Rows of a Parquet file."""

    lines: list[int]
    batch: pa.RecordBatch
    rejects: list[Reject] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in file order."""
        return tuple(self.batch.schema.names)

    def column(self, name: str) -> list[object]:
        """Return the values of a column as Python objects; times in microseconds."""
        return _plain(self.batch.column(name)).to_pylist()

    def records(self) -> Iterable[Mapping[str, object]]:
        """Return the rows by name, with Python's types; a null stays."""
        columns = [self.column(name) for name in self.columns]
        return (dict(zip(self.columns, row, strict=True)) for row in zip(*columns, strict=True))

    def cells(self) -> Iterable[Sequence[str]]:
        """Return the rows as text."""
        columns = [[as_text(value) or "" for value in self.column(name)] for name in self.columns]
        return zip(*columns, strict=True)

    def json_lines(self) -> list[str]:
        """Return objects with JSON's types; times and other types as text."""
        columns = [self.column(name) for name in self.columns]
        return [
            json_text(dict(zip(self.columns, row, strict=True)))
            for row in zip(*columns, strict=True)
        ]

    def arrow(self, schema: pa.Schema | None) -> pa.Table:  # noqa: ARG002 - it has its own
        """Return the rows with the types of the file."""
        return pa.Table.from_batches([self.batch])


def as_text(value: object) -> str | None:
    """Return a raw value as text: None stays None, a nested value is JSON, a time is ISO 8601.

    >>> as_text(0.1), as_text(True), as_text([1])
    ('0.1', 'true', '[1]')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dt.date | dt.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _plain(array: pa.Array) -> pa.Array:
    """Return times in a unit and zone that Python can hold."""
    if pa.types.is_timestamp(array.type):
        zone = "UTC" if array.type.tz else None
        return array.cast(pa.timestamp("us", tz=zone), safe=False)
    return array


def _typed_array(values: list[object], type_: pa.DataType | None) -> pa.Array:
    if type_ is not None and not pa.types.is_string(type_):
        return pa.array(values, type_)
    if type_ is None:
        try:
            array = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # more than one type
            pass
        else:
            if not pa.types.is_null(array.type):
                return array
    return pa.array([as_text(value) for value in values], pa.string())
