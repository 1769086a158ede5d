import numpy as np
import pytest

from pipeline.config import ProjectConfig
from pipeline.project import cluster_coordinates, map_coordinates


@pytest.mark.parametrize("n_prompts", [0, 1, 12])
def test_too_few_prompts_are_clustered_as_they_are(n_prompts):
    """Where UMAP has no neighbour graph, the vectors themselves are the coordinates."""
    vectors = np.eye(12, dtype=np.float32)[:n_prompts]
    assert cluster_coordinates(vectors, ProjectConfig()) is vectors


@pytest.mark.parametrize("n_prompts", [0, 1, 4])
def test_a_tiny_map_is_a_line(n_prompts):
    """Up to four prompts are drawn beside each other."""
    found = map_coordinates(np.eye(4, dtype=np.float32)[:n_prompts], ProjectConfig())
    assert found.shape == (n_prompts, 2)
    assert found[:, 0].tolist() == list(range(n_prompts))


def test_umap_keeps_islands_apart_and_repeats_itself():
    """Two far groups stay apart in every projection; a seed gives the same coordinates again."""
    generator = np.random.default_rng(0)
    centres = np.repeat(np.eye(8, dtype=np.float32)[:2], 20, axis=0)
    vectors = centres + 0.05 * generator.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    config = ProjectConfig(n_components=3, n_neighbors=8)
    points = cluster_coordinates(vectors, config)
    assert points.shape == (40, 3)
    assert np.array_equal(points, cluster_coordinates(vectors, config))
    drawn = map_coordinates(vectors, config)
    for found in (points, drawn):
        left, right = found[:20].mean(axis=0), found[20:].mean(axis=0)
        spread = np.linalg.norm(found[:20] - left, axis=1).max()
        assert np.linalg.norm(left - right) > spread
    equal = np.repeat(vectors[:1], 15, axis=0)
    assert np.isfinite(cluster_coordinates(equal, config)).all()
