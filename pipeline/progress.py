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
    """Let every count inside be told to someone as well."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def progress_bar(label: str, total: int | None) -> Progress:
    """Show a bar on stderr if it is a terminal, and tell whoever watches."""
    bar = tqdm(desc=label, total=total, unit="prompt", disable=not sys.stderr.isatty())
    watch = _WATCH.get()
    return bar if watch is None else _Watched(bar=bar, label=label, total=total, watch=watch)


@dataclass(kw_only=True)
class _Watched:
    bar: Progress
    label: str
    total: int | None
    watch: Watch
    n_done: int = 0

    def update(self, n: int) -> None:
        self.n_done += n
        self.bar.update(n)
        self.watch(self.label, self.n_done, self.total)

    def close(self) -> None:
        self.bar.close()
