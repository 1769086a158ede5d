"""UMAP: unit vectors to the coordinates that are clustered, and to the map for the eye.

Decision: the coordinates that are clustered are the mean of a few short descents from one spectral
start. UMAP draws at random what pushes prompts apart; one long descent follows its draws wherever
they lead, whereas the mean of short ones, which stay in each other's frame, loses most of them.

Decision: neighbours are sought among principal components. What all prompts share makes some of
them everybody's neighbour (Suzuki et al. 2013, ACL D13-1058), and the many directions of little
variance are mostly noise: without both, neighbours have the same label more often.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ProjectConfig
from pipeline.nearest import Nearest, nearest

_MAP_MIN_DIST = 0.1
_FEWEST_WITH_COMPONENTS = 3


def neighbours_of(vectors: NDArray[np.float32], config: ProjectConfig) -> Nearest:
    """Return what every projection of these prompts starts from."""
    k = min(config.n_neighbors, max(len(vectors) - 1, 1), len(vectors))
    return nearest(principal_components(vectors, config), k)


def principal_components(
    vectors: NDArray[np.float32], config: ProjectConfig
) -> NDArray[np.float32]:
    """Return unit rows without their mean, in the fewest components that hold enough variance.

    Parameters
    ----------
    vectors
        Shape (n_prompts, n_dims).
    config
        Its `variance_share` is held by what is kept, and at least its `least_components` are.

    Returns
    -------
    NDArray
        Shape (n_prompts, n_kept); a row that equals the mean is zero. Where all rows are equal or
        there are fewer than three, `vectors`.
    """
    if len(vectors) < _FEWEST_WITH_COMPONENTS or not np.ptp(vectors, axis=0).any():
        return vectors
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to load

    model = PCA(svd_solver="covariance_eigh").fit(vectors)
    held = np.cumsum(model.explained_variance_ratio_)
    n_enough = int(np.searchsorted(held, config.variance_share)) + 1
    found = model.transform(vectors)[:, : max(n_enough, config.least_components)]
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)


def cluster_coordinates(
    vectors: NDArray[np.float32], near: Nearest, config: ProjectConfig
) -> NDArray[np.float32]:
    """Project unit vectors to the coordinates that HDBSCAN clusters.

    Parameters
    ----------
    vectors
        Shape (n_prompts, n_dims), rows sorted by prompt_id, because UMAP depends on row order.
    near
        As `neighbours_of` these vectors.

    Returns
    -------
    NDArray
        Shape (n_prompts, n_components). With too few prompts for a neighbour graph of that many
        components, the vectors themselves.

    References
    ----------
    McInnes, Healy and Melville (2018), arXiv 1802.03426.
    """
    if len(vectors) <= config.n_components + 2:
        return vectors
    shared = {"n_components": config.n_components, "min_dist": 0.0}
    start = _umap(vectors, near, config.seed, n_epochs=0, **shared)
    seeds = range(config.seed * config.n_descents, (config.seed + 1) * config.n_descents)
    descents = [
        _umap(vectors, near, seed, init=start, n_epochs=config.n_epochs, **shared) for seed in seeds
    ]
    return np.asarray(np.mean(descents, axis=0, dtype=np.float64), dtype=np.float32)


def map_coordinates(
    vectors: NDArray[np.float32], near: Nearest, config: ProjectConfig
) -> NDArray[np.float32]:
    """Project unit vectors to 2-D; shape (n_prompts, 2). Distances between islands mean nothing."""
    if len(vectors) <= 4:
        columns = np.arange(len(vectors), dtype=np.float32)
        return np.stack([columns, np.zeros_like(columns)], axis=1)
    return _umap(vectors, near, config.seed, n_components=2, min_dist=_MAP_MIN_DIST)


def _umap(
    vectors: NDArray[np.float32], near: Nearest, seed: int, **settings: object
) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the import warns too: of a missing TensorFlow
        import umap  # noqa: PLC0415 - takes seconds to import, and only discovery needs it

        reducer = umap.UMAP(
            n_neighbors=near.rows.shape[1],
            precomputed_knn=(near.rows, near.distances),
            metric="cosine",
            random_state=seed,
            n_jobs=1,
            **settings,  # pyright: ignore[reportArgumentType]
        )
        return np.asarray(reducer.fit_transform(vectors), dtype=np.float32)
