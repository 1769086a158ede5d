"""The two files that routing writes: the target, and the rows that could not be read."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipeline.atomic import replaced_file
from pipeline.chunks import Chunk, Reject
from pipeline.csv_text import csv_text, guard_cell
from pipeline.formats import Format
from pipeline.resuming import Keeping, forget, kept_part, rejects_path, settle
from pipeline.rows import STDIN, Source
from pipeline.targets import Target, open_target


@dataclass(kw_only=True)
class Writers:
    """The target and its rejects file; neither in a dry run.

    Both appear whole or not at all. With `keeping` an interrupt leaves parts of them to go on with.
    """

    stack: ExitStack
    keeping: Keeping | None = None
    path: Path | None = None
    target: Target | None = None
    rejects_path: Path | None = None
    _part: BinaryIO | None = None
    _rejects: BinaryIO | None = None

    def open(
        self,
        target: str | Path,
        format_: Format,
        source: Source,
        names: tuple[str, ...],
        *,
        guard_formulas: bool,
        is_start: bool,
    ) -> None:
        """Open the target, under another name until everything is written."""
        resume = self.keeping.resume if self.keeping else None
        stream: BinaryIO = sys.stdout.buffer
        if str(target) != STDIN:
            self.path = Path(target)
            self.rejects_path = rejects_path(self.path)
            stream = self._open_file(self.path, resume.n_bytes if resume else 0)
            if self.keeping is not None and resume is None:
                forget(self.path)
            if resume and resume.n_reject_bytes:
                self._rejects = self._open_file(self.rejects_path, resume.n_reject_bytes)
        self._part = stream
        opened = open_target(
            stream,
            format_,
            source,
            receipt_columns=names,
            guard_formulas=guard_formulas,
            is_start=is_start and resume is None,
        )
        self.target = self.stack.enter_context(opened)

    def _open_file(self, path: Path, n_bytes: int) -> BinaryIO:
        if self.keeping is not None:
            return self.stack.enter_context(kept_part(path, n_bytes))
        temporary = self.stack.enter_context(replaced_file(path))
        return self.stack.enter_context(temporary.open("wb"))

    def write(self, chunk: Chunk, receipts: pl.DataFrame) -> None:
        """Write the rows of a chunk and its rejects."""
        if self.target is not None and chunk.lines:
            self.target.write(chunk, receipts)
        if self.rejects_path is not None and chunk.rejects:
            self._write_rejects(self.rejects_path, chunk.rejects)

    def _write_rejects(self, path: Path, rejects: list[Reject]) -> None:
        rows = [[item.line, guard_cell(item.reason), guard_cell(item.row)] for item in rejects]
        if self._rejects is None:
            self._rejects = self._open_file(path, 0)
            self._rejects.write(csv_text([["line", "reason", "row"]]).encode())
        self._rejects.write(csv_text(rows).encode())

    def take_n_guarded(self) -> int:
        """Return how many cells were guarded since this was asked last."""
        if self.target is None:
            return 0
        n_guarded, self.target.n_guarded = self.target.n_guarded, 0
        return n_guarded

    @property
    def has_rejects(self) -> bool:
        """Tell whether there is a rejects file."""
        return self._rejects is not None

    def settle(self) -> tuple[int, int]:
        """Put everything on the disk; returns the bytes of target and rejects."""
        n_bytes = settle(self._part) if self._part else 0
        return n_bytes, settle(self._rejects) if self._rejects else 0
