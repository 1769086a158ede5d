"""Prompts of two topics, on each of which another model is the better one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Prompts
from profiles.outcomes import Outcomes

MODEL_IDS = ("maths-model", "poem-model", "poor-model")
_WORDS = (("sum", "root", "ratio", "angle"), ("verse", "rhyme", "ode", "stanza"))


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Training data; row i of every part is one prompt."""

    prompts: Prompts
    outcomes: Outcomes
    topic: NDArray[np.int64]
    """Shape (n,): 0 or 1."""


def make_topics(n_prompts: int, *, seed: int = 0) -> Topics:
    """Return prompts of alternating topics with noisy outcomes on a coarse grid."""
    generator = np.random.default_rng(seed)
    topic = np.arange(n_prompts) % 2
    centres = np.eye(2, 8)
    vectors = centres[topic] + 0.25 * generator.normal(size=(n_prompts, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sizes = generator.integers(2, 6, size=n_prompts)
    texts = tuple(
        f"{' '.join(generator.choice(_WORDS[k], size=int(sizes[i])))} {1000 * seed + i}?"
        for i, k in enumerate(topic)
    )
    likely = np.array([[0.9, 0.3, 0.1], [0.3, 0.8, 0.1]])[topic]
    quality = np.where(generator.random(likely.shape) < likely, 1.0, 0.25)
    cost = np.array([0.004, 0.001, 0.0005]) * (1.0 + generator.random((n_prompts, 3)))
    own = np.eye(2)[topic] * 0.8 + 0.1
    return Topics(
        prompts=Prompts(
            texts=texts,
            vectors=vectors.astype(np.float32),
            memberships=np.column_stack([own, np.zeros(n_prompts)]),
        ),
        outcomes=Outcomes(model_ids=MODEL_IDS, quality=quality, cost_usd=cost),
        topic=topic,
    )
