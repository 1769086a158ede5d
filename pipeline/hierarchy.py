"""Groups of clusters, and groups of those: two coarser levels for reading long lists."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from pipeline.prototypes import prototypes_of

_SHARES = (4, 16)
"""A level has a group for that many clusters, on average."""


def parents_of(
    vectors: NDArray[np.float32], cluster_ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """Join clusters into about a quarter as many groups, and those into a sixteenth.

    Average linkage (Sokal and Michener 1958) on the cosines of the prototypes.

    Parameters
    ----------
    vectors
        Shape (n_prompts, n_dims), unit rows.
    cluster_ids
        Shape (n_prompts,): 0 … n_clusters - 1, or -1.

    Returns
    -------
    tuple
        For each level, the finer one first, the group of each cluster, shape (n_clusters,): 0, 1,
        … in the order of their first cluster. Groups of the finer level are parts of the coarser.
    """
    n_clusters = int(cluster_ids.max(initial=-1)) + 1
    if n_clusters < 2:
        return tuple(np.zeros(n_clusters, dtype=np.int64) for _ in _SHARES)
    prototypes = prototypes_of(vectors, cluster_ids, n_clusters)
    tree = linkage(prototypes.astype(np.float64), method="average", metric="cosine")
    numbers = [max(n_clusters // share, min(n_clusters, 2)) for share in _SHARES]
    return tuple(_in_order(fcluster(tree, number, criterion="maxclust")) for number in numbers)


def _in_order(groups: Sequence[int]) -> NDArray[np.int64]:
    number: dict[int, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in groups], dtype=np.int64)
