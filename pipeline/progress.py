"""Progress of long work: a bar with rate and time left on a terminal, silence elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from tqdm import tqdm

Watch = Callable[[str, int, int | None], None]
"""Is told what is counted, how many are done, and of how many (None: not known)."""

_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)
_OPEN: ContextVar[tuple[object, ...]] = ContextVar("open", default=())
"""The watched bars that are not closed, the outermost first."""


class Progress(Protocol):
    """Counts finished items of a known number."""

    def update(self, n: int) -> object:
        """Count `n` more as finished."""
        ...

    def close(self) -> object:
        """End the count."""
        ...


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Let every count inside be told to someone as well; of nested ones, the outermost."""
    token, opened = _WATCH.set(watch), _OPEN.set(())
    try:
        yield
    finally:
        _WATCH.reset(token)
        _OPEN.reset(opened)


def progress_bar(label: str, total: int | None) -> Progress:
    """Show a bar on stderr if it is a terminal, and tell whoever watches."""
    bar = tqdm(desc=label, total=total, unit="prompt", disable=not sys.stderr.isatty())
    watch = _WATCH.get()
    if watch is None:
        return bar
    watched_bar = _Watched(bar=bar, label=label, total=total, watch=watch)
    _OPEN.set((*_OPEN.get(), watched_bar))
    return watched_bar


@dataclass(kw_only=True, eq=False)
class _Watched:
    bar: Progress
    label: str
    total: int | None
    watch: Watch
    n_done: int = 0

    def update(self, n: int) -> None:
        self.n_done += n
        self.bar.update(n)
        if _OPEN.get()[:1] == (self,):
            self.watch(self.label, self.n_done, self.total)

    def close(self) -> None:
        self.bar.close()
        _OPEN.set(tuple(other for other in _OPEN.get() if other is not self))
