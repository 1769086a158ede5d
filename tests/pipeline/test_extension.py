import numpy as np
import pytest

from pipeline.extension import agreement, extend

AXES = np.eye(3, dtype=np.float32)


def blobs(n_each, seed=0):
    """Return unit vectors around the first two axes, and their groups."""
    generator = np.random.default_rng(seed)
    groups = np.repeat([0, 1], n_each)
    vectors = AXES[groups] + 0.1 * generator.normal(size=(2 * n_each, 3)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), groups


def test_prompts_go_where_most_neighbours_are():
    """By hand: three of five say 1; two each and one unclustered say nothing."""
    sample = np.tile(AXES[0], (5, 1))
    assert extend(sample, np.array([1, 0, 1, -1, 1]), AXES[:1]).tolist() == [1]
    assert extend(sample, np.array([1, 0, 0, -1, 1]), AXES[:1]).tolist() == [-1]
    assert extend(sample, np.array([-1, 0, -1, -1, 1]), AXES[:1]).tolist() == [-1]


def test_new_prompts_go_to_their_own():
    """Each of two separate groups gets its fresh members, in blocks."""
    sample, groups = blobs(400)
    fresh, truth = blobs(400, seed=1)
    assert np.array_equal(extend(sample, groups, fresh), truth)


def test_agreement_is_of_held_out_prompts():
    """Separate blobs agree but for the refused; the interval holds the share."""
    sample, groups = blobs(200)
    shares = np.random.default_rng(2).random(400)
    found = agreement(sample, groups, shares)
    assert found.n_prompts == (shares < 0.2).sum()
    assert 0.95 < found.lo < found.share == 1.0
    assert found.hi == pytest.approx(1.0, abs=1e-3)


def test_agreement_counts_the_unclustered():
    """Noise among noise agrees, noise inside a cluster does not."""
    sample, groups = blobs(50)
    vectors = np.concatenate([sample, np.tile(AXES[2], (8, 1)), np.tile(AXES[0], (3, 1))])
    ids = np.concatenate([groups, np.full(11, -1)])
    shares = np.concatenate([np.full(105, 0.9), np.zeros(6)])
    assert agreement(vectors, ids, shares).share == pytest.approx(0.5)


def test_without_clusters_nothing_is_clustered():
    """All noise stays noise, and agrees with itself."""
    sample, _ = blobs(10)
    noise = np.full(20, -1)
    assert extend(sample, noise, AXES).tolist() == [-1, -1, -1]
    assert agreement(sample, noise, np.linspace(0, 0.9, 20)).share == 1.0
    assert agreement(sample, noise, np.ones(20)).n_prompts == 0
