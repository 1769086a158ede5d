from dataclasses import replace

import numpy as np
import pytest

from pipeline.estimators.base import cross_estimate
from pipeline.estimators.mixllm import MixLlm, load_penalty
from pipeline.route import choose_by_utility
from tests.support import NAN
from tests.topics import MODEL_IDS, make_topics

TRAIN, TEST = make_topics(120), make_topics(60, seed=5)


def columns(outcomes, n):
    return replace(
        outcomes,
        model_ids=outcomes.model_ids[:n],
        quality=outcomes.quality[:, :n],
        cost_usd=outcomes.cost_usd[:, :n],
    )


def test_each_topic_gets_its_model():
    """Nine of ten unseen prompts go to the model that is better on their topic."""
    estimates = MixLlm().fit(TRAIN.prompts, TRAIN.outcomes).estimate(TEST.prompts)
    chosen = choose_by_utility(estimates, quality_value_usd=float("inf"))
    assert (chosen == TEST.topic).mean() > 0.9
    assert (estimates.cost_usd > 0).all()
    assert (estimates.standard_error >= 0).all()


def test_a_held_out_prompt_does_not_see_its_own_outcome():
    """Another outcome of one prompt leaves that prompt's own estimate as it was."""
    changed = TRAIN.outcomes.quality.copy()
    changed[7] = 1.0 - changed[7]
    folds = np.arange(120) % 5
    before, after = (
        cross_estimate(MixLlm(), TRAIN.prompts, replace(TRAIN.outcomes, quality=quality), folds)
        for quality in (TRAIN.outcomes.quality, changed)
    )
    assert np.array_equal(before.quality[7], after.quality[7])
    assert not np.array_equal(before.quality, after.quality)


def test_a_new_model_changes_no_other():
    """Quality and cost of the first two models do not move when the third joins."""
    before = MixLlm().fit(TRAIN.prompts, columns(TRAIN.outcomes, 2)).estimate(TEST.prompts)
    after = MixLlm().fit(TRAIN.prompts, TRAIN.outcomes).estimate(TEST.prompts)
    assert after.quality[:, :2] == pytest.approx(before.quality, abs=1e-9)
    assert after.cost_usd[:, :2] == pytest.approx(before.cost_usd, rel=1e-9)


def test_a_busy_model_is_left_alone():
    """Within the patience nothing changes; past it the model loses quality and calls."""
    idle, patient, busy = (
        MixLlm(waiting_s={MODEL_IDS[0]: wait}).fit(TRAIN.prompts, TRAIN.outcomes)
        for wait in (0.0, 10.0, 30.0)
    )
    assert np.array_equal(
        idle.estimate(TEST.prompts).quality, patient.estimate(TEST.prompts).quality
    )
    chosen = choose_by_utility(busy.estimate(TEST.prompts), quality_value_usd=float("inf"))
    assert (chosen != 0).all()


def test_the_penalty_never_falls_with_waiting():
    """It grows past the patience and ends at 1."""
    found = load_penalty(np.linspace(0, 60, 61), 10.0)
    assert (np.diff(found) >= 0).all()
    assert (found[:11] == 0).all()
    assert found[-1] == 1.0


def test_null_stays_null():
    """A model without a known quality or cost has none, and the others are as they were."""
    blank = replace(
        TRAIN.outcomes,
        quality=np.where([True, True, False], TRAIN.outcomes.quality, NAN),
        cost_usd=np.where([True, True, False], TRAIN.outcomes.cost_usd, NAN),
    )
    found = MixLlm().fit(TRAIN.prompts, blank).estimate(TEST.prompts)
    assert np.isnan(found.quality[:, 2]).all()
    assert np.isnan(found.cost_usd[:, 2]).all()
    assert np.isfinite(found.quality[:, :2]).all()
