"""A routed file to batch files for a provider: a set for each model, and a manifest of all."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.json_text import json_text
from pipeline.mapping import ColumnMapping
from pipeline.requests import FORMS, Template, UnsayableError, chat_of
from pipeline.routed import RoutedRow, open_routed
from profiles.errors import UsageError

MANIFEST = "manifest.parquet"
FAILED = "rejected.jsonl"
MAX_LINES, MAX_BYTES = 50_000, 95_000_000
_GROUP_ROWS = 10_000
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("row", pa.int64()),
        ("file", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("provider_model", pa.string()),
        ("fallbacks", pa.list_(pa.string())),
        ("prompt_id", pa.string()),
        ("table_version", pa.int64()),
        ("propensity", pa.float64()),
        ("batch_id", pa.string()),
        ("text", pa.string()),
        ("payload", pa.string()),
        ("values", pa.string()),
        ("names", pa.string()),
    ]
)
"""Of the manifest, one row for each request. `values` is the routed row as JSON, `names` says which
of its columns hold the receipt; `batch_id` is the same when the same file is emitted again."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large one file may be; the strictest of the providers by default."""

    max_lines: int = MAX_LINES
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """What came of a routed file."""

    folder: Path
    n_requests: dict[str, int]
    """By model."""
    n_files: int
    n_without_model: int
    n_rejected: int
    """Rows that the provider's form cannot say; they are in `rejected.jsonl`."""


@dataclass(kw_only=True)
class _Set:
    """The files of one model."""

    stem: str
    n_files: int = 0
    n_lines: int = 0
    n_bytes: int = 0
    stream: BinaryIO | None = None


@dataclass(kw_only=True)
class _Folder:
    path: Path
    limits: Limits
    stack: ExitStack
    sets: dict[str, _Set] = field(default_factory=dict[str, _Set])
    manifest: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    writer: pq.ParquetWriter | None = None
    n_requests: Counter[str] = field(default_factory=Counter)
    n_without_model: int = 0
    n_rejected: int = 0

    def add(self, model: str, line: bytes) -> str:
        """Write a line to the files of a model; returns the name of the file."""
        if model not in self.sets:
            self.sets[model] = _Set(stem=f"{len(self.sets) + 1:02}-{_slug(model)}")
        own = self.sets[model]
        is_full = own.n_lines >= self.limits.max_lines or (
            own.n_bytes + len(line) > self.limits.max_bytes
        )
        if own.stream is None or is_full:
            own.n_files, own.n_lines, own.n_bytes = own.n_files + 1, 0, 0
            if own.stream is not None:
                own.stream.close()
            path = self.path / f"{own.stem}-{own.n_files:04}.jsonl"
            own.stream = self.stack.enter_context(path.open("wb"))
        own.stream.write(line)
        own.n_lines, own.n_bytes = own.n_lines + 1, own.n_bytes + len(line)
        self.n_requests[model] += 1
        return f"{own.stem}-{own.n_files:04}.jsonl"

    def reject(self, row: RoutedRow, reason: str) -> None:
        """Keep a row that cannot be said."""
        self.n_rejected += 1
        with (self.path / FAILED).open("ab") as stream:
            stream.write(_line({**row.values, "error": reason}))

    def note(self, entry: dict[str, object]) -> None:
        """Add a row to the manifest."""
        self.manifest.append(entry)
        if len(self.manifest) >= _GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what of the manifest is held back."""
        if self.writer is None:
            writer = pq.ParquetWriter(self.path / MANIFEST, _SCHEMA, compression="zstd")
            self.writer = self.stack.enter_context(writer)
        self.writer.write_table(pa.Table.from_pylist(self.manifest, schema=_SCHEMA))
        self.manifest.clear()


def emit_batches(
    routed: str | Path,
    folder: Path,
    *,
    provider: str,
    template: Template,
    limits: Limits,
    models: tuple[str, ...] = (),
    mapping: ColumnMapping | None = None,
) -> Emitted:
    """Write the batch files of a routed file, whole or not at all.

    Parameters
    ----------
    folder
        Made here; must be absent or empty.
    models
        Only rows of these models; empty: of all.

    Raises
    ------
    UsageError
        If the folder holds something, or the file was not routed.
    """
    form = FORMS[provider]
    with _new_folder(folder) as place, ExitStack() as stack:
        out = _Folder(path=place, limits=limits, stack=stack)
        with open_routed(routed, mapping) as file:
            batch_id = _batch_id(Path(routed), provider, template, models)
            shared = {"provider": provider, "batch_id": batch_id, "names": json.dumps(file.names)}
            for row in file.rows:
                if row.model is None:
                    out.n_without_model += 1
                elif not models or row.model in models:
                    name = template.models.get(row.model, row.model)
                    try:
                        chat = chat_of(row.payload, row.text, template)
                        wanted = f"{row.id}-{batch_id[:8]}"  # no other batch has this id
                        line = _line(form(wanted, chat, name, template))
                    except UnsayableError as error:
                        out.reject(row, f"{error} of {provider}")
                        continue
                    if len(line) > limits.max_bytes:
                        out.reject(row, f"{len(line):,} bytes are more than a file may hold")
                        continue
                    file_name = out.add(row.model, line)
                    out.note(shared | {"id": wanted} | _entry(row, name, file_name))
        out.flush()
    return Emitted(
        folder=folder,
        n_requests=dict(sorted(out.n_requests.items())),
        n_files=sum(own.n_files for own in out.sets.values()),
        n_without_model=out.n_without_model,
        n_rejected=out.n_rejected,
    )


def open_manifest(path: Path) -> pl.LazyFrame:
    """Open a manifest, or that of a folder of batch files.

    Raises
    ------
    UsageError
        If there is none.
    """
    found = path / MANIFEST if path.is_dir() else path
    try:
        is_ours = pq.read_schema(found).equals(_SCHEMA)
    except (pa.ArrowException, OSError):
        is_ours = False
    if not is_ours:
        raise UsageError(
            f"{found}: expected the manifest that `promptshed batch emit` wrote, found none. Name "
            "its folder with --manifest."
        )
    return pl.scan_parquet(found, glob=False)


def _entry(row: RoutedRow, provider_model: str, file_name: str) -> dict[str, object]:
    return {
        "row": row.row,
        "file": file_name,
        "model": row.model,
        "provider_model": provider_model,
        "fallbacks": list(row.fallbacks),
        "prompt_id": row.prompt_id,
        "table_version": row.table_version,
        "propensity": row.propensity,
        "text": row.text,
        "payload": row.payload,
        "values": json_text(dict(row.values)),
    }


def _batch_id(routed: Path, provider: str, template: Template, models: tuple[str, ...]) -> str:
    digest = blake2b(repr((provider, template, sorted(models))).encode(), digest_size=8)
    if routed.is_file():
        with routed.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
        return digest.hexdigest()
    return uuid4().hex[:16]  # standard input is gone when it was read


def _line(value: Mapping[str, object]) -> bytes:
    return json_text(value).encode() + b"\n"


def _slug(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", model)[:60]


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder that gets its name when the block succeeds, and is removed otherwise."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: expected a new or an empty folder. Name another one with -o.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.part")
    place.mkdir()
    try:
        yield place
        if folder.exists():
            folder.rmdir()
        place.rename(folder)
    finally:
        for left in place.glob("*"):
            left.unlink()
        if place.exists():
            place.rmdir()
