"""Clusters of a sample, extended to the prompts that were not in it.

Decision: by votes of neighbours, not by prototypes: clusters of HDBSCAN have any shape, and how far
the votes agree with it is measured on held-out members each time, and told.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiles.interval import beta_interval

_N_NEAR = 5
_HELD_OUT = 0.2
_N_ROWS = 512
NOISE = -1


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often the extension says what the clustering said, of prompts it did not see."""

    share: float
    """In [0, 1]; `unclustered` is an answer like any other."""
    lo: float
    """Of a 95 % interval."""
    hi: float
    n_prompts: int


def extend(
    sample: NDArray[np.float32], cluster_ids: NDArray[np.int64], rest: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Put each prompt where most of its five nearest of the sample are.

    That may be in no cluster; and where no cluster has most of the five, the prompt is in none.

    Parameters
    ----------
    sample, rest
        Shape (n, n_dims), unit rows.
    cluster_ids
        Shape (n_sample,): 0 … n_clusters - 1, or -1.

    Returns
    -------
    NDArray
        Shape (n_rest,).
    """
    n_near = min(_N_NEAR, len(sample))
    found = np.full(len(rest), NOISE, dtype=np.int64)
    for start in range(0, len(rest) if n_near else 0, _N_ROWS):
        cosines = rest[start : start + _N_ROWS] @ sample.T
        near = np.argpartition(-cosines, n_near - 1, axis=1)[:, :n_near]
        voted = np.sort(cluster_ids[near], axis=1)
        middle = voted[:, n_near // 2]  # what most say is in the middle
        has_most = 2 * (voted == middle[:, None]).sum(axis=1) > n_near
        found[start : start + _N_ROWS] = np.where(has_most, middle, NOISE)
    return found


def agreement(
    sample: NDArray[np.float32], cluster_ids: NDArray[np.int64], shares: NDArray[np.float64]
) -> Agreement:
    """Extend four fifths of a sample to the fifth one, and compare with its own clusters.

    Parameters
    ----------
    shares
        Shape (n_sample,), in [0, 1): those below a fifth are held out.
    """
    held = shares < _HELD_OUT
    found = extend(sample[~held], cluster_ids[~held], sample[held])
    n = int(held.sum())
    share = float(np.mean(found == cluster_ids[held])) if n else float("nan")
    lo, hi = beta_interval(np.array([share]), np.array([float(n)]))
    return Agreement(share=share, lo=float(lo[0]), hi=float(hi[0]), n_prompts=n)
