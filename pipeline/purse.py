"""Limits that the threads of a run share: the money that is left, and the calls of a minute."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


class NoMoneyError(Exception):
    """The next call might exceed the cap."""


@dataclass(kw_only=True)
class Purse:
    """The money that is left, shared by threads."""

    max_usd: float | None
    note: Callable[[float], None]
    """Called with the most that can be gone before any of it goes, so that it outlives a kill."""
    spent_usd: float = 0.0
    _held_usd: float = 0.0
    _free: threading.Condition = field(default_factory=threading.Condition)

    def hold(self, most_usd: float) -> None:
        """Set money aside, waiting for others to bring theirs back; refuse if it is too much."""
        with self._free:
            while self.max_usd is not None and (
                self.spent_usd + self._held_usd + most_usd > self.max_usd
            ):
                if self._held_usd == 0.0:
                    raise NoMoneyError
                self._free.wait()
            self._held_usd += most_usd
            self.note(self.spent_usd + self._held_usd)

    def settle(self, most_usd: float, spent_usd: float) -> None:
        """Bring back what was set aside and pay what was spent."""
        with self._free:
            self._held_usd = max(self._held_usd - most_usd, 0.0)
            if self._held_usd < 1e-12:
                self._held_usd = 0.0
            self.spent_usd += spent_usd
            self._free.notify_all()


@dataclass(kw_only=True)
class Pace:
    """Lets calls start no faster than asked."""

    per_minute: float | None
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Wait for the next place."""
        if self.per_minute is None:
            return
        with self._lock:
            now = time.monotonic()
            place = max(self._next, now)
            self._next = place + 60.0 / self.per_minute
        time.sleep(max(place - now, 0.0))
