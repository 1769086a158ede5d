"""The records in the lines of a CSV or JSON Lines file, each with the line on which it starts."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from pipeline.charset import UTF8
from pipeline.chunks import Reject

LONGEST_FIELD = 1 << 28  # characters; an unclosed quote must not swallow a whole file
BOM = b"\xef\xbb\xbf"
_CUT_OFF = "; the file may be cut off here"
_DAMAGED = "the compressed data ends or is damaged here"
_JSON_NAMES = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
_Value = TypeVar("_Value")
Record: TypeAlias = tuple[int, _Value, str]
"""Line on which it starts, the value, and the raw text."""


@dataclass(kw_only=True)
class Lines:
    """The lines of a text file as strings, remembering those of the record being read."""

    stream: Iterator[bytes]
    encoding: str = UTF8
    n_lines: int = 0
    record: list[str] = field(default_factory=list)
    problem: str | None = None
    is_open_ended: bool = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = next(self.stream)
        raw = raw.removeprefix(BOM) if self.n_lines == 0 else raw
        self.n_lines += 1
        self.is_open_ended = not raw.endswith(b"\n")
        try:
            text = raw.decode(self.encoding)
        except UnicodeDecodeError as error:
            column = len(raw[: error.start].decode(self.encoding)) + 1
            self.problem = (
                f"invalid {self.encoding.upper()}: byte 0x{raw[error.start]:02x} at column "
                f"{column}; --encoding names another one"
            )
            text = raw.decode(self.encoding, errors="backslashreplace")
        self.record.append(text)
        return text

    def start(self) -> None:
        """Forget the record before."""
        self.record, self.problem = [], None

    def reject(self, reason: str) -> Reject:
        """Return the record being read as a reject."""
        first = self.n_lines - max(len(self.record), 1) + 1
        return Reject(line=first, reason=reason, row="".join(self.record).rstrip("\r\n"))


def read_header(lines: Lines, delimiter: str) -> tuple[str, ...]:
    """Return the column names of a CSV file.

    Raises
    ------
    csv.Error
        If the quotes of the first line do not match.
    """
    return tuple(next(csv.reader(lines, delimiter=delimiter, strict=True)))


def csv_records(
    lines: Lines, *, delimiter: str, n_columns: int
) -> Iterator[Record[list[str]] | Reject]:
    """Yield the rows of a CSV file whose header was already read; blank lines are no rows."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield lines.reject(lines.problem or f"invalid CSV: {error}")
        except OSError as error:
            yield lines.reject(f"{_DAMAGED}: {error}")
            return
        else:
            yield from _checked_csv(lines, cells, n_columns)


def _checked_csv(
    lines: Lines, cells: list[str], n_columns: int
) -> Iterator[Record[list[str]] | Reject]:
    if lines.problem:
        yield lines.reject(lines.problem)
    elif cells and len(cells) != n_columns:
        hint = _CUT_OFF if lines.is_open_ended and len(cells) < n_columns else ""
        yield lines.reject(f"expected {n_columns} fields, found {len(cells)}{hint}")
    elif cells:  # a blank line is no row
        yield lines.n_lines - len(lines.record) + 1, cells, "".join(lines.record)


def json_records(lines: Lines) -> Iterator[Record[dict[str, object]] | Reject]:
    """Yield the objects of a JSON Lines file; blank lines are no rows."""
    while True:
        lines.start()
        try:
            text = next(lines).strip()
        except StopIteration:
            return
        except OSError as error:
            yield lines.reject(f"{_DAMAGED}: {error}")
            return
        if text:
            yield _checked_json(lines, text)


def _checked_json(lines: Lines, text: str) -> Record[dict[str, object]] | Reject:
    if lines.problem:
        return lines.reject(lines.problem)
    try:
        value = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return lines.reject("invalid Unicode: half of a surrogate pair")
    except RecursionError:
        return lines.reject("invalid JSON: nested too deeply")
    except ValueError as error:
        hint = _CUT_OFF if lines.is_open_ended else ""
        return lines.reject(f"invalid JSON: {error}{hint}")
    if not isinstance(value, dict):
        return lines.reject(f"expected a JSON object, found {_JSON_NAMES[type(value)]}")
    return lines.n_lines, value, text
