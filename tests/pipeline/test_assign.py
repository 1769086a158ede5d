import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.assign import NO_DOMAIN, Assigner, assign, fit_assigner
from pipeline.config import AssignConfig

N_EACH, N_DIMS = 24, 6


def blobs(*, n_domains=3, spread=0.15, n_outside=0):
    """Return unit vectors around the axes, their domains, and folds 0 … 4 in turn."""
    generator = np.random.default_rng(3)
    domains = np.repeat([*range(n_domains), NO_DOMAIN], [*[N_EACH] * n_domains, n_outside])
    vectors = np.eye(N_DIMS)[domains] + spread * generator.normal(size=(len(domains), N_DIMS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), domains, np.arange(len(domains)) % 5


def fit(vectors, domains, folds, **knobs):
    return fit_assigner(vectors, domains, folds, AssignConfig(**knobs))


def by_hand(radius=0.5):
    """Return two domains along two axes; logits are 2x and 0."""
    return Assigner(
        weights=np.array([[2, 0], [0, 0]], dtype=np.float32),
        intercepts=np.array([0, 0], dtype=np.float32),
        temperature=2.0,
        prototypes=np.eye(2, dtype=np.float32),
        radii=np.full(2, radius, dtype=np.float32),
    )


def test_an_assignment_by_hand():
    """Logits (2, 0) at temperature 2 are e / (1 + e) and 1 / (1 + e)."""
    found = assign(np.array([[1, 0]], dtype=np.float32), by_hand())
    share = np.e / (1 + np.e)
    assert found.memberships[0] == pytest.approx([share, 1 - share, 0])
    assert found.confidence[0] == pytest.approx(share)
    assert found.buckets.tolist() == [0]


def test_a_prompt_unlike_its_domain_is_refused():
    """Under the radius all membership is `unassigned`; the probabilities stay to be shown."""
    found = assign(np.array([[0.4, -0.9]], dtype=np.float32), by_hand())
    assert found.memberships.tolist() == [[0, 0, 1]]
    assert found.buckets.tolist() == [2]
    assert found.probabilities[0, 0] == pytest.approx(np.exp(0.4) / (1 + np.exp(0.4)))


def test_the_radius_itself_is_accepted():
    """A cosine equal to the radius is no refusal."""
    found = assign(np.array([[0.5, 0]], dtype=np.float32), by_hand(0.5))
    assert found.buckets.tolist() == [0]


def test_no_prompts_are_assigned_to_nothing():
    """An empty matrix has an empty assignment."""
    assert assign(np.zeros((0, 2), np.float32), by_hand()).memberships.shape == (0, 3)


def test_separated_domains_are_learned():
    """Nearly all held-out members fall into their own domain, the rest is refused."""
    vectors, domains, folds = blobs()
    found = fit(vectors, domains, folds).held_out
    assert np.isin(found.buckets, [0, 1, 2, 3]).all()
    accepted = found.buckets < 3
    assert (found.buckets[accepted] == domains[accepted]).all()
    assert accepted.mean() > 0.85


def test_few_members_are_found():
    """Two members among domains of 24 make a domain that is surer than without balance."""
    vectors, domains, folds = blobs(n_domains=4, spread=0.3)
    kept = (domains != 3) | (np.cumsum(domains == 3) <= 2)
    left = vectors[~kept]
    found = [
        assign(left, fit(vectors[kept], domains[kept], folds[kept], balance=b).assigner)
        for b in (0.0, 0.5)
    ]
    plain, balanced = (f.probabilities[:, 3].mean() for f in found)
    assert balanced > plain + 0.05


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_share_of_refused_members_is_met(share):
    """As many members fall below their own domain's radius as the config says."""
    vectors, domains, folds = blobs()
    found = fit(vectors, domains, folds, rejected_share=share)
    for k in range(3):
        refused = found.held_out.memberships[domains == k, -1]
        assert refused.mean() == pytest.approx(share, abs=1.5 / N_EACH)


def test_prompts_in_no_domain_are_not_fitted_on():
    """Unclustered prompts get a held-out assignment and change nothing else."""
    vectors, domains, folds = blobs(n_outside=10)
    inside = domains != NO_DOMAIN
    whole = fit(vectors, domains, folds)
    part = fit(vectors[inside], domains[inside], folds[inside])
    assert np.array_equal(whole.assigner.weights, part.assigner.weights)
    assert np.array_equal(whole.assigner.radii, part.assigner.radii)
    assert whole.held_out.memberships.shape == (len(domains), 4)


def test_a_held_out_row_does_not_see_its_own_domain():
    """Moving one prompt to another domain leaves its own held-out probabilities as they were."""
    vectors, domains, folds = blobs()
    moved = domains.copy()
    moved[7] = 2
    before, after = fit(vectors, domains, folds), fit(vectors, moved, folds)
    logits = [np.log(f.held_out.probabilities[7]) * f.assigner.temperature for f in (before, after)]
    relative = [line - line[0] for line in logits]
    assert relative[0] == pytest.approx(relative[1], rel=1e-6)


def test_temperature_softens_wrong_confidence():
    """Labels that vectors cannot tell apart give confidences near one half."""
    vectors, domains, folds = blobs(n_domains=1)
    domains = np.arange(N_EACH) // 5 % 2
    assert fit(vectors, domains, folds).held_out.confidence.mean() < 0.8


def test_one_domain_takes_what_is_like_it():
    """A single domain has probability 1 and still refuses strangers."""
    vectors, domains, folds = blobs(n_domains=1)
    fitted = fit(vectors, domains, folds)
    stranger = np.eye(N_DIMS, dtype=np.float32)[3:4]
    found = assign(np.concatenate([vectors[:1], stranger]), fitted.assigner)
    assert found.probabilities.tolist() == [[1.0], [1.0]]
    assert found.buckets.tolist() == [0, 1]


def test_one_prompt():
    """A single member makes a domain that accepts the same vector."""
    vector = np.eye(1, 4, dtype=np.float32)
    fitted = fit(vector, np.array([0]), np.array([0]))
    assert assign(vector, fitted.assigner).buckets.tolist() == [0]


def test_equal_vectors_in_two_domains_are_shared():
    """Where nothing tells two domains apart, each gets half."""
    vectors = np.repeat(np.eye(1, 4, dtype=np.float32), 20, axis=0)
    fitted = fit(vectors, np.arange(20) % 2, np.arange(20) // 4)
    found = assign(vectors[:1], fitted.assigner)
    assert found.probabilities[0] == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_domain_inside_one_fold_is_learned():
    """A domain whose members share a fold is refused when held out, and known afterwards."""
    vectors, domains, folds = blobs()
    folds = np.where(domains == 2, 4, folds % 4)
    fitted = fit(vectors, domains, folds)
    assert np.isfinite(fitted.held_out.memberships).all()
    assert (assign(vectors[domains == 2], fitted.assigner).buckets == 2).mean() > 0.8


@pytest.mark.parametrize("domains", [[], [NO_DOMAIN, NO_DOMAIN]], ids=["none", "all noise"])
def test_without_a_domain_nothing_is_fitted(domains):
    """No member at all is an error that says what to do."""
    vectors = np.zeros((len(domains), 2), np.float32)
    with pytest.raises(ValueError, match="approve at least one domain first"):
        fit(vectors, np.array(domains, np.int64), np.zeros(len(domains), np.int64))


def test_a_domain_without_members_is_named():
    """Row numbers must be dense."""
    with pytest.raises(ValueError, match=r"Domains \[1\] have no member"):
        fit(np.eye(2, dtype=np.float32), np.array([0, 2]), np.zeros(2, np.int64))


@settings(deadline=None, max_examples=15)
@given(st.permutations(range(36)), st.integers(0, 2))
def test_row_order_is_irrelevant(order, seed):
    """Shuffled members give the same assigner up to rounding, and memberships sum to 1."""
    generator = np.random.default_rng(seed)
    vectors = generator.choice([0.0, 0.25, 0.5, 1.0], size=(36, 4)) + np.eye(4)[np.arange(36) % 4]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    domains, folds = np.arange(36) % 3 - (np.arange(36) > 33), np.arange(36) % 5
    order = np.array(order)
    whole = fit(vectors, domains, folds)
    shuffled = fit(vectors[order], domains[order], folds[order])
    assert shuffled.assigner.prototypes == pytest.approx(whole.assigner.prototypes, abs=1e-6)
    assert shuffled.held_out.probabilities == pytest.approx(
        whole.held_out.probabilities[order], abs=0.02
    )
    assert whole.held_out.memberships.sum(axis=1) == pytest.approx(np.ones(36))
    assert (whole.held_out.memberships >= 0).all()
