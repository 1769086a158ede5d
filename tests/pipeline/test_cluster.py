import hdbscan
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from pipeline.cluster import (
    NOISE,
    Clustering,
    choose_granularity,
    cluster_prompts,
    stabilities,
    sweep_sizes,
    with_copies,
)

SIZES = (30, 12, 20)


def blobs(*, noise=0):
    """Return three separated blobs of SIZES points, then scattered points; and the truth."""
    generator = np.random.default_rng(1)
    centres = 10.0 * np.eye(3)
    parts = [c + 0.1 * generator.normal(size=(n, 3)) for c, n in zip(centres, SIZES, strict=True)]
    scattered = generator.uniform(-60, 60, size=(noise, 3))
    truth = np.repeat([0, 1, 2, NOISE], [*SIZES, noise])
    return np.concatenate([*parts, scattered]).astype(np.float32), truth


def clustering(ids, size=5):
    return Clustering(cluster_ids=np.array(ids), min_cluster_size=size, validity=0.0)


def cluster(points, size, method="eom"):
    (found,) = cluster_prompts(points, min_cluster_sizes=[size], methods=[method])
    return found


def test_separated_blobs_are_found():
    """Three blobs are three clusters, without noise, whatever their numbers."""
    points, truth = blobs()
    found = cluster(points, 5)
    assert adjusted_rand_score(truth, found.cluster_ids) == 1.0
    assert found.unclustered_share == 0.0
    assert -1 <= found.validity <= 1


def test_numbers_run_by_falling_size():
    """Cluster 0 is the largest."""
    found = cluster(blobs()[0], 5)
    assert np.bincount(found.cluster_ids).tolist() == sorted(SIZES, reverse=True)


def test_scattered_points_are_noise():
    """Points far from everything are in no cluster, and counted."""
    points, truth = blobs(noise=4)
    found = cluster(points, 5)
    assert (found.cluster_ids[truth == NOISE] == NOISE).all()
    assert found.unclustered_share >= 4 / len(points)


def test_row_order_is_irrelevant():
    """Shuffled points are grouped alike."""
    points, _ = blobs()
    order = np.random.default_rng(0).permutation(len(points))
    shuffled = cluster(points[order], 5).cluster_ids
    whole = cluster(points, 5).cluster_ids
    assert adjusted_rand_score(whole[order], shuffled) == 1.0


@pytest.mark.parametrize(
    "points",
    [np.zeros((0, 3)), np.ones((1, 3)), np.eye(3), np.ones((30, 3))],
    ids=["none", "one", "too few", "all equal"],
)
def test_what_cannot_be_clustered_is_all_noise(points):
    """No, one, few or equal prompts are all noise, with unknown validity."""
    found = cluster(points.astype(np.float32), 2)
    assert found.cluster_ids.tolist() == [NOISE] * len(points)
    assert found.n_clusters == 0
    assert np.isnan(found.validity)


@pytest.mark.parametrize(
    ("points", "size", "message"),
    [
        (np.zeros(3), 5, r"points must be 2-D \(n_prompts, n_dims\), got shape \(3,\)"),
        (np.full((9, 2), np.nan), 2, "points must be finite"),
        (np.zeros((9, 2)), 1, "min_cluster_size must be at least 2, got 1"),
    ],
)
def test_impossible_points_are_refused(points, size, message):
    """A wrong shape, NaN and a minimum of one are errors that say what was expected."""
    with pytest.raises(ValueError, match=message):
        cluster(points, size)


@pytest.mark.parametrize(("n_prompts", "sizes"), [(0, (5,)), (9, (5,)), (100, (5, 8, 10))])
def test_sweeps_stop_at_a_tenth_of_the_prompts(n_prompts, sizes):
    """There is always one size to try, and none that a tenth of the prompts cannot fill."""
    assert sweep_sizes(n_prompts) == sizes
    assert sweep_sizes(10**6)[-1] == 240


def test_granularity_by_hand():
    """Half noise in 2 clusters loses 1/2 + 1/2, no noise in 3 loses 1/3, in one loses 1."""
    coarse, half = clustering([0, 0, 0, 0]), clustering([0, 1, -1, -1])
    three = clustering([0, 1, 2, 0])
    assert choose_granularity([coarse, half, three]) is three
    assert choose_granularity([coarse, half]) is coarse  # equal loss and size: the first


def test_ties_of_granularity_go_to_the_larger_size():
    """Of two equal groupings the coarser setting is taken, in any order of the sweep."""
    small, large = clustering([0, 1], 5), clustering([0, 1], 8)
    assert choose_granularity([small, large]) is choose_granularity([large, small]) is large


@pytest.mark.parametrize(("n_left_out", "is_near"), [(0, True), (5, True), (6, False)])
def test_a_coarser_setting_that_is_hardly_worse_is_taken(n_left_out, is_near):
    """Two clusters lose .5; five of 100 prompts left out are a tenth of that, six are too many."""
    fine, coarse = clustering([0] * 50 + [1] * 50, 5), [0] * 50 + [1] * (50 - n_left_out)
    coarser = clustering(coarse + [NOISE] * n_left_out, 8)
    chosen = choose_granularity([fine, coarser])
    assert chosen is (coarser if is_near else fine)


def test_a_sweep_of_noise_has_a_choice():
    """All noise everywhere is a valid result."""
    assert choose_granularity([clustering([-1, -1])]).n_clusters == 0


@pytest.mark.parametrize("method", ["eom", "leaf"])
def test_a_shared_tree_is_hdbscan(method):
    """Cut from one tree, clusters and validity are what HDBSCAN itself gives."""
    points, _ = blobs(noise=9)
    for size, found in zip(
        (5, 9, 16), cluster_prompts(points, min_cluster_sizes=(5, 9, 16), methods=[method]),
        strict=True,
    ):  # fmt: skip
        model = hdbscan.HDBSCAN(
            min_cluster_size=size,
            min_samples={5: 2, 9: 2, 16: 4}[size],
            cluster_selection_method=method,
            approx_min_span_tree=False,
            gen_min_span_tree=True,
        ).fit(points.astype(np.float64))
        assert adjusted_rand_score(model.labels_, found.cluster_ids) == 1.0
        assert found.validity == pytest.approx(model.relative_validity_)
        assert (found.min_cluster_size, found.method) == (size, method)


def test_separated_blobs_are_stable():
    """They are the same when a tenth of the prompts is missing; noise is as stable as it can be."""
    points, _ = blobs()
    found = cluster_prompts(points, min_cluster_sizes=(5, 40), methods=["eom", "leaf"])
    assert stabilities(points, found, n_draws=2, seed=0)[0] == pytest.approx(1.0)
    assert stabilities(points, [], n_draws=2, seed=0).shape == (0,)


def test_copies_follow_their_representative():
    """By hand: rows 0 and 1 are a cluster, row 2 is noise sent five times, row 3 once."""
    of_four = Clustering(cluster_ids=np.array([0, 0, -1, -1]), min_cluster_size=5, validity=0.5)
    place_of = np.array([0, 1, 2, 2, 2, 2, 2, 3, 0])
    found = with_copies(of_four, place_of, np.eye(4, dtype=np.float32))
    assert found.cluster_ids.tolist() == [1, 1, 0, 0, 0, 0, 0, -1, 1]
    assert found.unclustered_share == pytest.approx(1 / 9)


@pytest.mark.parametrize(("cosine", "expected"), [(0.95, [0] * 6), (0.8, [-1] * 6)])
def test_alike_templates_are_one_cluster(cosine, expected):
    """Two templates sent three times each are six prompts of one kind only if they are alike."""
    vectors = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]], dtype=np.float32)
    of_two = Clustering(cluster_ids=np.array([-1, -1]), min_cluster_size=5, validity=0.5)
    found = with_copies(of_two, np.array([0, 0, 0, 1, 1, 1]), vectors)
    assert found.cluster_ids.tolist() == expected
