"""Dotted paths into a record, whether it is nested, flattened, or holds JSON as text."""

import json
from collections.abc import Mapping, Sequence

Record = Mapping[str, object]
Paths = tuple[str, ...]
_NOTHING = (None, "", {}, [])


def value_at(value: object, path: str) -> object:
    """Return what a path leads to; None where it leads nowhere or to nothing.

    A key may itself have dots, as flattened columns do; numbers are places in a list; text that
    is JSON is entered, since CSV has no other way to nest.

    >>> value_at({"a.b": [{"c": 1}]}, "a.b.0.c"), value_at({"a": '{"b": 2}'}, "a.b")
    (1, 2)
    >>> value_at({"a": {}}, "a") is None
    True
    """
    if isinstance(value, str):
        value = from_json(value)
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        inside = value[int(head)] if head.isdigit() and int(head) < len(value) else None
        return _enter(inside, rest)
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return _enter(value[path], "")
    parts = path.split(".")
    for n in range(len(parts) - 1, 0, -1):
        key = ".".join(parts[:n])
        if key in value:
            return value_at(value[key], ".".join(parts[n:]))
    return None


def first_at(record: Record, paths: Sequence[str]) -> object:
    """Return the first value that one of the paths leads to; None if none does."""
    found = (value_at(record, path) for path in paths)
    return next((value for value in found if value is not None), None)


def has_all(record: Record, paths: Sequence[str]) -> bool:
    """Tell whether a record has all keys; of a nested one, whether there is a value too."""
    return all(path in record or value_at(record, path) is not None for path in paths)


def mapping_at(record: Record, path: str) -> Record:
    """Return the mapping that a path leads to, an empty one if it leads to no mapping."""
    value = value_at(record, path)
    value = from_json(value) if isinstance(value, str) else value
    return value if isinstance(value, Mapping) else {}


def list_at(record: Record, path: str) -> list[object]:
    """Return the list that a path leads to, an empty one if it leads to no list."""
    value = value_at(record, path)
    value = from_json(value) if isinstance(value, str) else value
    return value if isinstance(value, list) else []


def from_json(text: str) -> object:
    """Return what a text spells if it is a JSON object or list, otherwise None."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _enter(value: object, rest: str) -> object:
    if rest:
        return value_at(value, rest)
    return None if any(value is nothing or value == nothing for nothing in _NOTHING) else value
