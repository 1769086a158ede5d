"""Progress of long work: a bar with rate and time left on a terminal, silence elsewhere."""

import sys
from typing import Protocol

from tqdm import tqdm


class Progress(Protocol):
    """Counts finished items of a known number."""

    def update(self, n: int) -> object:
        """Count `n` more as finished."""
        ...

    def close(self) -> object:
        """End the count."""
        ...


def progress_bar(label: str, total: int | None) -> Progress:
    """Show a bar on stderr if it is a terminal."""
    return tqdm(desc=label, total=total, unit="prompt", disable=not sys.stderr.isatty())
