"""What an axis is, and how signals are written down."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Something in a text that speaks for a value."""

    value: str
    name: str
    """What fired, in plain words for the person who reads the explanation."""
    pattern: str
    weight: float = 2.0
    """Log-odds it adds at its first match; more matches add up to as much again."""
    at_least: int = 1
    """Matches needed to fire."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One question asked of every prompt."""

    name: str
    values: tuple[str, ...]
    """On an axis with several values at once the first one means none of the others."""
    base: dict[str, float] = field(default_factory=dict[str, float])
    """Log-odds without any signal; 0 where not given."""
    signals: tuple[Signal, ...]
    is_many: bool = False
    """Whether several values may hold at once."""
    is_learned: bool = False
    """Whether it is of topics and tasks, which vectors know, so that a classifier can help."""

    @property
    def usual(self) -> str:
        """The value that holds when no signal fires."""
        if self.is_many:
            return self.values[0]
        return max(self.values, key=lambda value: self.base.get(value, 0.0))


def words(listed: str) -> str:
    r"""Return a pattern of any of these words or phrases, divided by commas; whole, in any case.

    >>> print(words("tenants?, court order"))
    (?i)\b(?:tenants?|court order)\b
    """
    parts = "|".join(" ".join(part.split()) for part in listed.split(","))
    return rf"(?i)\b(?:{parts})\b"
