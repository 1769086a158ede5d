import numpy as np
import pytest

from pipeline.smoothers.base import PairedTargets
from pipeline.smoothers.knn import KernelKnn, PlainKnn
from tests.topics import make_topics


def paired(values):
    return PairedTargets(reference=0, values=values)


def test_held_out_means_equal_those_of_the_other_prompts():
    """Leave-one-out by masking equals searching among the other prompts only."""
    topics = make_topics(24)
    values = topics.outcomes.quality
    smoothing = PlainKnn(n_neighbors=5).smooth(topics.prompts, paired(values))
    for row in range(24):
        rest = np.arange(24) != row
        similarity = topics.prompts.vectors[rest] @ topics.prompts.vectors[row]
        nearest = np.argsort(-similarity)[:5]
        np.testing.assert_allclose(smoothing.held_out[row], values[rest][nearest].mean(axis=0))


@pytest.mark.parametrize("config", [PlainKnn(n_neighbors=4), KernelKnn(n_neighbors=4, n_prior=0.0)])
def test_an_own_outcome_does_not_move_the_own_held_out_estimate(config):
    """Flipping a prompt's outcomes changes what its neighbours get, not what it gets."""
    topics = make_topics(20)
    flipped = topics.outcomes.quality.copy()
    flipped[7] = 1.25 - flipped[7]
    before = config.smooth(topics.prompts, paired(topics.outcomes.quality)).held_out
    after = config.smooth(topics.prompts, paired(flipped)).held_out
    np.testing.assert_allclose(before[7], after[7], atol=1e-12)
    assert np.abs(before - after).max() > 0.05


def test_unknown_targets_are_left_out_of_the_mean():
    """A neighbour whose target is unknown does not count; without any the mean stands in."""
    topics = make_topics(12)
    values = topics.outcomes.quality.copy()
    values[1:, 1] = np.nan
    values[:, 2] = np.nan
    smoother = PlainKnn(n_neighbors=3).smooth(topics.prompts, paired(values)).smoother
    predicted, _ = smoother.predict(topics.prompts)
    np.testing.assert_allclose(predicted[:, 1], values[0, 1])
    assert predicted[:, 2].tolist() == [0.0] * 12


def test_kernel_neighbours_are_shrunk_to_the_mean_by_their_effective_number():
    """With a huge prior every estimate is the global mean."""
    topics = make_topics(20)
    smoother = KernelKnn(n_prior=1e9).smooth(topics.prompts, paired(topics.outcomes.quality))
    mean = np.broadcast_to(topics.outcomes.quality.mean(axis=0), (20, 3))
    np.testing.assert_allclose(smoother.held_out, mean, atol=1e-6)
