"""Writing routed rows: the input's columns in their order, then the receipt's."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.chunks import Chunk, CsvChunk, as_text
from pipeline.csv_text import csv_text, guard_cell
from pipeline.formats import JSONL, PARQUET, Format
from pipeline.rows import Source
from profiles.errors import InputFileError

_BOM = "\ufeff"
_ROW_GROUP_ROWS = 50_000
_ROW_GROUP_BYTES = 1 << 26


class Target(Protocol):
    """An output file that is being written."""

    n_guarded: int
    """Cells that got an apostrophe."""

    def write(self, chunk: Chunk, receipts: pl.DataFrame) -> None:
        """Write the rows of a chunk, each with its receipt."""
        ...

    def finish(self) -> None:
        """Write what is still held back."""
        ...

    def close(self) -> None:
        """Let go of the stream, also after an error."""
        ...


@contextmanager
def open_target(
    stream: BinaryIO,
    format_: Format,
    source: Source,
    *,
    receipt_columns: tuple[str, ...],
    guard_formulas: bool,
    is_start: bool = True,
) -> Iterator[Target]:
    """Write an output file of any kind.

    Parameters
    ----------
    stream
        Stays open. Compressed text is written chunk by chunk, each a gzip member or zstd frame of
        its own, so that the file may be cut between chunks and go on there.
    source
        Its columns come first; a CSV target takes its delimiter and its byte order mark.
    guard_formulas
        Whether CSV cells that a spreadsheet would run get an apostrophe.
    is_start
        False where the beginning, and so the header, is written already or elsewhere.
    """
    with ExitStack() as stack:
        if format_.kind == PARQUET:
            out = stream
            if format_.codec is not None:
                out = stack.enter_context(pa.CompressedOutputStream(stream, format_.codec))
            target: Target = _ParquetTarget(out, source, receipt_columns)
        elif format_.kind == JSONL:
            target = _JsonTarget(_Packed(stream, format_.codec), receipt_columns)
        else:
            columns = (*source.columns, *receipt_columns)
            packed = _Packed(stream, format_.codec)
            target = _CsvTarget(packed, source.delimiter, is_guarded=guard_formulas)
            if is_start:
                target.write_header(columns, has_bom=source.has_bom)
        stack.callback(target.close)
        yield target
        target.finish()


@dataclass(frozen=True)
class _Packed:
    """Compresses each text it is given on its own."""

    stream: BinaryIO
    codec: str | None

    def write(self, text: str) -> None:
        data = text.encode()
        if self.codec is not None:
            data = pa.Codec(self.codec).compress(data, asbytes=True)
        self.stream.write(data)


class _CsvTarget:
    def __init__(self, stream: _Packed, delimiter: str, *, is_guarded: bool) -> None:
        self.n_guarded = 0
        self._stream = stream
        self._is_guarded = is_guarded
        self._delimiter = delimiter

    def write(self, chunk: Chunk, receipts: pl.DataFrame) -> None:
        added = ([as_text(value) or "" for value in row] for row in receipts.iter_rows())
        if isinstance(chunk, CsvChunk):
            self._extend(chunk, added)
            return
        self.write_rows(
            [*cells, *receipt] for cells, receipt in zip(chunk.cells(), added, strict=True)
        )

    def _extend(self, chunk: CsvChunk, added: Iterable[Sequence[str]]) -> None:
        """Write rows as they were read, quotes included, but for those with a cell to guard."""
        lines: list[str] = []
        for cells, raw, receipt in zip(chunk.rows, chunk.raws, added, strict=True):
            safe, ours = self._safe(cells), self._safe(receipt)
            if safe == cells:
                lines.append(f"{raw}{self._delimiter}{self._text([ours])}")
            else:
                lines.append(self._text([[*safe, *ours]]))
        self._stream.write("".join(lines))

    def _text(self, rows: Iterable[Sequence[str]]) -> str:
        return csv_text(rows, delimiter=self._delimiter)

    def finish(self) -> None:
        """Do nothing; every chunk was written at once."""

    def close(self) -> None:
        """Do nothing; the stream is closed by its owner."""

    def write_header(self, columns: Sequence[str], *, has_bom: bool) -> None:
        """Begin the file."""
        mark = _BOM if has_bom else ""
        self._stream.write(mark + self._text([self._safe(columns)]))

    def write_rows(self, rows: Iterable[Sequence[str]]) -> None:
        self._stream.write(self._text(map(self._safe, rows)))

    def _safe(self, row: Sequence[str]) -> Sequence[str]:
        return self._guarded(row) if self._is_guarded else row

    def _guarded(self, row: Sequence[str]) -> list[str]:
        guarded = [guard_cell(cell) for cell in row]
        self.n_guarded += sum(map(str.__ne__, guarded, row))
        return guarded


class _JsonTarget:
    def __init__(self, stream: _Packed, receipt_columns: tuple[str, ...]) -> None:
        self.n_guarded = 0
        self._stream = stream
        self._names = receipt_columns

    def write(self, chunk: Chunk, receipts: pl.DataFrame) -> None:
        lines = [
            _extended(
                line, json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False)
            )
            for line, row in zip(chunk.json_lines(), receipts.iter_rows(), strict=True)
        ]
        self._stream.write("".join(lines))

    def finish(self) -> None:
        """Do nothing; every chunk was written at once."""

    def close(self) -> None:
        """Do nothing; the stream is closed by its owner."""


def _extended(line: str, receipt: str) -> str:
    """Return one JSON object with the members of both, those of `line` character by character."""
    members = line[:-1].rstrip()
    comma = "" if members == "{" else ", "
    return f"{members}{comma}{receipt[1:]}\n"


@dataclass(kw_only=True)
class _Held:
    """Tables that wait until they fill a row group."""

    tables: list[pa.Table] = field(default_factory=list)

    def is_full(self) -> bool:
        n_rows = sum(table.num_rows for table in self.tables)
        n_bytes = sum(table.nbytes for table in self.tables)
        return n_rows >= _ROW_GROUP_ROWS or n_bytes >= _ROW_GROUP_BYTES


class _ParquetTarget:
    def __init__(
        self,
        stream: BinaryIO | pa.NativeFile,
        source: Source,
        receipt_columns: tuple[str, ...],
    ) -> None:
        self.n_guarded = 0
        self._stream = stream
        self._source = source
        self._names = receipt_columns
        self._schema = source.arrow_schema
        self._writer: pq.ParquetWriter | None = None
        self._held = _Held()

    def write(self, chunk: Chunk, receipts: pl.DataFrame) -> None:
        try:
            table = chunk.arrow(self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputFileError(
                f"{self._source.name}: expected one type per column for Parquet, found near line "
                f"{chunk.lines[0]}: {error}. Write to a .jsonl target instead."
            ) from error
        self._schema = self._schema or table.schema
        added = receipts.to_arrow().cast(_receipt_schema(receipts))
        for name, column in zip(self._names, added.columns, strict=True):
            table = table.append_column(name, column)
        self._held.tables.append(table)
        if self._held.is_full():
            self._write_group()

    def finish(self) -> None:
        if self._held.tables:
            self._write_group()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write_group(self) -> None:
        table = pa.concat_tables(self._held.tables)
        self._held.tables.clear()
        self._writer = self._writer or pq.ParquetWriter(self._stream, table.schema)
        self._writer.write_table(table)


def _receipt_schema(receipts: pl.DataFrame) -> pa.Schema:
    """Return plain Arrow types, which more readers know than string views."""
    plain = {
        pl.String: pa.string(),
        pl.Float64: pa.float64(),
        pl.Boolean: pa.bool_(),
        pl.List: pa.list_(pa.string()),
    }
    return pa.schema(
        [(name, plain.get(type(kind), pa.int64())) for name, kind in receipts.schema.items()]
    )
