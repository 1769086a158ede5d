"""Scores that stand in records of their own, joined to the calls that they are about."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What was said of calls, by the id of a call or of what it is a part of."""

    _said: dict[str, dict[str, list[object]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, about: object, name: object, value: object) -> None:
        """Remember a score, in any order; one of nothing is said of no call."""
        if about is None:
            return
        self._said[str(about)][str(name)].append(value)

    def on(self, *ids: object) -> dict[str, object]:
        """Return every score of what has one of these ids; a later id's wins."""
        found: dict[str, object] = {}
        for about in ids:
            given = {} if about is None else self._said.get(str(about), {})
            found |= {name: _one(values) for name, values in given.items()}
        return found


def number(value: object) -> float | None:
    """Return a score as a number: truth values and numbers, in CSV as text; None if it is none.

    >>> number("0.5"), number(True), number("fine")
    (0.5, 1.0, None)
    """
    if not isinstance(value, bool | int | float | str):
        return None
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return float(value.lower() == "true")
    try:
        return float(value)
    except ValueError:
        return None


def _one(values: list[object]) -> object:
    """Return several values as one: the mean of numbers; None where words differ."""
    numbers = [found for value in values if (found := number(value)) is not None]
    if len(numbers) == len(values):
        return fmean(numbers)
    return values[0] if len(set(values)) == 1 else None
