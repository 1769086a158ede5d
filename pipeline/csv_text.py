"""Rows to CSV text that every reader splits alike and no spreadsheet runs."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CRLF = "\r\n"


@dataclass(frozen=True)
class _Lines:
    """Where the writer puts its rows; it calls `write` once for each."""

    lines: list[str] = field(default_factory=list)

    def write(self, line: str) -> None:
        self.lines.append(line.removesuffix(_CRLF))


def csv_text(rows: Iterable[Sequence[object]], *, delimiter: str = ",") -> str:
    r"""Return rows as CSV lines that end in a line feed.

    >>> csv_text([["a", "b\rc"]])
    'a,"b\rc"\n'
    """
    sink = _Lines()
    # the terminator is also what must be quoted: with "\n" alone a "\r" in a cell would split it
    csv.writer(sink, delimiter=delimiter, lineterminator=_CRLF).writerows(rows)
    return "".join(f"{line}\n" for line in sink.lines)


def guard_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula.

    >>> guard_cell("=1+1"), guard_cell("-1.5e3"), guard_cell("plain")
    ("'=1+1", '-1.5e3', 'plain')
    """
    return f"'{text}" if _is_formula(text) else text


def unguard_cell(text: str) -> str:
    """Take the apostrophe of `guard_cell` away again.

    >>> unguard_cell("'=1+1"), unguard_cell("'plain'")
    ('=1+1', "'plain'")
    """
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return text.startswith(_RISKY_STARTS) and _NUMBER.fullmatch(text) is None
