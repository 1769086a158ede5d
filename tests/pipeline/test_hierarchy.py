import numpy as np
import pytest

from pipeline.hierarchy import parents_of


def test_near_clusters_share_a_parent():
    """Eight clusters in two bundles of four: two groups, and the same two above."""
    angles = np.array([0.0, 1.5, 0.1, 1.6, 0.2, 1.7, 0.3, 1.8])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    fine, coarse = parents_of(vectors, np.arange(8))
    assert fine.tolist() == coarse.tolist() == [0, 1] * 4


def test_groups_are_nested():
    """A finer group lies within one coarser group, and there are a quarter and a sixteenth."""
    vectors = np.random.default_rng(0).normal(size=(640, 8)).astype(np.float32)
    fine, coarse = parents_of(vectors, np.arange(640) % 64)
    assert (fine.max() + 1, coarse.max() + 1) == (16, 4)
    assert len(np.unique(np.stack([fine, coarse]), axis=1).T) == 16


@pytest.mark.parametrize("ids", [[], [-1, -1], [0, 0]])
def test_few_clusters(ids):
    """None has no parents; one is a group of its own."""
    vectors = np.ones((len(ids), 2), dtype=np.float32)
    fine, coarse = parents_of(vectors, np.array(ids, dtype=np.int64))
    assert fine.tolist() == coarse.tolist() == ([0] if 0 in ids else [])
