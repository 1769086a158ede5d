"""The most similar prompts of every prompt, exactly.

Decision: by blocks of one matrix product. Up to the cap that is quicker than UMAP's own search,
which finds most of them, and others with every seed; and all projections share it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_N_ROWS = 512
_MOST_IN_GROUP = 64


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """For each prompt, itself and then the most similar others."""

    rows: NDArray[np.int32]
    """Shape (n_prompts, k), most similar first, ties by row."""
    distances: NDArray[np.float32]
    """Shape (n_prompts, k): one minus the cosine, at least 0."""


def nearest(vectors: NDArray[np.float32], k: int) -> Nearest:
    """Find the k most similar prompts of each, the prompt itself being the first.

    Parameters
    ----------
    vectors
        Shape (n_prompts, n_dims), unit rows.
    k
        At most n_prompts; 0 only without prompts.

    Notes
    -----
    The k-th largest of the maxima of groups of columns is at most the k-th largest cosine, so
    only what reaches it is sorted.
    """
    n = len(vectors)
    size = max(1, min(_MOST_IN_GROUP, n // (4 * k) if k else 1))
    padded = np.zeros((-(-n // size) * size, vectors.shape[1]), dtype=np.float32)
    padded[:n] = vectors
    found = Nearest(rows=np.empty((n, k), np.int32), distances=np.empty((n, k), np.float32))
    for start in range(0, n, _N_ROWS):
        part = slice(start, min(start + _N_ROWS, n))
        cosines = vectors[part] @ padded.T
        cosines[:, n:] = -np.inf
        own = np.arange(part.stop - start)
        cosines[own, start + own] = np.inf
        found.rows[part], best = _largest(cosines, k, size)
        best[:, 0] = 1.0
        found.distances[part] = np.maximum(1.0 - best, 0.0)
    return found


def _largest(
    values: NDArray[np.float32], k: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the columns and values of the k largest of each row, ties by column."""
    peaks = values.reshape(len(values), -1, size).max(axis=2)
    least = np.partition(peaks, -k, axis=1)[:, -k]
    row, column = np.nonzero(values >= least[:, None])
    order = np.lexsort((column, -values[row, column], row))
    first = np.searchsorted(row, np.arange(len(values)))
    taken = order[first[:, None] + np.arange(k)]
    return column[taken], values[row, column][taken]
