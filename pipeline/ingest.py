"""Files of prompts and outcomes to the tables of the store."""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from pipeline.atomic import replaced_file
from pipeline.charset import UTF8
from pipeline.chunks import Chunk, Reject, as_text
from pipeline.clean import RAW, Cleaned, clean_rows
from pipeline.csv_text import csv_text, guard_cell
from pipeline.foreign import ANY_ORIGIN, Origin, find_reader, first_records, open_foreign
from pipeline.mapping import (
    ColumnMapping,
    WideModel,
    describe,
    detect_mapping,
    dump_mapping,
    parse_mapping,
)
from pipeline.prompt_text import normalise_text, prompt_id_of, read_prompt
from pipeline.rows import STDIN, Source, about_file, open_source, read_chunks
from pipeline.scale import AUTO, blank_to_null
from pipeline.units import doubts
from profiles.errors import UsageError
from profiles.table import Table, conform
from profiles.tables import IMPORTS, OUTCOMES, PROMPTS, REQUESTS

REJECTS = pl.Schema({"line": pl.Int64, "reason": pl.String, "row": pl.String})
_RAW_NAMES = {"prompt_id": "external_id"}  # field of the mapping: column of RAW, where they differ


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """What one file holds, ready for `Store.append`."""

    prompts: pl.DataFrame
    requests: pl.DataFrame
    outcomes: pl.DataFrame
    import_row: pl.DataFrame
    """The one row of the imports table."""
    rejects: pl.DataFrame
    """Columns `line`, `reason`, `row`, by line; a row that was parsed is shown as JSON."""
    mapping: ColumnMapping
    """As it was used, with the quality scale."""
    described: tuple[str, ...]
    """What was taken for what, one line each, to be shown."""
    n_rows: int
    """Rows in the file, rejected ones too."""
    n_rejected: int
    """Rows with at least one reject."""

    def tables(self) -> tuple[tuple[Table, pl.DataFrame], ...]:
        """Return what is to be stored, for `store.append(*ingest.tables())`."""
        return (
            (IMPORTS, self.import_row),
            (PROMPTS, self.prompts),
            (REQUESTS, self.requests),
            (OUTCOMES, self.outcomes),
        )


@dataclass(kw_only=True)
class _Prompts:
    """Every distinct prompt of a file, hashed once."""

    texts: dict[str, str] = field(default_factory=dict)
    """By prompt_id, the first text that has it."""
    seen: dict[str | None, tuple[str | None, str | None]] = field(default_factory=dict)
    """By cell, the prompt_id (null if empty) and the payload."""

    def add(self, value: object) -> tuple[str | None, str | None]:
        """Return the prompt_id and payload of a cell."""
        cell = as_text(value)
        if cell not in self.seen:
            prompt = read_prompt(value)
            prompt_id = prompt_id_of(prompt.text) if normalise_text(prompt.text) else None
            if prompt_id is not None:
                self.texts.setdefault(prompt_id, prompt.text)
            self.seen[cell] = prompt_id, prompt.payload
        return self.seen[cell]


def read_file(
    path: str | Path,
    *,
    companions: Sequence[str | Path] = (),
    encoding: str = UTF8,
    origin: Origin = ANY_ORIGIN,
    mapping: ColumnMapping | None = None,
    quality_scale: str = AUTO,
    known_models: Collection[str] | None = None,
    imported_at: dt.datetime | None = None,
) -> Ingest:
    """Read a file of prompts or outcomes.

    Parameters
    ----------
    path
        CSV, JSON, JSON Lines or Parquet, plain, .gz or .zst; `-` is standard input.
    companions
        Files that complete it, such as the scores of its calls; see `groups_of`.
    encoding
        Of text files; see `pipeline.rows.open_source`.
    origin
        Which tool wrote it, and what that tool leaves open.
    mapping
        What the columns are; fields it does not name are detected, `-` switches one off. With
        one, no tool's format is looked for.
    quality_scale
        One of `pipeline.scale.SCALES`; ``auto`` leaves it to the mapping, then to the values.
    known_models
        If given, rows of any other model are rejected.
    imported_at
        For the imports table; now if None.

    Raises
    ------
    InputFileError
        If the file as a whole cannot be read.
    UsageError
        If the columns, the score or the quality scale cannot be told.
    """
    prompts = _Prompts()
    with about_file(path), ExitStack() as stack:
        sources = [stack.enter_context(open_source(each, encoding)) for each in (path, *companions)]
        foreign = None if mapping else open_foreign(sources, origin)
        if foreign:
            resolved, chunks = foreign.mapping(quality_scale), foreign.chunks()
        else:
            resolved = _resolve(sources[0], mapping, quality_scale)
            chunks = read_chunks(sources[0])
        raw = _collect(chunks, resolved, prompts)
        frame = foreign.with_quality(raw.frame) if foreign else raw.frame
        cleaned = clean_rows(frame, resolved, known_models=known_models)
        file_digest = _digest_files([source.path for source in sources])
    if "quality" in resolved.columns() or resolved.wide:
        resolved = replace(resolved, quality_scale=cleaned.quality_scale)
    told = foreign.dump(resolved) if foreign else dump_mapping(resolved)
    rejects = _gather_rejects(cleaned.refused, raw.broken, resolved, prompts)
    import_row = {
        "import_id": _digest(file_digest + told + ("" if encoding == UTF8 else encoding)),
        "file_digest": file_digest,
        "file_name": " + ".join(Path(source.name).name for source in sources),
        "imported_at": imported_at or dt.datetime.now(dt.UTC),
        "n_rows": raw.n_rows,
        "n_rejected": rejects["line"].n_unique(),
        "mapping": told,
    }
    ingest = _assemble(cleaned, prompts, resolved, rejects, import_row)
    described = foreign.describe(resolved) if foreign else ingest.described
    latency_s = ingest.outcomes["latency_s"].median()
    doubted = doubts(latency_s if isinstance(latency_s, float) else None)
    return replace(ingest, described=(*described, *doubted))


def groups_of(
    paths: Sequence[str], origin: Origin = ANY_ORIGIN, encoding: str = UTF8
) -> list[tuple[str, ...]]:
    """Return which files are to be read together, by the first file of each group.

    Files of one format whose records complete each other, such as calls and their scores, are one
    group; every other file is its own.
    """
    groups: dict[str, list[str]] = {}
    for path in paths:
        alone = len(paths) == 1 or path == STDIN
        joined = None if alone else _joined_format(path, origin, encoding)
        groups.setdefault(joined or path, []).append(path)
    return [tuple(group) for group in groups.values()]


def _joined_format(path: str, origin: Origin, encoding: str) -> str | None:
    with about_file(path), open_source(path, encoding) as source:
        reader = find_reader(source, origin)
    return f"\0{reader.name}" if reader and reader.is_joined else None


def read_mapping(argument: str) -> ColumnMapping:
    """Read the value of `--mapping`: written out, a preset's JSON, or `@FILE` with either.

    Raises
    ------
    UsageError
        If the file is missing or the mapping has another form.
    """
    if not argument.startswith("@"):
        return parse_mapping(argument)
    path = Path(argument[1:])
    if not path.is_file():
        raise UsageError(f"{path}: expected a mapping preset, found no file. Check the path.")
    return parse_mapping(path.read_text(encoding="utf-8"))


def write_rejects(path: str | Path, rejects: pl.DataFrame) -> None:
    """Write rejects as CSV, whole or not at all; cells that look like formulas are guarded.

    Parameters
    ----------
    rejects
        Columns `line`, `reason`, `row`.
    """
    rows = rejects.select("line", *(_guarded(name) for name in ("reason", "row"))).iter_rows()
    with replaced_file(Path(path)) as temporary:
        temporary.write_text(csv_text([list(REJECTS), *rows]), encoding="utf-8", newline="")


def _guarded(name: str) -> pl.Expr:
    return pl.col(name).map_elements(guard_cell, return_dtype=pl.String)


def _resolve(source: Source, given: ColumnMapping | None, quality_scale: str) -> ColumnMapping:
    """Complete the mapping from the file's columns and its first rows."""
    mapping = detect_mapping(source.columns, first_records(source), given=given)
    return mapping if quality_scale == AUTO else replace(mapping, quality_scale=quality_scale)


@dataclass(frozen=True, kw_only=True)
class _Raw:
    frame: pl.DataFrame
    """Columns `RAW`, in file order."""
    broken: list[Reject]
    n_rows: int
    """Rows in the file, broken ones too."""


def _collect(chunks: Iterable[Chunk], mapping: ColumnMapping, prompts: _Prompts) -> _Raw:
    parts: list[pl.DataFrame] = []
    broken: list[Reject] = []
    n_rows = 0
    for chunk in chunks:
        parts.append(_extract(chunk, mapping, prompts))
        broken.extend(chunk.rejects)
        n_rows += len(chunk.lines) + len(chunk.rejects)
    return _Raw(frame=pl.concat(parts), broken=broken, n_rows=n_rows)


def _extract(chunk: Chunk, mapping: ColumnMapping, prompts: _Prompts) -> pl.DataFrame:
    """Return the mapped columns of a chunk as text, with prompts replaced by their ids."""
    columns = mapping.columns()
    ids = [prompts.add(value) for value in chunk.column(columns.pop("prompt"))]
    data: dict[str, Sequence[object]] = {
        "line": chunk.lines,
        "prompt_id": [prompt_id for prompt_id, _ in ids],
        "payload": [payload for _, payload in ids],
    }
    for name, column in columns.items():
        data[_RAW_NAMES.get(name, name)] = _texts(chunk, column)
    frame = pl.DataFrame(data, schema_overrides={name: RAW[name] for name in data})
    missing = [pl.lit(None, kind).alias(name) for name, kind in RAW.items() if name not in data]
    frame = frame.with_columns(missing).select(list(RAW))
    return _widen(frame, chunk, mapping.wide) if mapping.wide else frame


def _texts(chunk: Chunk, column: str) -> list[str | None]:
    return [as_text(value) for value in chunk.column(column)]


def _widen(frame: pl.DataFrame, chunk: Chunk, models: Sequence[WideModel]) -> pl.DataFrame:
    """Repeat each row for every model that has a quality or a cost; once without if none has."""
    parts = [
        frame.with_columns(
            pl.lit(number).alias("order"),
            pl.lit(wide.model).alias("model"),
            _wide_values(chunk, "quality", wide.quality),
            _wide_values(chunk, "cost_usd", wide.cost_usd),
        )
        for number, wide in enumerate(models)
    ]
    is_known = pl.any_horizontal(pl.col("quality", "cost_usd").is_not_null())
    filled = pl.concat(parts).filter(is_known)
    bare = frame.join(filled, on="line", how="anti").with_columns(order=pl.lit(0))
    return pl.concat([filled, bare]).sort("line", "order").select(list(RAW))


def _wide_values(chunk: Chunk, name: str, column: str | None) -> pl.Series:
    texts = _texts(chunk, column) if column else [None] * len(chunk.lines)
    return blank_to_null(pl.Series(name, texts, dtype=pl.String))


def _gather_rejects(
    refused: pl.DataFrame, broken: Sequence[Reject], mapping: ColumnMapping, prompts: _Prompts
) -> pl.DataFrame:
    """Return one row for each line and reason, with the row as it was read."""
    columns = mapping.columns()
    rows = [
        (row["line"], row["reason"], _row_json(row, columns, prompts))
        for row in refused.iter_rows(named=True)
    ]
    rows += [(reject.line, reject.reason, reject.row) for reject in broken]
    frame = pl.DataFrame(rows, schema=REJECTS, orient="row")
    return frame.unique(["line", "reason"], keep="first", maintain_order=True).sort(
        "line", maintain_order=True
    )


def _row_json(row: dict[str, object], columns: dict[str, str], prompts: _Prompts) -> str:
    """Return the mapped values of a row as JSON, by the names of the file's columns."""
    values = {
        column: prompts.texts.get(str(row["prompt_id"]))
        if name == "prompt"
        else row[_RAW_NAMES.get(name, name)]
        for name, column in columns.items()
    }
    named = {"model": "model", "quality": "quality", "cost_usd": "cost_usd"}
    wide = {key: row[name] for key, name in named.items() if name not in columns and row[name]}
    known = {key: value for key, value in {**values, **wide}.items() if value is not None}
    return json.dumps(known, ensure_ascii=False)


def _assemble(
    cleaned: Cleaned,
    prompts: _Prompts,
    mapping: ColumnMapping,
    rejects: pl.DataFrame,
    import_row: dict[str, object],
) -> Ingest:
    rows = cleaned.rows
    labels = rows.group_by("prompt_id").agg(pl.col("label").drop_nulls().first())
    texts = pl.DataFrame(
        {"prompt_id": list(prompts.texts), "text": list(prompts.texts.values())},
        schema={"prompt_id": pl.String, "text": pl.String},
    )
    requests = rows.unique("request_id", keep="first", maintain_order=True).with_columns(
        import_id=pl.lit(import_row["import_id"])
    )
    outcomes = rows.filter(pl.col("model").is_not_null()).rename({"model": "model_id"})
    return Ingest(
        prompts=conform(texts.join(labels, on="prompt_id", how="inner"), PROMPTS),
        requests=conform(requests.select(list(REQUESTS.schema)), REQUESTS),
        outcomes=conform(outcomes.select(list(OUTCOMES.schema)), OUTCOMES),
        import_row=conform(pl.DataFrame([import_row], schema=IMPORTS.schema), IMPORTS),
        rejects=rejects,
        mapping=mapping,
        described=tuple(describe(mapping)),
        n_rows=int(str(import_row["n_rows"])),
        n_rejected=int(str(import_row["n_rejected"])),
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _digest_files(paths: Sequence[Path]) -> str:
    """Return the digest of a file; of several, that of their digests."""
    digests = []
    for path in paths:
        with path.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "blake2b").hexdigest())
    return digests[0] if len(digests) == 1 else _digest("".join(digests))
