"""Files of other tools as chunks of rows to import; `pipeline.readers` knows the tools."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import polars as pl

from pipeline.chunks import JsonChunk, Reject
from pipeline.mapping import ColumnMapping
from pipeline.readers.fields import COLUMNS, Item, Reader, Refused, Skipped
from pipeline.readers.paths import Record
from pipeline.readers.registry import GENERIC, detect, reader_named
from pipeline.rows import CHUNK_ROWS, Source, read_chunks
from pipeline.scale import AUTO
from profiles.errors import InputFileError, UsageError

_SAMPLE_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which tool wrote a file, and what its format leaves open."""

    form: str = AUTO
    """`auto` tells by the structure of the first records, `generic` maps columns; or one of
    `pipeline.readers.registry.NAMES`."""
    score: str | None = None
    """The score that is the quality, where calls have several."""
    model: str | None = None
    """Of calls that name none."""


ANY_ORIGIN = Origin()


@dataclass(kw_only=True)
class Foreign:
    """Files that belong together, in the format of one tool."""

    reader: Reader
    origin: Origin
    sources: tuple[Source, ...]
    skipped: Counter[str] = field(default_factory=Counter)
    """How many records were left out, by reason; filled by `chunks`."""
    score: str = ""
    """The score that is the quality, empty if there is none; set by `with_quality`."""

    def mapping(self, quality_scale: str) -> ColumnMapping:
        """Return what the columns of the chunks are."""
        scale = self.reader.quality_scale if quality_scale == AUTO else quality_scale
        named = {name.removesuffix("_s"): name for name in COLUMNS}
        return replace(ColumnMapping(quality_scale=scale), **named)

    def chunks(self) -> Iterator[JsonChunk]:
        """Yield the rows of all files, and what could not be read.

        Raises
        ------
        InputFileError
            If there is not a single row.
        """
        broken: list[Reject] = []
        n_rows, first_reject = 0, None
        rows = iter(self.reader.read(self._items(broken)))
        while batch := list(islice(rows, CHUNK_ROWS)):
            chunk = self._chunk(batch, broken)
            n_rows += len(chunk.lines)
            first_reject = first_reject or next(iter(chunk.rejects), None)
            yield chunk
        if n_rows == 0:
            raise self._nothing(first_reject or next(iter(broken), None))

    def with_quality(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with one score as `quality`; see `choose_score`."""
        quality, self.score = choose_score(raw["quality"], self.reader, self.origin.score)
        return raw.with_columns(quality)

    def dump(self, mapping: ColumnMapping) -> str:
        """Return how the files were read, as JSON; the same way gives the same text."""
        told = {
            "from": self.reader.name,
            "score": self.score,
            "model": self.origin.model,
            "quality_scale": mapping.quality_scale,
        }
        return json.dumps(told, ensure_ascii=False, sort_keys=True)

    def describe(self, mapping: ColumnMapping) -> tuple[str, ...]:
        """Return what was taken for what, one line each, to be shown beside an import."""
        reader, scale = self.reader, mapping.quality_scale
        return (
            f"format: {reader.title} (--from {reader.name}; --from generic maps columns instead)",
            f"quality <- {self.score} (scale {scale})" if self.score else "quality: none is there",
            *([f"note: {reader.note}"] if reader.note else []),
            *(f"left out: {n:,} {reason}" for reason, n in self.skipped.most_common()),
        )

    def _nothing(self, reject: Reject | None) -> InputFileError:
        counts = "; ".join(f"{n} {reason}" for reason, n in self.skipped.items())
        refused = f"line {reject.line}: {reject.reason}" if reject else counts
        return InputFileError(
            f"{self.sources[0].name}: expected {self.reader.title} with at least one call, found "
            f"none ({refused or 'no record of that kind'}). Check that all files of it were "
            "named, or name another format with --from."
        )

    def _items(self, broken: list[Reject]) -> Iterator[Item]:
        for source in self.sources:
            for chunk in read_chunks(source):
                broken.extend(chunk.rejects)
                for line, record in zip(chunk.lines, chunk.records(), strict=True):
                    yield Item(line=line, record=record)

    def _chunk(self, batch: list[Item | Skipped | Refused], broken: list[Reject]) -> JsonChunk:
        self.skipped.update(each.reason for each in batch if isinstance(each, Skipped))
        refused = [_reject(each) for each in batch if isinstance(each, Refused)]
        broken.extend(refused)
        kept = [each for each in batch if isinstance(each, Item)]
        rows = [dict(item.record) for item in kept]
        for row in rows:
            row["model"] = self.origin.model if row["model"] is None else row["model"]
        rejects = broken.copy()
        broken.clear()
        return JsonChunk(
            columns=COLUMNS,
            lines=[item.line for item in kept],
            rows=rows,
            raws=[""] * len(rows),
            rejects=rejects,
        )


def open_foreign(sources: Sequence[Source], origin: Origin) -> Foreign | None:
    """Return how to read files of another tool; None if their columns are to be mapped."""
    reader = find_reader(sources[0], origin)
    return reader and Foreign(reader=reader, origin=origin, sources=tuple(sources))


def find_reader(source: Source, origin: Origin) -> Reader | None:
    """Return the reader of a file; None if its columns are to be mapped."""
    if origin.form == GENERIC:
        return None
    sample = first_records(source)
    return detect(sample) if origin.form == AUTO else reader_named(origin.form, sample)


def first_records(source: Source, n_rows: int = _SAMPLE_ROWS) -> list[Record]:
    """Return the first records of a file that can be read, at least one."""
    chunks = read_chunks(source, chunk_rows=n_rows)
    return list(next(chunk for chunk in chunks if chunk.lines).records())


def choose_score(packed: pl.Series, reader: Reader, wanted: str | None) -> tuple[pl.Series, str]:
    """Return one score of every row, and its name; empty if there is none.

    Parameters
    ----------
    packed
        String: for each row a JSON object from score to value, or null.

    Raises
    ------
    UsageError
        If the wanted score is nowhere, or none is wanted and there are several.
    """
    texts = packed.drop_nulls().unique()
    unpacked: dict[str, dict[str, object]] = {text: json.loads(text) for text in texts}
    counts = Counter(name for text in packed.drop_nulls() for name in unpacked[text])
    found = ", ".join(f"{name} ({n:,})" for name, n in counts.most_common()) or "none"
    name = wanted or (reader.score if reader.score in counts else None)
    if name is None and len(counts) > 1:
        raise UsageError(
            f"Expected one score as the quality, found {found}. Choose one with --score NAME."
        )
    if wanted and wanted not in counts:
        raise UsageError(f"Expected the score {wanted!r}, found {found}. Correct --score.")
    name = name or next(iter(counts), "")
    codes = {text: _text(scores.get(name)) for text, scores in unpacked.items()}
    values = packed.replace_strict(codes, default=None, return_dtype=pl.String)
    return values.alias("quality"), name


def _text(value: object) -> str | None:
    """Return a score as text; a truth value as 1 or 0."""
    if value is None:
        return None
    return str(int(value)) if isinstance(value, bool) else str(value)


def _reject(refused: Refused) -> Reject:
    row = json.dumps(refused.item.record, ensure_ascii=False, default=str)
    return Reject(line=refused.item.line, reason=refused.reason, row=row)
