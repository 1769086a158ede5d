"""The most similar prompts of every prompt, exactly.

Decision: by blocks of one matrix product. Up to the cap that is quicker than UMAP's own search,
which finds most of them, and others with every seed; and all projections share it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_N_ROWS = 512
_MOST_IN_GROUP = 16


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
    Columns are dealt to groups. The k largest of a row are in the k groups with the largest maxima,
    unless another group's maximum equals the k-th of them: such rows are sorted whole.
    """
    n = len(vectors)
    n_groups = max(1, min(n, max(4 * k, n // _MOST_IN_GROUP)))
    padded = np.zeros((-(-n // n_groups) * n_groups, vectors.shape[1]), dtype=np.float32)
    padded[:n] = vectors
    found = Nearest(rows=np.empty((n, k), np.int32), distances=np.empty((n, k), np.float32))
    for start in range(0, n, _N_ROWS):
        part = slice(start, min(start + _N_ROWS, n))
        cosines = vectors[part] @ padded.T
        cosines[:, n:] = -np.inf
        own = np.arange(part.stop - start)
        cosines[own, start + own] = np.inf
        found.rows[part], best = _largest(cosines.reshape(len(own), -1, n_groups), k)
        best[:, 0] = 1.0
        found.distances[part] = np.maximum(1.0 - best, 0.0)
    return found


def _largest(values: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the columns and values of the k largest of each row, ties by column.

    Column c is at [c // n_groups, c % n_groups].
    """
    n_rows, size, n_groups = values.shape
    peaks = values.max(axis=1)
    groups = np.argpartition(peaks, -k, axis=1)[:, None, -k:]
    columns = (np.arange(size)[:, None] * n_groups + groups).reshape(n_rows, -1)
    among = np.take_along_axis(values, groups, axis=2).reshape(n_rows, -1)
    order = np.lexsort((columns, -among))[:, :k]
    best, least = np.take_along_axis(columns, order, axis=1), among[np.arange(n_rows), order[:, -1]]
    tied = np.count_nonzero(peaks >= least[:, None], axis=1) > k
    whole = values.reshape(n_rows, -1)
    best[tied] = np.argsort(-whole[tied], axis=1, kind="stable")[:, :k]
    return best, np.take_along_axis(whole, best, axis=1)
