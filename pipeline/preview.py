"""The first rows of a file of any size, without reading the rest of it."""

import codecs
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from pipeline.charset import UTF8, wide_encoding
from pipeline.formats import DOCUMENT, PARQUET, codec_of, kind_of
from pipeline.mapping import detect_prompt
from pipeline.readers.registry import detect
from pipeline.rows import open_source, read_chunks
from profiles.errors import InputFileError, UsageError

_HEAD_BYTES = 1 << 20
_ARCHIVE = b"PK\x03\x04"
_MOST_DOCUMENT_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Preview:
    """How a file begins."""

    columns: tuple[str, ...]
    """In file order; of JSON Lines the keys of the first lines."""
    rows: tuple[tuple[str, ...], ...]
    """At most as many as were asked for; values as the cells of a CSV file."""
    prompt: str | None
    """The column that holds the prompt; None where it cannot be told by itself."""
    tool: str | None = None
    """What the file is if its records are those of a tool that `pipeline.readers` knows."""


def preview(path: Path, *, n_rows: int, encoding: str = UTF8) -> Preview:
    """Return the first rows of a file that `pipeline.rows` can read.

    Only the first megabyte of CSV and JSON Lines is looked at. `encoding` is that of a text file,
    as `pipeline.rows.open_source` takes it.

    Raises
    ------
    InputFileError
        If the file cannot be read, or is one JSON document too large to look into.
    """
    with _beginning(path) as beginning, open_source(beginning, encoding) as source:
        chunk = next(read_chunks(source, chunk_rows=n_rows))
        rows = tuple(tuple(row) for row in islice(chunk.cells(), n_rows))
        reader = detect(list(chunk.records()))
    try:
        prompt = detect_prompt(source.columns)
    except UsageError:
        prompt = None
    return Preview(
        columns=source.columns, rows=rows, prompt=prompt, tool=reader.title if reader else None
    )


def is_in_another_encoding(path: Path) -> bool:
    """Tell whether a file begins with text that is not UTF-8, nor of an encoding that tells itself.

    Raises
    ------
    InputFileError
        If the file is of no kind that can be read.
    """
    head = _head(path)
    if _tells_itself(head) or kind_of(head, path.name) == PARQUET:
        return False
    try:
        codecs.getincrementaldecoder(UTF8)().decode(head)  # its last character may be cut
    except UnicodeDecodeError:
        return True
    return False


def _tells_itself(head: bytes) -> bool:
    """Tell text with a byte order mark, and an archive: a log of `inspect_ai` is one."""
    return head.startswith(_ARCHIVE) or wide_encoding(head, UTF8) is not None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        codec = codec_of(stream.read(8))
    try:
        with pa.input_stream(str(path), compression=codec) as stream:
            return stream.read(_HEAD_BYTES)
    except OSError as error:
        raise InputFileError(
            f"{path}: expected {codec} data, found: {error}. Compress or download it again."
        ) from error


@contextmanager
def _beginning(path: Path) -> Iterator[Path]:
    """Give a file of the first lines; the file itself where it is short or has to be whole."""
    head = _head(path)
    if _tells_itself(head):
        yield path
        return
    kind = kind_of(head, path.name)
    if kind == DOCUMENT and path.stat().st_size > _MOST_DOCUMENT_BYTES:
        raise InputFileError(
            f"{path}: expected one object on each line, found one JSON document, too large to "
            "look into. Name the column yourself; routing reads the file all the same."
        )
    if kind in (DOCUMENT, PARQUET) or len(head) < _HEAD_BYTES:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="promptshed-") as folder:
        name = path.name.removesuffix(".gz").removesuffix(".zst")
        short = Path(folder, name)
        short.write_bytes(head[: head.rfind(b"\n") + 1] or head)
        yield short
