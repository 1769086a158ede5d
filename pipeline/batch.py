"""Routing a whole file: rows in, the same rows with a receipt out, in constant memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from pipeline.charset import UTF8
from pipeline.chunks import Chunk, Reject
from pipeline.formats import Format, target_format
from pipeline.mapping import ColumnMapping, detect_prompt
from pipeline.prompt_text import routing_text
from pipeline.resuming import Checkpoint, Keeping, forget, rejects_path, write_checkpoint
from pipeline.rows import Source, about_file, open_source, read_chunks
from pipeline.writers import Writers
from profiles.errors import SchemaError, UsageError
from profiles.profile import UNASSIGNED
from profiles.tables import RECEIPT

EMPTY_PROMPT = "empty prompt"
CHUNK_ROWS = 2000
_N_REJECTS_SHOWN = 20
_NONE = pl.DataFrame(schema=RECEIPT)


class Decide(Protocol):
    """Texts to one row of `RECEIPT` each, in the same order."""

    def __call__(self, texts: list[str], lines: Sequence[int], /) -> pl.DataFrame:
        """Decide; `lines` says where in the file each text is, as `Chunk.lines` does."""
        ...


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of several runs over one file, each of which writes a part of the whole output.

    Shards are contiguous, so that their outputs one after the other are the output of one run;
    therefore only the first has the header of a CSV file.
    """

    number: int
    """From 1."""
    of: int

    def range_of(self, n_chunks: int) -> range:
        """Return which of a file's chunks are its own.

        Raises
        ------
        UsageError
            If there are fewer chunks than shards.
        """
        if n_chunks < self.of:
            raise UsageError(
                f"--shard {self.number}/{self.of}: the file has {n_chunks} parts of at most "
                f"{CHUNK_ROWS:,} rows, which are not split. Use at most {n_chunks} shards."
            )
        starts = [place * n_chunks // self.of for place in range(self.of + 1)]
        return range(starts[self.number - 1], starts[self.number])


@dataclass(frozen=True, kw_only=True)
class BatchSummary:
    """What routing a file came to."""

    n_rows: int
    """All rows of the input."""
    n_routed: int
    n_unroutable: int
    """Rows with an empty prompt; they are in the output, without a model."""
    n_rejected: int
    """Rows that could not be read; they are in the rejects file only."""
    calls: dict[str, int]
    """Rows for each model, most first."""
    expected_cost_usd: float | None
    """Sum of the known costs; None if no cost is known."""
    n_cost_unknown: int
    """Routed rows without an expected cost."""
    n_unassigned: int
    """Routed rows unlike every domain; they take the fallback."""
    receipt_columns: tuple[str, ...]
    """As written: with a prefix if the input had one of the names."""
    n_guarded: int
    """CSV cells that got an apostrophe because a spreadsheet would take them for formulas."""
    path: Path | None
    """The written file; None for standard output and for a dry run."""
    rejects_path: Path | None
    """None if there is no rejects file."""
    first_rejects: tuple[Reject, ...]
    """At most 20."""


@dataclass(kw_only=True)
class _Tally:
    n_routed: int = 0
    n_unroutable: int = 0
    n_rejected: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    cost_usd: float = 0.0
    n_cost_unknown: int = 0
    n_unassigned: int = 0
    n_guarded: int = 0
    first_rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def restored(cls, counts: Mapping[str, Any]) -> "_Tally":
        """Return what `asdict` gave before the run was interrupted."""
        rejects = [Reject(**reject) for reject in counts["first_rejects"]]
        return cls(**{**counts, "calls": Counter(counts["calls"]), "first_rejects": rejects})

    def n_rows(self) -> int:
        return self.n_routed + self.n_unroutable + self.n_rejected

    def add(self, decided: pl.DataFrame, n_empty: int, rejects: Sequence[Reject]) -> None:
        self.n_routed += decided.height
        self.n_unroutable += n_empty
        self.n_rejected += len(rejects)
        self.calls.update(decided["model"].drop_nulls().to_list())
        self.cost_usd += float(decided["expected_cost_usd"].sum())
        self.n_cost_unknown += decided["expected_cost_usd"].null_count()
        self.n_unassigned += int(decided["domain"].eq(UNASSIGNED).sum())
        self.first_rejects += rejects[: _N_REJECTS_SHOWN - len(self.first_rejects)]


def route_file(
    source: str | Path,
    target: str | Path,
    decide: Decide,
    *,
    mapping: ColumnMapping | None = None,
    encoding: str = UTF8,
    chunk_rows: int = CHUNK_ROWS,
    progress: Callable[[int], None] | None = None,
    dry_run: bool = False,
    guard_formulas: bool = True,
    shard: Shard | None = None,
    keeping: Keeping | None = None,
) -> BatchSummary:
    """Route every row of a file and write it with its receipt.

    Parameters
    ----------
    source
        CSV, JSON Lines or Parquet, plain, .gz or .zst; `-` is standard input.
    target
        Its extension is the format; `-` is standard output in the format of the source. Broken
        lines go to ``<target>.rejects.csv``, except for `-`.
    decide
        Texts to receipts.
    mapping
        Only its prompt is used; without one the prompt is detected.
    encoding
        Of a text file; see `pipeline.rows.open_source`. What is written is UTF-8.
    progress
        Called after each chunk with the number of rows done so far.
    dry_run
        Decide, but write nothing.
    guard_formulas
        Put an apostrophe before CSV cells that a spreadsheet would take for formulas.
    shard
        Only this part of the file.
    keeping
        Leave after an interrupt what another run can go on with, or go on with it.

    Raises
    ------
    InputFileError
        If the source cannot be read.
    UsageError
        If the prompt cannot be told, or the target cannot be written, continued or is the source.
    """
    asked_format = target_format(str(target))
    _require_another(source, target)
    resume = keeping.resume if keeping else None
    tally = _Tally.restored(resume.counts) if resume else _Tally()
    with open_source(source, encoding) as opened, ExitStack() as stack:
        with about_file(source):
            prompt = detect_prompt(opened.columns, given=mapping)
        names = _receipt_names(opened.columns)
        format_ = asked_format or Format(kind=opened.kind, codec=None)
        writers = Writers(stack=stack, keeping=keeping)
        if not dry_run:
            writers.open(
                target,
                format_,
                opened,
                names,
                guard_formulas=guard_formulas,
                is_start=shard is None or shard.number == 1,
            )
        for number, chunk in _chunks_to_do(opened, chunk_rows, shard, resume):
            receipts = _decide_chunk(chunk, prompt, decide, tally)
            writers.write(chunk, receipts.rename(dict(zip(RECEIPT, names, strict=True))))
            tally.n_guarded += writers.take_n_guarded()
            if keeping and not dry_run:
                _save(Path(target), keeping, writers, tally, n_chunks=number + 1)
            if progress is not None:
                progress(tally.n_rows())
    if keeping and not dry_run:
        forget(Path(target))
    return _summarise(tally, names, writers)


def _chunks_to_do(
    source: Source, chunk_rows: int, shard: Shard | None, resume: Checkpoint | None
) -> Iterator[tuple[int, Chunk]]:
    """Yield the chunks of the file that are still to be routed, with their numbers from 0."""
    wanted = None
    if shard is not None:
        wanted = shard.range_of(sum(1 for _ in read_chunks(source, chunk_rows=chunk_rows)))
    n_done = resume.n_chunks if resume else 0
    for number, chunk in enumerate(read_chunks(source, chunk_rows=chunk_rows)):
        if number >= n_done and (wanted is None or number in wanted):
            yield number, chunk


def _save(
    target: Path, keeping: Keeping, writers: Writers, tally: _Tally, *, n_chunks: int
) -> None:
    n_bytes, n_reject_bytes = writers.settle()
    checkpoint = Checkpoint(
        asked=keeping.asked,
        n_rows=tally.n_rows(),
        n_chunks=n_chunks,
        n_bytes=n_bytes,
        n_reject_bytes=n_reject_bytes,
        counts=asdict(tally) | {"calls": dict(tally.calls)},
        state=keeping.state(),
    )
    write_checkpoint(target, checkpoint)


def _decide_chunk(chunk: Chunk, prompt: str, decide: Decide, tally: _Tally) -> pl.DataFrame:
    """Return one receipt per row of the chunk; an empty prompt has only a reason."""
    texts = [routing_text(value) for value in chunk.column(prompt)]
    asked = [index for index, text in enumerate(texts) if text.strip()]
    lines = [chunk.lines[index] for index in asked]
    decided = decide([texts[index] for index in asked], lines) if asked else _NONE
    decided = _checked(decided, len(asked))
    tally.add(decided, len(texts) - len(asked), chunk.rejects)
    if len(asked) == len(texts):
        return decided
    rows = pl.DataFrame({"row": range(len(texts))}, schema={"row": pl.Int64})
    placed = decided.with_columns(row=pl.Series(asked, dtype=pl.Int64))
    is_empty = ~pl.col("row").is_in(asked)
    reason = pl.when(is_empty).then(pl.lit(EMPTY_PROMPT)).otherwise("reason").alias("reason")
    return (
        rows.join(placed, on="row", how="left", maintain_order="left")
        .with_columns(reason)
        .select(list(RECEIPT))
    )


def _checked(decided: pl.DataFrame, n_texts: int) -> pl.DataFrame:
    missing = [name for name in RECEIPT if name not in decided.columns]
    if missing or decided.height != n_texts:
        raise SchemaError(
            f"Expected {n_texts} receipts with {', '.join(RECEIPT)}, found {decided.height} "
            f"without {missing}. Correct the function that decides."
        )
    return decided.select(list(RECEIPT)).cast(dict(RECEIPT))  # pyright: ignore[reportArgumentType]


def _receipt_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the receipt's column names, all with a prefix if one of them is taken."""
    taken = set(columns)
    if not taken & set(RECEIPT):
        return tuple(RECEIPT)
    prefixes = (f"promptshed{number if number > 1 else ''}_" for number in count(1))
    candidates = (tuple(f"{prefix}{name}" for name in RECEIPT) for prefix in prefixes)
    return next(names for names in candidates if not taken & set(names))


def _require_another(source: str | Path, target: str | Path) -> None:
    for path in (Path(target), rejects_path(Path(target))):
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise UsageError(f"{path}: expected another file than the source. Name another target.")


def _summarise(tally: _Tally, names: tuple[str, ...], writers: Writers) -> BatchSummary:
    rejects = writers.rejects_path if writers.has_rejects else None
    if writers.rejects_path is not None and rejects is None:
        writers.rejects_path.unlink(missing_ok=True)  # of an earlier try
    n_cost_known = tally.n_routed - tally.n_cost_unknown
    calls = sorted(tally.calls.items(), key=lambda item: (-item[1], item[0]))
    return BatchSummary(
        n_rows=tally.n_rows(),
        n_routed=tally.n_routed,
        n_unroutable=tally.n_unroutable,
        n_rejected=tally.n_rejected,
        calls=dict(calls),
        expected_cost_usd=tally.cost_usd if n_cost_known else None,
        n_cost_unknown=tally.n_cost_unknown,
        n_unassigned=tally.n_unassigned,
        receipt_columns=names,
        n_guarded=tally.n_guarded,
        path=writers.path,
        rejects_path=rejects,
        first_rejects=tuple(tally.first_rejects),
    )
