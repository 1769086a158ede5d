from dataclasses import replace

import numpy as np
import pytest

from pipeline import project
from pipeline.config import ProjectConfig
from pipeline.project import (
    cluster_coordinates,
    map_coordinates,
    neighbours_of,
    principal_components,
)


@pytest.mark.parametrize("n_prompts", [0, 1, 12])
def test_too_few_prompts_are_clustered_as_they_are(n_prompts):
    """Where UMAP has no neighbour graph, the vectors themselves are the coordinates."""
    vectors = np.eye(12, dtype=np.float32)[:n_prompts]
    near = neighbours_of(vectors, ProjectConfig())
    assert cluster_coordinates(vectors, near, ProjectConfig()) is vectors


@pytest.mark.parametrize("n_prompts", [0, 1, 4])
def test_a_tiny_map_is_a_line(n_prompts):
    """Up to four prompts are drawn beside each other."""
    vectors = np.eye(4, dtype=np.float32)[:n_prompts]
    found = map_coordinates(vectors, neighbours_of(vectors, ProjectConfig()), ProjectConfig())
    assert found.shape == (n_prompts, 2)
    assert found[:, 0].tolist() == list(range(n_prompts))


def test_umap_keeps_islands_apart_and_repeats_itself():
    """Two far groups stay apart in every projection; a seed gives the same coordinates again."""
    generator = np.random.default_rng(0)
    centres = np.repeat(np.eye(8, dtype=np.float32)[:2], 20, axis=0)
    vectors = centres + 0.05 * generator.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    config = ProjectConfig(n_components=3, n_neighbors=8)
    near = neighbours_of(vectors, config)
    points = cluster_coordinates(vectors, near, config)
    assert points.shape == (40, 3)
    assert np.array_equal(points, cluster_coordinates(vectors, near, config))
    drawn = map_coordinates(vectors, near, config)
    for found in (points, drawn):
        left, right = found[:20].mean(axis=0), found[20:].mean(axis=0)
        spread = np.linalg.norm(found[:20] - left, axis=1).max()
        assert np.linalg.norm(left - right) > spread
    equal = np.repeat(vectors[:1], 15, axis=0)
    assert np.isfinite(cluster_coordinates(equal, neighbours_of(equal, config), config)).all()


def test_what_is_clustered_is_the_mean_of_its_descents():
    """Each from the same start with a seed of its own; no two runs share one."""
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    config = ProjectConfig(n_components=3, n_neighbors=8, n_descents=2)
    near = neighbours_of(vectors, config)
    with pytest.MonkeyPatch.context() as patch:
        calls = []
        whole = project._umap

        def kept(*arguments, **settings):
            calls.append((arguments[2], whole(*arguments, **settings)))
            return calls[-1][1]

        patch.setattr(project, "_umap", kept)
        points = cluster_coordinates(vectors, near, replace(config, seed=3))
    assert [seed for seed, _ in calls] == [3, 6, 7]
    assert np.allclose(points, (calls[1][1] + calls[2][1]) / 2, atol=1e-5)
    assert not np.allclose(calls[1][1], calls[2][1], atol=1e-3)


def test_principal_components_by_hand():
    """What all rows share goes, then the direction of little variance; the rest has length 1."""
    rows = [[5, 2, 0.1], [5, -2, 0.1], [5, 4, -0.1], [5, -4, -0.1]]
    found = principal_components(np.array(rows, np.float32), ProjectConfig(least_components=1))
    assert found.shape == (4, 1)
    assert (found[:, 0] * found[0, 0]).tolist() == pytest.approx([1.0, -1.0, 1.0, -1.0])


@pytest.mark.parametrize("n_rows", [0, 1, 2, 5])
def test_without_variance_rows_stay_as_they_are(n_rows):
    """Equal rows have no components, and so few have no mean worth the name."""
    vectors = np.full((n_rows, 4), 0.5, np.float32)
    assert principal_components(vectors, ProjectConfig()) is vectors


def test_a_row_at_the_mean_is_zero():
    """It has no direction, and is nobody's neighbour before it is its own."""
    rows = np.array([[1, 0], [-1, 0], [0, 0], [3, 0], [-3, 0]], np.float32)
    found = principal_components(rows, ProjectConfig(least_components=1))
    assert found[2].tolist() == [0.0]
    assert neighbours_of(rows, ProjectConfig()).rows[2, 0] == 2


@pytest.mark.parametrize("offset", [0.0, 0.5, 4.0])
def test_neighbours_do_not_hang_on_what_all_prompts_share(offset):
    """A common direction, however strong, changes no neighbour."""
    vectors = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    config = ProjectConfig(n_neighbors=5)
    shifted = neighbours_of(vectors + np.float32(offset), config)
    assert np.array_equal(shifted.rows, neighbours_of(vectors, config).rows)
