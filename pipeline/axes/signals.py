"""Texts to evidence: which signals fired, and what they say together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, softmax

from pipeline.axes.axis import Axis

_HEAD_CHARS, _TAIL_CHARS = 20_000, 4_000
_MOST_MATCHES = 3


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the signals of one axis say of each text."""

    fired: NDArray[np.bool_]
    """Shape (n, n_signals)."""
    log_odds: NDArray[np.float64]
    """Shape (n, n_values): what is held without a signal, plus what fired."""


def read_signals(texts: Sequence[str], axis: Axis) -> Evidence:
    """Look for every signal of an axis in every text.

    Parameters
    ----------
    texts
        Any text, empty ones and hostile ones included. Of a long one the first 20,000 and the
        last 4,000 characters are read, so the time of a text is bounded.

    Returns
    -------
    Evidence
        Row i is of ``texts[i]``. A signal of weight w adds w·log2(1 + matches), matches counted
        up to 3, once it has as many matches as it needs.
    """
    clipped = pl.Series([_clip(text) for text in texts], dtype=pl.String)
    counts = (
        pl.select(
            pl.lit(clipped).str.count_matches(signal.pattern).alias(str(number))
            for number, signal in enumerate(axis.signals)
        )
        .to_numpy()
        .reshape(len(texts), len(axis.signals))
    )
    needed = np.array([signal.at_least for signal in axis.signals])
    fired = counts >= needed
    beyond = np.minimum(counts - needed + 1, _MOST_MATCHES)
    weights = np.array([signal.weight for signal in axis.signals])
    evidence = np.where(fired, weights * np.log2(1.0 + np.maximum(beyond, 0)), 0.0)
    belongs = np.array([[s.value == value for value in axis.values] for s in axis.signals])
    base = np.array([axis.base.get(value, 0.0) for value in axis.values])
    return Evidence(fired=fired, log_odds=base + evidence @ belongs)


def probabilities(log_odds: NDArray[np.float64], axis: Axis) -> NDArray[np.float64]:
    """Return the probability of each value, shape (n, n_values).

    Rows sum to 1 where one value holds at a time. Where several may, each value stands for
    itself, and the first one is the chance that none of the others holds.
    """
    if not axis.is_many:
        return softmax(log_odds, axis=1)
    others = expit(log_odds[:, 1:])
    return np.column_stack([np.prod(1.0 - others, axis=1), others])


def _clip(text: str) -> str:
    if len(text) > _HEAD_CHARS + _TAIL_CHARS:
        text = text[:_HEAD_CHARS] + "\n" + text[-_TAIL_CHARS:]
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text to polars
