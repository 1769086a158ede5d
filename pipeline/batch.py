"""Routing a whole file: rows in, the same rows with a receipt out, in constant memory."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO, TextIO

import polars as pl

from pipeline.atomic import replaced_file
from pipeline.chunks import Chunk, Reject
from pipeline.csv_text import csv_text, guard_cell
from pipeline.formats import Format, target_format
from pipeline.mapping import ColumnMapping, detect_prompt
from pipeline.prompt_text import normalise_text, routing_text
from pipeline.rows import STDIN, Source, about_file, open_source, read_chunks
from pipeline.targets import Target, open_target
from profiles.errors import SchemaError, UsageError
from profiles.tables import RECEIPT

EMPTY_PROMPT = "empty prompt"
_N_REJECTS_SHOWN = 20
_NONE = pl.DataFrame(schema=RECEIPT)

Decide = Callable[[list[str]], pl.DataFrame]
"""Texts to one row of `RECEIPT` each, in the same order."""


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
    first_rejects: list[Reject] = field(default_factory=list)

    def n_rows(self) -> int:
        return self.n_routed + self.n_unroutable + self.n_rejected

    def add(self, decided: pl.DataFrame, n_empty: int, rejects: Sequence[Reject]) -> None:
        self.n_routed += decided.height
        self.n_unroutable += n_empty
        self.n_rejected += len(rejects)
        self.calls.update(decided["model"].drop_nulls().to_list())
        self.cost_usd += float(decided["expected_cost_usd"].sum())
        self.n_cost_unknown += decided["expected_cost_usd"].null_count()
        self.first_rejects += rejects[: _N_REJECTS_SHOWN - len(self.first_rejects)]


def route_file(
    source: str | Path,
    target: str | Path,
    decide: Decide,
    *,
    mapping: ColumnMapping | None = None,
    chunk_rows: int = 2000,
    progress: Callable[[int], None] | None = None,
    dry_run: bool = False,
    guard_formulas: bool = True,
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
    progress
        Called after each chunk with the number of rows done so far.
    dry_run
        Decide, but write nothing.
    guard_formulas
        Put an apostrophe before CSV cells that a spreadsheet would take for formulas.

    Raises
    ------
    InputFileError
        If the source cannot be read.
    UsageError
        If the prompt cannot be told, or the target cannot be written or is the source.
    """
    asked_format = target_format(str(target))
    _require_another(source, target)
    tally = _Tally()
    with open_source(source) as opened, ExitStack() as stack:
        with about_file(source):
            prompt = detect_prompt(opened.columns, given=mapping)
        names = _receipt_names(opened.columns)
        format_ = asked_format or Format(kind=opened.kind, codec=None)
        writers = _Writers(stack=stack)
        if not dry_run:
            writers.open(target, format_, opened, names, guard_formulas=guard_formulas)
        for chunk in read_chunks(opened, chunk_rows=chunk_rows):
            receipts = _decide_chunk(chunk, prompt, decide, tally)
            writers.write(chunk, receipts.rename(dict(zip(RECEIPT, names, strict=True))))
            if progress is not None:
                progress(tally.n_rows())
    return _summarise(tally, names, writers)


@dataclass(kw_only=True)
class _Writers:
    """The target and its rejects file; neither in a dry run."""

    stack: ExitStack
    path: Path | None = None
    target: Target | None = None
    rejects_path: Path | None = None
    rejects: TextIO | None = None

    def open(
        self,
        target: str | Path,
        format_: Format,
        source: Source,
        names: tuple[str, ...],
        *,
        guard_formulas: bool,
    ) -> None:
        """Open the target, under another name until everything is written."""
        stream: Path | BinaryIO = sys.stdout.buffer
        if str(target) != STDIN:
            self.path = Path(target)
            self.rejects_path = self.path.with_name(f"{self.path.name}.rejects.csv")
            stream = self.stack.enter_context(replaced_file(self.path))
        opened = open_target(
            stream, format_, source, receipt_columns=names, guard_formulas=guard_formulas
        )
        self.target = self.stack.enter_context(opened)

    def write(self, chunk: Chunk, receipts: pl.DataFrame) -> None:
        """Write the rows of a chunk and its rejects."""
        if self.target is not None and chunk.lines:
            self.target.write(chunk, receipts)
        if self.rejects_path is not None and chunk.rejects:
            self.rejects = self.rejects or self._open_rejects(self.rejects_path)
            rows = [
                [item.line, guard_cell(item.reason), guard_cell(item.row)] for item in chunk.rejects
            ]
            self.rejects.write(csv_text(rows))

    def _open_rejects(self, path: Path) -> TextIO:
        temporary = self.stack.enter_context(replaced_file(path))
        stream = self.stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        stream.write(csv_text([["line", "reason", "row"]]))
        return stream


def _decide_chunk(chunk: Chunk, prompt: str, decide: Decide, tally: _Tally) -> pl.DataFrame:
    """Return one receipt per row of the chunk; an empty prompt has only a reason."""
    texts = [routing_text(value) for value in chunk.column(prompt)]
    asked = [index for index, text in enumerate(texts) if normalise_text(text)]
    decided = _checked(decide([texts[index] for index in asked]), len(asked)) if asked else _NONE
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
    paths = [Path(source), Path(target)]
    if all(path.exists() for path in paths) and paths[0].samefile(paths[1]):
        raise UsageError(f"{target}: expected another file than the source. Name another target.")


def _summarise(tally: _Tally, names: tuple[str, ...], writers: _Writers) -> BatchSummary:
    rejects_path = writers.rejects_path if writers.rejects is not None else None
    if writers.rejects_path is not None and rejects_path is None:
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
        receipt_columns=names,
        n_guarded=writers.target.n_guarded if writers.target else 0,
        path=writers.path,
        rejects_path=rejects_path,
        first_rejects=tuple(tally.first_rejects),
    )
