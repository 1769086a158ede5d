"""Any input file as chunks of raw rows with line numbers, in constant memory.

A row that cannot be read becomes a reject with its line, a reason and its raw text; a file that
cannot be read at all is an `InputFileError`.
"""

import csv
import io
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.archives import read_log
from pipeline.charset import UTF8, wide_encoding, write_in_utf8
from pipeline.chunks import Chunk, CsvChunk, JsonChunk, ParquetChunk, Reject
from pipeline.formats import CSV, DOCUMENT, JSONL, PARQUET, SUPPORTED, codec_of, kind_of
from pipeline.records import BOM, Lines, Record, csv_records, json_records, read_header
from profiles.errors import InputFileError, UsageError

CHUNK_ROWS = 20_000
STDIN = "-"
_CHUNK_CHARACTERS = 1 << 24  # a chunk of very long rows ends early
_HEAD_BYTES = 1 << 16
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An input file whose kind and columns are known."""

    name: str
    """As the user wrote it."""
    path: Path
    """A real file, which can be read more than once."""
    kind: str
    codec: str | None
    columns: tuple[str, ...]
    """In file order; for JSON Lines the keys of all lines, by first appearance."""
    encoding: str = UTF8
    """Of text: one in which a line feed is one byte."""
    delimiter: str = ","
    has_bom: bool = False
    """Of a CSV file: it begins with a byte order mark, by which spreadsheets know UTF-8."""
    arrow_schema: pa.Schema | None = None
    """Of a Parquet file."""


@contextmanager
def about_file(path: str | Path) -> Iterator[None]:
    """Let usage errors inside begin with the name of the file."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{_shown(path)}: {error}") from error


@contextmanager
def open_source(path: str | Path, encoding: str = UTF8) -> Iterator[Source]:
    """Find out what kind of file this is and which columns it has.

    Parameters
    ----------
    path
        A file, or a pipe (`-` is standard input), which is first copied to a temporary file.
    encoding
        Of a text file, as `pipeline.charset.encoding_named` returns it; a byte order mark outdoes
        it, and Parquet does not need it.

    Raises
    ------
    InputFileError
        If there is no such file, it has no rows, or is of a kind that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="promptshed-") as folder:
        local = _local_file(path, Path(folder))
        name = _shown(path)
        with local.open("rb") as stream:
            codec = codec_of(stream.read(_HEAD_BYTES))
        log = _log_in(local, name)
        head = b"" if log else _head(local, codec, name)
        kind = DOCUMENT if log else kind_of(head, name)
        if kind != PARQUET and (wide := wide_encoding(head, encoding)):
            local, codec, encoding = _in_utf8(local, codec, wide, name, Path(folder)), None, UTF8
            kind = kind_of(_head(local, codec, name), name)
        if kind == DOCUMENT:
            value = log or _read_document(local, codec, encoding, name)
            kind, codec, encoding = JSONL, None, UTF8
            local = _write_lines(value, Path(folder))
        source = Source(
            name=name, path=local, kind=kind, codec=codec, columns=(), encoding=encoding
        )
        if kind == PARQUET:
            yield _inspect_parquet(source, Path(folder))
        else:
            yield _inspect_csv(source) if kind == CSV else _inspect_jsonl(source)


def read_chunks(source: Source, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """Yield the rows of a source in file order.

    Parameters
    ----------
    chunk_rows
        Most rows in a chunk; a chunk of very long rows ends earlier.

    Raises
    ------
    InputFileError
        If a Parquet file is damaged in the middle, or not a single row could be read.
    """
    n_rows, first_reject = 0, None
    makers = {CSV: _csv_chunks, JSONL: _json_chunks, PARQUET: _parquet_chunks}
    for chunk in makers[source.kind](source, chunk_rows):
        n_rows += len(chunk.lines)
        first_reject = first_reject or next(iter(chunk.rejects), None)
        yield chunk
    if n_rows == 0:
        found = f"line {first_reject.line}: {first_reject.reason}" if first_reject else "no rows"
        raise _no_rows(source.name, found)


def is_pipe(path: str | Path) -> bool:
    """Tell whether a source can be read once only: standard input, or a named pipe."""
    return str(path) == STDIN or Path(path).is_fifo()


def _no_rows(name: str, found: str) -> InputFileError:
    return InputFileError(
        f"{name}: expected rows to read, found none that can be read ({found}). "
        "Check the file and export it again."
    )


def _shown(path: str | Path) -> str:
    return str(path) if str(path) != STDIN else "standard input"


def _local_file(path: str | Path, folder: Path) -> Path:
    if is_pipe(path):
        local = folder / "stdin"
        with local.open("wb") as copy, ExitStack() as stack:
            is_stdin = str(path) == STDIN
            pipe = sys.stdin.buffer if is_stdin else stack.enter_context(Path(path).open("rb"))
            shutil.copyfileobj(pipe, copy)
    else:
        local = Path(path)
        if not local.exists():
            raise InputFileError(f"{path}: expected a file, found nothing. Check the path.")
        if local.is_dir():
            raise InputFileError(f"{path}: expected a file, found a folder. Name a file in it.")
    try:
        with local.open("rb") as stream:
            is_empty = not stream.read(1)
    except OSError as error:
        raise InputFileError(
            f"{path}: expected a readable file, found: {error.strerror}. Check its permissions."
        ) from error
    if is_empty:
        raise InputFileError(f"{path}: expected rows, found an empty file. Export it again.")
    return local


def _log_in(path: Path, name: str) -> dict[str, object] | None:
    try:
        return read_log(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputFileError(
            f"{name}: expected a log of inspect_ai, found a damaged archive: {error}. Copy the "
            "file again, or turn it into JSON with `inspect log convert --to json`."
        ) from error


def _in_utf8(path: Path, codec: str | None, encoding: str, name: str, folder: Path) -> Path:
    target = folder / "utf8"
    with _byte_stream(path, codec) as stream:
        try:
            write_in_utf8(stream, encoding, target)
        except UnicodeError as error:
            raise InputFileError(
                f"{name}: expected text in {encoding.upper()}, found: {error}. Name its encoding "
                "with --encoding, or save it as CSV (UTF-8) or JSON Lines."
            ) from error
        except OSError as error:
            raise InputFileError(
                f"{name}: expected to copy its text into a temporary file, found: {error}. Free "
                "space there, or compress or download the file again."
            ) from error
    return target


def _read_document(path: Path, codec: str | None, encoding: str, name: str) -> object:
    with _byte_stream(path, codec) as stream:
        try:
            return json.loads(stream.read().removeprefix(BOM).decode(encoding))
        except (ValueError, RecursionError, OSError) as error:
            raise InputFileError(
                f"{name}: expected one JSON document, or one object on each line, found: {error}. "
                "Export or download the file again."
            ) from error


def _write_lines(value: object, folder: Path) -> Path:
    """Write a JSON document as JSON Lines: the items of an array, or the one object that it is."""
    lines = folder / "document.jsonl"
    items = value if isinstance(value, list) else [value]
    with lines.open("w", encoding="utf-8") as copy:
        copy.writelines(json.dumps(item) + "\n" for item in items)
    return lines


@contextmanager
def _byte_stream(path: Path, codec: str | None) -> Iterator[io.BufferedReader]:
    with path.open("rb") as raw:
        if codec is None:
            yield raw
        else:
            inflated = pa.CompressedInputStream(raw, codec)
            yield io.BufferedReader(inflated, _HEAD_BYTES)


def _head(path: Path, codec: str | None, name: str) -> bytes:
    with _byte_stream(path, codec) as stream:
        head = b""
        try:
            while len(head) < _HEAD_BYTES and (part := stream.read1(_HEAD_BYTES)):
                head += part
        except OSError as error:
            if head:  # cut off early: what is there can be read
                return head
            raise InputFileError(
                f"{name}: expected {codec} data, found damage at the start: {error}. "
                "Compress or download the file again."
            ) from error
    if not head.removeprefix(BOM).strip():
        raise InputFileError(f"{name}: expected rows, found only white space. Export it again.")
    return head


@contextmanager
def _text_lines(source: Source) -> Iterator[Lines]:
    with _byte_stream(source.path, source.codec) as stream:
        yield Lines(stream=stream, encoding=source.encoding)


def _inspect_csv(source: Source) -> Source:
    delimiter = _delimiter_of(source)
    with _text_lines(source) as lines:
        try:
            columns = read_header(lines, delimiter)
        except (csv.Error, OSError) as error:
            raise InputFileError(
                f"{source.name}: expected a header line of column names, found: {error}. "
                "Save the file as CSV (UTF-8) and try again."
            ) from error
        if lines.problem:
            raise InputFileError(
                f"{source.name}: expected text in {source.encoding.upper()}, found in the header "
                f"{lines.problem}. Or save the file as CSV (UTF-8) and try again."
            )
        with suppress(OSError):  # a cut-off file is reported with its rows
            if next((line for line in lines if line.strip()), None) is None:
                raise InputFileError(
                    f"{source.name}: expected rows, found only the header "
                    f"{', '.join(columns)}. Export it again."
                )
    _require_unique(source.name, columns)
    with _byte_stream(source.path, source.codec) as stream:
        has_bom = stream.read(len(BOM)) == BOM
    return replace(source, columns=columns, delimiter=delimiter, has_bom=has_bom)


def _delimiter_of(source: Source) -> str:
    """Return the delimiter that splits the header into the most fields; a comma on ties."""
    with _text_lines(source) as lines, suppress(OSError, StopIteration):
        header = next(lines)
        return max(",;\t", key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
    return ","


def _require_unique(name: str, columns: tuple[str, ...]) -> None:
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise InputFileError(
            f"{name}: expected every column name once, found {repeated} more than once. "
            "Rename the columns."
        )


def _inspect_jsonl(source: Source) -> Source:
    columns: dict[str, None] = {}
    with _text_lines(source) as lines:
        for item in json_records(lines):
            if not isinstance(item, Reject):
                columns.update(dict.fromkeys(item[1]))
    return replace(source, columns=tuple(columns))


def _inspect_parquet(source: Source, folder: Path) -> Source:
    path = source.path
    if source.codec is not None:  # Parquet is read from its end, a compressed stream is not
        path = folder / "inflated.parquet"
        with _byte_stream(source.path, source.codec) as stream, path.open("wb") as copy:
            try:
                shutil.copyfileobj(stream, copy)
            except OSError as error:
                raise _damaged(source, error) from error
    try:
        with pq.ParquetFile(path) as file:
            schema, n_rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, error) from error
    if n_rows == 0:
        raise _no_rows(source.name, "a Parquet file without rows")
    _require_unique(source.name, tuple(schema.names))
    return replace(source, path=path, columns=tuple(schema.names), arrow_schema=schema)


def _damaged(source: Source, error: Exception) -> InputFileError:
    return InputFileError(
        f"{source.name}: expected {SUPPORTED}, found a damaged or cut-off {source.kind} file "
        f"({str(error).splitlines()[0]}). Export or download it again."
    )


def _csv_chunks(source: Source, chunk_rows: int) -> Iterator[Chunk]:
    with _text_lines(source) as lines:
        read_header(lines, source.delimiter)
        records = csv_records(lines, delimiter=source.delimiter, n_columns=len(source.columns))
        for rows, rejects in _batched(records, chunk_rows):
            yield CsvChunk(
                columns=source.columns,
                lines=[line for line, _, _ in rows],
                rows=[cells for _, cells, _ in rows],
                raws=[raw.rstrip("\r\n") for _, _, raw in rows],
                rejects=rejects,
            )


def _json_chunks(source: Source, chunk_rows: int) -> Iterator[Chunk]:
    with _text_lines(source) as lines:
        for rows, rejects in _batched(json_records(lines), chunk_rows):
            yield JsonChunk(
                columns=source.columns,
                lines=[line for line, _, _ in rows],
                rows=[value for _, value, _ in rows],
                raws=[raw for _, _, raw in rows],
                rejects=rejects,
            )


def _batched(
    records: Iterator[Record[_Value] | Reject], chunk_rows: int
) -> Iterator[tuple[list[Record[_Value]], list[Reject]]]:
    rows: list[Record[_Value]] = []
    rejects: list[Reject] = []
    n_characters = 0
    for item in records:
        if isinstance(item, Reject):
            rejects.append(item)
            n_characters += len(item.row)
        else:
            rows.append(item)
            n_characters += len(item[2])
        if len(rows) + len(rejects) >= chunk_rows or n_characters >= _CHUNK_CHARACTERS:
            yield rows, rejects
            rows, rejects, n_characters = [], [], 0
    if rows or rejects:
        yield rows, rejects


def _parquet_chunks(source: Source, chunk_rows: int) -> Iterator[Chunk]:
    n_rows = 0
    try:
        with pq.ParquetFile(source.path) as file:
            for batch in file.iter_batches(batch_size=_batch_rows(file, chunk_rows)):
                batch.validate(full=True)  # otherwise broken UTF-8 is met much later
                lines = list(range(n_rows + 1, n_rows + batch.num_rows + 1))
                n_rows += batch.num_rows
                yield ParquetChunk(lines=lines, batch=batch)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, error) from error


def _batch_rows(file: pq.ParquetFile, chunk_rows: int) -> int:
    """Return how many rows of this file keep a chunk small."""
    metadata = file.metadata
    n_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    bytes_per_row = max(n_bytes // metadata.num_rows, 1)
    return max(min(chunk_rows, 4 * _CHUNK_CHARACTERS // bytes_per_row), 1)
