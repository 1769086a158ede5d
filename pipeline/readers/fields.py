"""One logged call: where a format keeps its values, and the row that is imported of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.readers.chats import chat_of
from pipeline.readers.paths import Paths, Record, first_at
from pipeline.scale import AUTO
from pipeline.units import ISO, read_time, seconds, seconds_between

COLUMNS = (
    "prompt",
    "model",
    "quality",
    "cost_usd",
    "latency_s",
    "n_tokens_in",
    "n_tokens_out",
    "prompt_id",
    "request_id",
    "occurred_at",
    "label",
)
"""Of a row that is imported; `quality` is a mapping from a score's name to its value."""
FAILED, NO_CALL = "calls that failed", "records that are no call of a language model"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A record of a file, or the row made of it."""

    line: int
    """Where the record starts in its file."""
    record: Record


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A record that says nothing of a prompt or a model, and was not meant to."""

    reason: str
    """In the plural, to be counted: `FAILED`, `NO_CALL`."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A record that should have been a row."""

    item: Item
    reason: str


Read = Callable[[Iterable[Item]], Iterator[Item | Skipped | Refused]]
"""From the records of all files that belong together to rows with the keys `COLUMNS`."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How one format is told from others, and read."""

    name: str
    """As `--from` takes it; several readers of one tool share it."""
    title: str
    signatures: tuple[Paths, ...]
    """A record with all keys of one of them is of this format."""
    read: Read
    note: str = ""
    """What a user should know of the numbers."""
    score: str | None = None
    """The score that is meant if the user names none and there are several."""
    quality_scale: str = AUTO
    """If the user names none."""
    is_joined: bool = False
    """Several files of this format are read together: one completes the other."""


@dataclass(frozen=True, kw_only=True)
class Fields:
    """For each value of a call the paths that may lead to it, in falling order of preference."""

    prompt: Paths
    model: Paths = ()
    cost_usd: Paths = ()
    n_tokens_in: Paths = ()
    n_tokens_out: Paths = ()
    prompt_id: Paths = ()
    request_id: Paths = ()
    label: Paths = ()
    latency: Paths = ()
    latency_unit: str = "s"
    started: Paths = ()
    ended: Paths = ()
    """Where no path of `latency` leads anywhere, it is the time between the two."""
    time_unit: str = ISO
    scores: Callable[[Record], Mapping[str, object]] = lambda _record: {}


_COPIED = ("model", "cost_usd", "n_tokens_in", "n_tokens_out", "prompt_id", "request_id", "label")


def row_of(record: Record, fields: Fields) -> dict[str, object]:
    """Return the row of a call; what is not there is None, what is broken stays to be refused."""
    started, ended = first_at(record, fields.started), first_at(record, fields.ended)
    latency = seconds(first_at(record, fields.latency), fields.latency_unit)
    if latency is None:
        latency = seconds_between(started, ended, fields.time_unit)
    scores = {name: value for name, value in fields.scores(record).items() if value is not None}
    return {
        "prompt": chat_of(first_at(record, fields.prompt)),
        "quality": scores or None,
        "latency_s": latency,
        "occurred_at": _iso(started, fields.time_unit),
        **{name: first_at(record, getattr(fields, name)) for name in _COPIED},
    }


def read_flat(
    fields: Fields, *, skip: Callable[[Record], str | None] = lambda _record: None
) -> Read:
    """Return a reader of files in which one record is one call.

    Parameters
    ----------
    skip
        Returns why a record is left out, or None.
    """

    def read(items: Iterable[Item]) -> Iterator[Item | Skipped | Refused]:
        for item in items:
            reason = skip(item.record)
            if reason:
                yield Skipped(reason=reason)
            else:
                yield Item(line=item.line, record=row_of(item.record, fields))

    return read


def spread(
    unpack: Callable[[Record], Iterable[Record]], read: Read
) -> Callable[[Iterable[Item]], Iterator[Item | Skipped | Refused]]:
    """Let `read` see the records that are packed in one; a file of one pack numbers them."""

    def unpacked(items: Iterable[Item]) -> Iterator[Item]:
        packs = iter(items)
        first, second = next(packs, None), next(packs, None)
        if first is not None and second is None:
            yield from (
                Item(line=n, record=record) for n, record in enumerate(unpack(first.record), 1)
            )
            return
        for pack in (first, second, *packs):
            if pack is not None:
                yield from (Item(line=pack.line, record=r) for r in unpack(pack.record))

    return lambda items: read(unpacked(items))


def _iso(value: object, unit: str) -> object:
    if value is None or unit == ISO:
        return value
    moment = read_time(str(value), unit)
    return value if moment is None else moment.isoformat()
