"""HDBSCAN on projected prompts, and the rule that picks its granularity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE = -1
_SWEEP_SIZES = (5, 8, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240)


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """Groups of prompts; numbers run from 0 by falling size, ties by first member."""

    cluster_ids: NDArray[np.int64]
    """Shape (n_prompts,); -1 for noise. All noise is a valid result."""
    min_cluster_size: int
    validity: float
    """Relative density-based validity in [-1, 1]; NaN with fewer than two clusters."""

    @property
    def n_clusters(self) -> int:
        """Number of clusters, noise not counted."""
        return int(self.cluster_ids.max(initial=NOISE)) + 1

    @property
    def unclustered_share(self) -> float:
        """Share of prompts that are noise, in [0, 1]."""
        return float(np.mean(self.cluster_ids == NOISE))


def cluster_prompts(
    points: NDArray[np.float32], *, min_cluster_size: int, method: str = "eom"
) -> Clustering:
    """Cluster prompts with HDBSCAN on the exact minimum spanning tree.

    Parameters
    ----------
    points
        Shape (n_prompts, n_dims): the coordinates for clustering (5 to 15 dimensions), not the
        2-D ones drawn on screen.
    min_cluster_size
        Least number of prompts in a cluster, at least 2.

    Raises
    ------
    ValueError
        If `points` is not 2-D or has a non-finite entry, or `min_cluster_size` is below 2.

    References
    ----------
    Campello, Moulavi and Sander (2013), doi:10.1007/978-3-642-37456-2_14.
    """
    if points.ndim != 2:
        raise ValueError(f"points must be 2-D (n_prompts, n_dims), got shape {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite; an encoder that returns NaN is the usual cause.")
    if min_cluster_size < 2:
        raise ValueError(f"min_cluster_size must be at least 2, got {min_cluster_size}.")
    if len(points) < 2 * min_cluster_size or np.ptp(points, axis=0).max(initial=0.0) == 0.0:
        return _all_noise(len(points), min_cluster_size)
    return _hdbscan(points, min_cluster_size, method)


def sweep_sizes(n_prompts: int) -> tuple[int, ...]:
    """Return the values of min_cluster_size worth trying for this many prompts.

    >>> sweep_sizes(400)
    (5, 8, 10, 15, 20, 30, 40)
    """
    return tuple(size for size in _SWEEP_SIZES if size <= max(n_prompts // 10, _SWEEP_SIZES[0]))


def choose_granularity(clusterings: Sequence[Clustering]) -> Clustering:
    """Pick one clustering of a sweep by a written rule.

    Take the least sum of two shares: the prompts that no cluster covers, and the share an average
    cluster holds (1 / n_clusters), since a cluster that holds everything separates nothing. Ties
    go to the larger minimum size. Density-based validity is shown beside it but does not decide:
    on labelled prompts it prefers settings that leave a fifth of them out.
    """
    return min(clusterings, key=lambda c: (_granularity_loss(c), -c.min_cluster_size))


def _granularity_loss(clustering: Clustering) -> float:
    return clustering.unclustered_share + 1.0 / max(clustering.n_clusters, 1)


def _hdbscan(points: NDArray[np.float32], min_cluster_size: int, method: str) -> Clustering:
    import hdbscan  # noqa: PLC0415 - takes a second to import, and only discovery needs it

    model = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        cluster_selection_method=method,
        approx_min_span_tree=False,  # the approximate one can change the number of clusters
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(points.astype(np.float64))
    ids = _by_falling_size(model.labels_.astype(np.int64))
    validity = float(model.relative_validity_) if ids.max(initial=NOISE) > 0 else float("nan")
    return Clustering(cluster_ids=ids, min_cluster_size=min_cluster_size, validity=validity)


def _all_noise(n_prompts: int, min_cluster_size: int) -> Clustering:
    return Clustering(
        cluster_ids=np.full(n_prompts, NOISE, dtype=np.int64),
        min_cluster_size=min_cluster_size,
        validity=float("nan"),
    )


def _by_falling_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    found, first, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    number = {int(found[old]): new for new, old in enumerate(order)}
    return np.array([number.get(int(label), NOISE) for label in labels], dtype=np.int64)
