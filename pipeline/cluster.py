"""HDBSCAN on projected prompts, and the rule that picks its granularity.

Decision: a prompt's density is that of the nearest prompts, at most a third of `min_cluster_size`
and 15, as many as UMAP looks at. As many as a cluster needs, as HDBSCAN has it, reach beyond a
small cluster, whose border is left out then, and smooth large neighbouring groups into one. It
comes in four steps, for settings of the same density share one tree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

NOISE = -1
METHODS = ("eom", "leaf")
_DENSITIES = (2, 4, 8, 15)
_FAMILY_COSINE = 0.9
_NEAR = 1.1
_SWEEP_SIZES = (5, 8, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240)


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """Groups of prompts; numbers run from 0 by falling size, ties by first member."""

    cluster_ids: NDArray[np.int64]
    """Shape (n_prompts,); -1 for noise. All noise is a valid result."""
    min_cluster_size: int
    validity: float
    """Relative density-based validity in [-1, 1]; NaN with fewer than two clusters."""
    method: str = "eom"
    """How clusters are taken from the tree: by excess of mass, or its leaves."""

    @property
    def n_clusters(self) -> int:
        """Number of clusters, noise not counted."""
        return int(self.cluster_ids.max(initial=NOISE)) + 1

    @property
    def unclustered_share(self) -> float:
        """Share of prompts that are noise, in [0, 1]."""
        return float(np.mean(self.cluster_ids == NOISE))


def cluster_prompts(
    points: NDArray[np.float32],
    *,
    min_cluster_sizes: Sequence[int],
    methods: Sequence[str] = METHODS[:1],
) -> tuple[Clustering, ...]:
    """Cluster prompts with HDBSCAN on the exact minimum spanning tree, at every granularity.

    Parameters
    ----------
    points
        Shape (n_prompts, n_dims): the coordinates for clustering (5 to 15 dimensions), not the
        2-D ones drawn on screen.
    min_cluster_sizes
        Least number of prompts in a cluster, each at least 2.
    methods
        Of `METHODS`.

    Returns
    -------
    tuple
        One clustering for each size and method, in that order.

    Raises
    ------
    ValueError
        If `points` is not 2-D or has a non-finite entry, or a size is below 2.

    References
    ----------
    Campello, Moulavi and Sander (2013), doi:10.1007/978-3-642-37456-2_14.
    """
    if points.ndim != 2:
        raise ValueError(f"points must be 2-D (n_prompts, n_dims), got shape {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite; an encoder that returns NaN is the usual cause.")
    if min(min_cluster_sizes) < 2:
        raise ValueError(f"min_cluster_size must be at least 2, got {min(min_cluster_sizes)}.")
    trees: dict[int, _Tree] = {}
    found = []
    for size, method in product(min_cluster_sizes, methods):
        if len(points) < 2 * size or np.ptp(points, axis=0).max(initial=0.0) == 0.0:
            found.append(_all_noise(len(points), size, method))
            continue
        n_samples = max((n for n in _DENSITIES if 3 * n <= size), default=_DENSITIES[0])
        if n_samples not in trees:
            trees[n_samples] = _grow(points, n_samples)
        found.append(trees[n_samples].cut(size, method))
    return tuple(found)


def with_copies(
    clustering: Clustering, place_of: NDArray[np.int64], vectors: NDArray[np.float32]
) -> Clustering:
    """Give every copy the cluster of its representative.

    HDBSCAN counts representatives. What it leaves out is a cluster all the same if it was sent
    often: repeated prompts whose representatives are alike (average linkage at a cosine of .9),
    and which are together as many as a cluster needs.

    Parameters
    ----------
    clustering
        Of the representatives.
    place_of
        Shape (n_prompts,): the row in `clustering` of the prompt's representative.
    vectors
        Shape (n_representatives, n_dims), unit rows.
    """
    ids, n_copies = clustering.cluster_ids.copy(), np.bincount(place_of, minlength=len(vectors))
    left_out = np.flatnonzero((ids == NOISE) & (n_copies > 1))
    family = _families(vectors[left_out])
    size = np.bincount(family, weights=n_copies[left_out])
    kept = size[family] >= clustering.min_cluster_size if len(family) else family > 0
    ids[left_out[kept]] = clustering.n_clusters + family[kept]
    return renumbered(clustering, ids[place_of])


def _families(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    tree = linkage(vectors.astype(np.float64), method="average", metric="cosine")
    return fcluster(tree, 1.0 - _FAMILY_COSINE, criterion="distance").astype(np.int64)


def renumbered(clustering: Clustering, cluster_ids: NDArray[np.int64]) -> Clustering:
    """Return the clustering with these ids, numbered by falling size."""
    return replace(clustering, cluster_ids=_by_falling_size(cluster_ids))


def stabilities(
    points: NDArray[np.float32], clusterings: Sequence[Clustering], *, n_draws: int, seed: int
) -> NDArray[np.float64]:
    """Return how alike clusterings stay when a tenth of the prompts is missing.

    Returns
    -------
    NDArray
        Shape (n_clusterings,), in [-1, 1]: the mean adjusted Rand index (Hubert and Arabie 1985)
        between each clustering and its like on random nine tenths of the same coordinates.
    """
    from sklearn.metrics import adjusted_rand_score  # noqa: PLC0415 - slow to load

    generator = np.random.default_rng(seed)
    sizes = sorted({c.min_cluster_size for c in clusterings})
    methods = sorted({c.method for c in clusterings})
    scores = np.zeros((n_draws, len(clusterings)))
    for draw in range(n_draws if clusterings else 0):
        kept = np.sort(generator.choice(len(points), size=len(points) * 9 // 10, replace=False))
        drawn = cluster_prompts(points[kept], min_cluster_sizes=sizes, methods=methods)
        again = {(c.min_cluster_size, c.method): c.cluster_ids for c in drawn}
        for place, whole in enumerate(clusterings):
            part = again[whole.min_cluster_size, whole.method]
            scores[draw, place] = adjusted_rand_score(whole.cluster_ids[kept], part)
    return scores.mean(axis=0)


def sweep_sizes(n_prompts: int) -> tuple[int, ...]:
    """Return the values of min_cluster_size worth trying for this many prompts.

    >>> sweep_sizes(400)
    (5, 8, 10, 15, 20, 30, 40)
    """
    return tuple(size for size in _SWEEP_SIZES if size <= max(n_prompts // 10, _SWEEP_SIZES[0]))


def choose_granularity(clusterings: Sequence[Clustering]) -> Clustering:
    """Pick one clustering of a sweep by a written rule.

    Each is judged by the sum of two shares: the prompts that no cluster covers, and the share an
    average cluster holds (1 / n_clusters), since a cluster that holds everything separates nothing.
    Of all that are within a tenth of the least sum the largest minimum size is taken: so small a
    difference comes and goes with the seed, and fewer clusters are less to review. Ties go to the
    lesser sum, then to excess of mass. Density-based validity and stability are shown beside it but
    do not decide: on labelled prompts the former prefers settings that leave a fifth of them out,
    and a single cluster is the most stable.
    """
    least = min(granularity_loss(c) for c in clusterings)
    near = [c for c in clusterings if granularity_loss(c) <= least * _NEAR]
    return min(near, key=lambda c: (-c.min_cluster_size, granularity_loss(c), c.method))


def granularity_loss(clustering: Clustering) -> float:
    """Return the share no cluster covers plus the share of an average cluster."""
    return clustering.unclustered_share + 1.0 / max(clustering.n_clusters, 1)


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """The hierarchy of one density, from which every granularity is cut."""

    points: NDArray[np.float64]
    linkage: NDArray[np.float64]
    spanning: NDArray[np.float64]
    """Shape (n_prompts - 1, 3): from, to, distance."""

    def cut(self, min_cluster_size: int, method: str) -> Clustering:
        from hdbscan.hdbscan_ import _tree_to_labels  # noqa: PLC0415 - loads with hdbscan

        labels = _tree_to_labels(self.points, self.linkage, min_cluster_size, method)[0]
        ids = _by_falling_size(labels.astype(np.int64))
        return Clustering(
            cluster_ids=ids,
            min_cluster_size=min_cluster_size,
            validity=_relative_validity(self.spanning, ids),
            method=method,
        )


def _grow(points: NDArray[np.float32], n_samples: int) -> _Tree:
    import hdbscan  # noqa: PLC0415 - takes a second to import, and only discovery needs it

    model = hdbscan.HDBSCAN(
        min_samples=n_samples,
        approx_min_span_tree=False,  # the approximate one can change the number of clusters
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(points.astype(np.float64))
    return _Tree(
        points=points.astype(np.float64),
        linkage=model.single_linkage_tree_.to_numpy(),
        spanning=model.minimum_spanning_tree_.to_numpy(),  # pyright: ignore[reportOptionalMemberAccess]
    )


def _relative_validity(spanning: NDArray[np.float64], ids: NDArray[np.int64]) -> float:
    """Compare each cluster's longest edge with its shortest one to another, weighed by size.

    Moulavi et al. (2014), doi:10.1137/1.9781611973440.96, on the minimum spanning tree alone.
    """
    sizes = np.bincount(ids[ids >= 0])
    if len(sizes) < 2:
        return float("nan")
    ends = ids[spanning[:, :2].astype(np.intp)]
    known, distance = (ends >= 0).all(axis=1), spanning[:, 2]
    within = known & (ends[:, 0] == ends[:, 1])
    between = known & (ends[:, 0] != ends[:, 1])
    longest = np.zeros(len(sizes))
    np.maximum.at(longest, ends[within, 0], distance[within])
    shortest = np.full(len(sizes), np.inf)
    for side in (0, 1):
        np.minimum.at(shortest, ends[between, side], distance[between])
    shortest[np.isinf(shortest)] = 2.0 * distance.max()  # an island, as HDBSCAN has it
    return float(sizes @ ((shortest - longest) / np.maximum(shortest, longest)) / len(ids))


def _all_noise(n_prompts: int, min_cluster_size: int, method: str) -> Clustering:
    return Clustering(
        cluster_ids=np.full(n_prompts, NOISE, dtype=np.int64),
        min_cluster_size=min_cluster_size,
        validity=float("nan"),
        method=method,
    )


def _by_falling_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    found, first, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    number = {int(found[old]): new for new, old in enumerate(order)}
    return np.array([number.get(int(label), NOISE) for label in labels], dtype=np.int64)
