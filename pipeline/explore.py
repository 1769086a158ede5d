"""Exploration: now and then another model, with a known chance, so that logs can be learned from.

What a routing that was never tried would have been worth can be known only where the logged choice
was drawn with a known chance (`pipeline.off_policy`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.split import hash_shares


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Choices, some of them drawn at random."""

    chosen: NDArray[np.int64]
    """Shape (n,): columns."""
    propensity: NDArray[np.float64]
    """Shape (n,), in (0, 1]: the chance that this prompt got this model."""
    explored: NDArray[np.bool_]
    """Shape (n,): the draw fell on another model than the best."""


def draw_alternatives(
    candidates: NDArray[np.bool_],
    best: NDArray[np.int64],
    shares: NDArray[np.float64],
    *,
    explore: float,
) -> Drawn:
    """Give a share of the prompts one of their k candidates, each with the same chance.

    The best model is one of them, so its chance is 1 − explore + explore / k, and that of each
    other candidate explore / k.

    Parameters
    ----------
    candidates
        Shape (n, n_models): which models keep the limits; the best one counts in any case.
    best
        Shape (n,): the columns of the normal choices.
    shares
        Shape (n,), in [0, 1): one uniform number for each prompt.
    explore
        In [0, 1]: the share of the prompts for which lots are drawn.
    """
    rows = np.arange(len(best))
    allowed = candidates.copy()
    allowed[rows, best] = True
    n_candidates = allowed.sum(axis=1)
    lot = np.minimum(shares / max(explore, 1e-300) * n_candidates, n_candidates - 1).astype(
        np.int64
    )
    place = np.cumsum(allowed, axis=1) - 1
    drawn = np.argmax(allowed & (place == lot[:, None]), axis=1)
    chosen = np.where(shares < explore, drawn, best)
    each = explore / n_candidates
    return Drawn(
        chosen=chosen,
        propensity=np.where(chosen == best, 1.0 - explore + each, each),
        explored=chosen != best,
    )


def row_shares(
    lines: Sequence[int], prompt_ids: Sequence[str], *, seed: int
) -> NDArray[np.float64]:
    """Return one number in [0, 1) for each row of a file, the same each time it is routed.

    A prompt that comes again on another line draws again.
    """
    rows = [f"{line}:{wanted}" for line, wanted in zip(lines, prompt_ids, strict=True)]
    return hash_shares(rows, seed=seed)
