from dataclasses import replace

import numpy as np
import pytest

from pipeline.estimators.strong_weak import StrongWeak
from pipeline.strong_weak import average_gap_closed, gap_curve
from tests.support import NAN, outcomes_of
from tests.topics import MODEL_IDS, make_topics

TRAIN, TEST = make_topics(200), make_topics(100, seed=5)


def test_it_learns_where_the_strong_model_wins():
    """Gains on unseen prompts are ordered by topic: far above random placement."""
    pair = StrongWeak(strong=MODEL_IDS[0], weak=MODEL_IDS[1])
    found = pair.fit(TRAIN.prompts, TRAIN.outcomes).estimate(TEST.prompts)
    gain = found.quality[:, 0] - found.quality[:, 1]
    assert gain[TEST.topic == 0].mean() > 0.2
    assert gain[TEST.topic == 1].mean() < 0.0
    won = TEST.outcomes.quality[:, 0] - TEST.outcomes.quality[:, 1]
    assert average_gap_closed(*gap_curve(gain, won)) > 0.6


def test_other_models_are_unknown():
    """Neither quality nor cost, so that nothing chooses them."""
    pair = StrongWeak(strong=MODEL_IDS[0], weak=MODEL_IDS[1])
    found = pair.fit(TRAIN.prompts, TRAIN.outcomes).estimate(TEST.prompts)
    assert np.isnan(found.quality[:, 2]).all()
    assert np.isnan(found.cost_usd[:, 2]).all()


def test_best_single_against_cheapest_by_default():
    """The strong model is the best one, the weak one the cheapest of the others."""
    fitted = StrongWeak().fit(TRAIN.prompts, TRAIN.outcomes)
    assert MODEL_IDS[fitted.weak] == "poor-model"
    means = TRAIN.outcomes.quality.mean(axis=0)
    assert fitted.strong == int(means.argmax())


@pytest.mark.parametrize(
    ("quality", "gain"),
    [([[1, 0]], 1.0), ([[0.5, 0.5]], 0.0), ([[0, 0.25]], -0.25), ([[1, 0], [0, 1]], 0.0)],
)
def test_few_results_by_hand(quality, gain):
    """One result alone is certain; a win and a loss on equal prompts cancel."""
    n = len(quality)
    same = TRAIN.prompts.rows(np.zeros(n, dtype=np.intp))
    fitted = StrongWeak(strong="a", weak="b").fit(same, outcomes_of(quality))
    found = fitted.estimate(same)
    assert found.quality[:, 0] - found.quality[:, 1] == pytest.approx(np.full(n, gain), abs=1e-6)


def test_a_pair_that_never_met_is_refused():
    """Without common prompts, or with one model, there is nothing to learn."""
    apart = np.array([[1.0, NAN], [NAN, 1.0]])
    two = TRAIN.prompts.rows(np.arange(2))
    with pytest.raises(ValueError, match="two models that answered the same prompts"):
        StrongWeak(strong="a", weak="b").fit(two, outcomes_of(apart))
    one = replace(TRAIN.outcomes, model_ids=("m",), quality=TRAIN.outcomes.quality[:, :1],
                  cost_usd=TRAIN.outcomes.cost_usd[:, :1])  # fmt: skip
    with pytest.raises(ValueError, match="two models"):
        StrongWeak().fit(TRAIN.prompts, one)
