"""Helpers for several test files: a fake encoder, and tiny tables with a story."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipeline.embed import check_vectors
from pipeline.prompt_text import prompt_id_of
from profiles.outcomes import Outcomes
from profiles.tables import OUTCOMES, conform

GRID = (0.0, 0.25, 0.5, 1.0)
NAN = float("nan")


@dataclass(kw_only=True)
class HashEncoder:
    """A bag of words with one fixed random direction for each word; counts what it encodes."""

    encoder_id: str = "hash:0123456789ab:bag:unit"
    n_dims: int = 32
    seen: list[str] = field(default_factory=list)
    """Every text that was encoded, in order."""

    def encode(self, texts):
        self.seen.extend(texts)
        rows = [self._sum(text) for text in texts]
        return check_vectors(np.array(rows, dtype=np.float32), len(texts))

    def _sum(self, text):
        return np.sum([self._direction(word) for word in text.lower().split()], axis=0)

    def _direction(self, word):
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        return np.random.default_rng(seed).normal(size=self.n_dims)


def outcomes_of(quality, cost_usd=None, model_ids=None):
    """Return an outcome matrix; models are a, b, c … and unknown costs by default."""
    quality = np.array(quality, dtype=np.float64)
    cost = np.full_like(quality, NAN) if cost_usd is None else np.array(cost_usd, np.float64)
    return Outcomes(
        model_ids=tuple(model_ids or "abcdefgh"[: quality.shape[1]]),
        quality=quality,
        cost_usd=np.broadcast_to(cost, quality.shape).copy(),
    )


def outcomes_table(rows):
    """Return the OUTCOMES table of rows (prompt_id, model_id, quality, cost_usd)."""
    frame = pl.DataFrame(
        rows,
        schema={
            "prompt_id": pl.String,
            "model_id": pl.String,
            "quality": pl.Float64,
            "cost_usd": pl.Float64,
        },
        orient="row",
    )
    known = frame.columns
    missing = [pl.lit(None, kind).alias(k) for k, kind in OUTCOMES.schema.items() if k not in known]
    numbered = frame.with_columns(missing).with_columns(
        request_id=pl.int_range(pl.len()).cast(pl.String)
    )
    return conform(numbered, OUTCOMES)


TOPICS = {
    "python": "python code function list loop recursion bug",
    "kitchen": "recipe oven dough butter flour sugar bake",
    "law": "contract clause tenant court liability lease statute",
}
MODELS = {"large": 0.02, "medium": 0.004, "small": 0.001}
"""US dollars for one prompt."""
TRUTH = {
    "python": {"large": 0.875, "medium": 0.25, "small": 0.125},
    "kitchen": {"large": 0.875, "medium": 0.875, "small": 0.875},
    "law": {"large": 0.875, "medium": 0.875, "small": 0.25},
}
"""The share of prompts each model gets right: one topic needs each model."""
BEST_VALUE = {"python": "large", "kitchen": "small", "law": "medium"}


@dataclass(frozen=True, kw_only=True)
class StoryPrompt:
    """One prompt of the story, with what every model did on it."""

    topic: str
    text: str
    quality: dict[str, float]


def story(n_per_topic=67):
    """Return prompts of three separated topics; the same list every time."""
    generator = np.random.default_rng(7)
    prompts = []
    for topic, words in TOPICS.items():
        for number in range(n_per_topic):
            picked = " ".join(generator.choice(words.split(), size=5, replace=False))
            text = f"Please help with {topic} {picked} case {topic}{number}"
            quality = {m: float(generator.random() < TRUTH[topic][m]) for m in MODELS}
            prompts.append(StoryPrompt(topic=topic, text=text, quality=quality))
    return prompts


def story_csv(prompts, *, label=True):
    """Return the long CSV file of the story, one row for each prompt and model."""
    head = "prompt,model,quality,cost_usd" + (",label" if label else "")
    lines = [
        f"{p.text},{model},{p.quality[model]:g},{cost:g}" + (f",{p.topic}" if label else "")
        for p in prompts
        for model, cost in MODELS.items()
    ]
    return "\n".join([head, *lines]) + "\n"


def story_outcomes():
    """Return a hand-made OUTCOMES table: two domains, two models, repeats, unknowns.

    maths has prompts m1, m2; art has a1. `good` is right everywhere; `bad` fails at maths, its
    cost is never known, and on a1 its quality is not known either.
    """
    return outcomes_table(
        [
            ("m1", "good", 1.0, 0.002),
            ("m1", "bad", 0.0, None),
            ("m1", "bad", 0.5, None),
            ("m2", "good", 0.5, 0.004),
            ("m2", "bad", 0.0, None),
            ("a1", "good", 1.0, None),
            ("a1", "bad", None, None),
        ]
    )


def id_of(prompt):
    """Return the prompt_id of a story prompt."""
    return prompt_id_of(prompt.text)
