import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.closeness import Members, held_out_similarity, radii_of


def members(vectors, domains, folds=None):
    vectors = np.array(vectors, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    folds = np.zeros(len(vectors), np.int64) if folds is None else np.array(folds)
    return Members.of(vectors, np.array(domains), folds), vectors


def test_without_spread_a_prototype_is_the_mean():
    """Equal members leave nothing to weigh directions by."""
    known, _ = members([[3, 4], [3, 4], [0, 1]], [0, 0, 1])
    assert known.prototypes() == pytest.approx(np.array([[0.6, 0.8], [0.0, 1.0]]), abs=1e-6)


def test_a_direction_in_which_members_differ_counts_less():
    """Both domains spread along the second axis alone, so closeness looks at the others."""
    generator = np.random.default_rng(0)
    wide = np.array([0.02, 0.6, 0.02]) * generator.normal(size=(400, 3))
    domains = np.arange(400) % 2
    known, vectors = members(np.array([[1, 1, 0], [0, 1, 1]])[domains] + wide, domains)
    found, mean = known.prototypes()[0], vectors[domains == 0].mean(axis=0)
    assert abs(found[1]) < 0.6 * abs(mean[1] / np.linalg.norm(mean))
    assert np.linalg.norm(found) == pytest.approx(1.0)


def test_the_shrinkage_is_ledoit_and_wolf():
    """As scikit-learn has it, on the residuals."""
    from sklearn.covariance import ledoit_wolf

    generator = np.random.default_rng(1)
    domains = np.arange(60) % 3
    known, vectors = members(generator.normal(size=(60, 5)) + np.eye(5)[domains] * 3, domains)
    means = np.stack([vectors[domains == k].mean(axis=0) for k in range(3)])
    covariance = ledoit_wolf(vectors - means[domains], assume_centered=True)[0]
    wanted = np.linalg.solve(covariance, means.T).T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert known.prototypes() == pytest.approx(wanted, abs=1e-4)


def test_held_out_prompts_are_not_in_their_prototypes():
    """Changing a prompt leaves what it is compared with as it was."""
    generator = np.random.default_rng(2)
    vectors, domains, folds = generator.normal(size=(20, 3)), np.arange(20) % 2, np.arange(20) % 5
    known, first = members(vectors, domains, folds)
    found = held_out_similarity(known, first, folds)
    vectors[3] = -vectors[3]
    moved, second = members(vectors, domains, folds)
    again = held_out_similarity(moved, second, folds)
    assert again[3] == pytest.approx(-found[3], abs=1e-6)
    assert not np.allclose(again[4], found[4])


def test_prompts_in_no_domain_do_not_count():
    """They have a closeness and shape none."""
    inside, _ = members([[1, 0], [1, 0.2], [0, 1]], [0, 0, 1])
    known, vectors = members([[1, 0], [1, 0.2], [0, 1], [-1, -1]], [0, 0, 1, -1])
    assert np.array_equal(known.prototypes(), inside.prototypes())
    assert held_out_similarity(known, vectors, np.array([0, 0, 0, 1])).shape == (4, 2)


def test_radii_by_hand():
    """Of 39 members the second lowest is passed by 2 of 40; a share of 0 refuses none."""
    own = np.arange(39) / 100
    domains = np.zeros(39, dtype=np.int64)
    assert radii_of(own, domains, rejected_share=0.05) == pytest.approx([0.01])
    assert radii_of(own, domains, rejected_share=0.0).tolist() == [-1.0]


def test_a_domain_of_few_borrows_from_the_others():
    """Two members alone say nothing of the lowest twentieth; nor do ten in all."""
    own = np.concatenate([0.5 + np.arange(39) / 100, [0.3, 0.32]])
    domains = np.repeat([0, 1], [39, 2])
    large, small = radii_of(own, domains, rejected_share=0.05)
    assert large == pytest.approx(0.51)
    assert 0.0 < small < 0.3
    alone = radii_of(np.append(own, 0.4), np.append(domains, 2), rejected_share=0.05)
    assert alone.tolist() == [large, small, -1.0]
    assert radii_of(own[31:], domains[31:], rejected_share=0.05).tolist() == [-1.0, -1.0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_the_promise_is_kept_on_average(n_first, n_second, seed):
    """Of new members at most the share is refused, give or take what such draws vary."""
    generator = np.random.default_rng(seed)
    refused = []
    for _ in range(40):
        scores = [generator.normal(0.5, 0.1, n) for n in (n_first, n_second)]
        domains = np.repeat([0, 1], [n_first, n_second])
        radii = radii_of(np.concatenate(scores), domains, rejected_share=0.1)
        refused.append((generator.normal(0.5, 0.1, (50, 2)) < radii).mean())
    assert np.mean(refused) < 0.1 + 4 * np.std(refused) / np.sqrt(40)
