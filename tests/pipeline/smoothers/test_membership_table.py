from dataclasses import replace

import numpy as np

from pipeline.smoothers.base import PairedTargets
from pipeline.smoothers.membership_table import SoftTable
from tests.topics import make_topics


def test_a_refused_prompt_gets_the_overall_mean():
    """Membership in `unassigned` says nothing of the topic."""
    topics = make_topics(60)
    targets = PairedTargets(reference=0, values=topics.outcomes.quality)
    smoother = SoftTable().smooth(topics.prompts, targets).smoother
    refused = np.tile([0.0, 0.0, 1.0], (60, 1))
    predicted, variance = smoother.predict(replace(topics.prompts, memberships=refused))
    expected = np.broadcast_to(topics.outcomes.quality.mean(axis=0), (60, 3))
    np.testing.assert_allclose(predicted, expected)
    assert variance.tolist() == [0.0] * 60


def test_cells_tell_domains_apart_and_equal_outcomes_do_not():
    """A cell moves from the mean as far as outcomes differ between domains."""
    topics = make_topics(80)
    targets = PairedTargets(reference=0, values=topics.outcomes.quality)
    predicted, _ = SoftTable().smooth(topics.prompts, targets).smoother.predict(topics.prompts)
    assert predicted[topics.topic == 0, 0].min() > predicted[topics.topic == 1, 0].max() + 0.2
    level = PairedTargets(reference=0, values=np.full((80, 3), 0.5))
    predicted, _ = SoftTable().smooth(topics.prompts, level).smoother.predict(topics.prompts)
    np.testing.assert_allclose(predicted, 0.5)


def test_without_domains_every_estimate_is_the_mean():
    """One column of ones is `unassigned` alone."""
    topics = make_topics(10)
    bare = replace(topics.prompts, memberships=np.ones((10, 1)))
    targets = PairedTargets(reference=0, values=topics.outcomes.quality)
    smoothing = SoftTable().smooth(bare, targets)
    expected = np.broadcast_to(topics.outcomes.quality.mean(axis=0), (10, 3))
    np.testing.assert_allclose(smoothing.held_out, expected)
