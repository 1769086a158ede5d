import numpy as np
import pytest

from pipeline.estimators.base import Prompts
from pipeline.smoothers.fit import fit_held_out
from pipeline.smoothers.ridge import VectorRidge
from tests.support import NAN, HashEncoder, outcomes_of

TEXTS = tuple(f"prompt {word} number {i}" for i, word in enumerate(["red", "blue", "green"] * 20))
PROMPTS = Prompts(
    texts=TEXTS, vectors=HashEncoder().encode(TEXTS), memberships=np.ones((len(TEXTS), 1))
)
ALTERNATING = np.arange(len(TEXTS)) % 2


def errors(n_known):
    """Return the standard errors of a reference, a model known everywhere and one on few."""
    rare = np.where(np.arange(len(TEXTS)) < n_known, ALTERNATING, NAN)
    quality = np.column_stack([np.ones(len(TEXTS)), ALTERNATING, rare])
    fit = fit_held_out(VectorRidge(), PROMPTS, outcomes_of(quality), reference=0)
    found = fit.estimator.estimate(PROMPTS)
    return found.standard_error.mean(axis=0), fit.estimator.spread


def test_a_model_known_on_few_prompts_is_less_sure():
    """Its mean alone varies by 1/4 of one difference's variance, on top of what all share."""
    known, spread = errors(n_known=4)
    assert known[0] == 0.0
    assert known[2] > 0.9 * spread[2] * np.sqrt(1 / 4 - 1 / 60)
    assert known[2] > 2.0 * known[1]


def test_models_known_on_the_same_prompts_are_equally_sure():
    """Nothing is added where every model is known on every prompt."""
    known, _ = errors(n_known=len(TEXTS))
    assert known[2] == pytest.approx(known[1])
