"""UMAP: unit vectors to the coordinates that are clustered, and to the map for the eye."""

import warnings

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ProjectConfig

_MAP_MIN_DIST = 0.1


def cluster_coordinates(vectors: NDArray[np.float32], config: ProjectConfig) -> NDArray[np.float32]:
    """Project unit vectors to the coordinates that HDBSCAN clusters.

    Parameters
    ----------
    vectors
        Shape (n_prompts, n_dims), rows sorted by prompt_id, because UMAP depends on row order.

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
    return _umap(vectors, config, n_components=config.n_components, min_dist=0.0)


def map_coordinates(vectors: NDArray[np.float32], config: ProjectConfig) -> NDArray[np.float32]:
    """Project unit vectors to 2-D; shape (n_prompts, 2). Distances between islands mean nothing."""
    if len(vectors) <= 4:
        columns = np.arange(len(vectors), dtype=np.float32)
        return np.stack([columns, np.zeros_like(columns)], axis=1)
    return _umap(vectors, config, n_components=2, min_dist=_MAP_MIN_DIST)


def _umap(
    vectors: NDArray[np.float32], config: ProjectConfig, *, n_components: int, min_dist: float
) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the import warns too: of a missing TensorFlow
        import umap  # noqa: PLC0415 - takes seconds to import, and only discovery needs it

        reducer = umap.UMAP(
            n_neighbors=min(config.n_neighbors, len(vectors) - 1),
            n_components=n_components,
            min_dist=min_dist,
            metric="cosine",
            random_state=config.seed,
            n_jobs=1,
        )
        return np.asarray(reducer.fit_transform(vectors), dtype=np.float32)
