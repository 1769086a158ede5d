"""Helpers for several test files: a fake encoder, and tiny tables with a story."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipeline.__main__ import main
from pipeline.config import Policy
from pipeline.embed import check_vectors
from pipeline.flows.curation import domains_from_labels
from pipeline.flows.tables import build_table, publish_table
from pipeline.ingest import read_file
from pipeline.prompt_text import prompt_id_of
from pipeline.store import Store
from profiles.outcomes import Outcomes
from profiles.table import conform
from profiles.tables import OUTCOMES

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
    "kitchen": {"large": 0.875, "medium": 0.875, "small": 1.0},
    "law": {"large": 0.875, "medium": 1.0, "small": 0.25},
}
"""The share of prompts each model gets right, in eighths: one topic needs each model."""
SHIFTS = {"large": 0, "medium": 3, "small": 5}
"""So that models are not wrong on the same prompts."""
KEEP_MOST = Policy(keep_quality=0.95, router="table")
"""Equal shares differ by chance; this policy lets a cheaper model be a little unlucky."""
BEST_VALUE = {"python": "large", "kitchen": "small", "law": "medium"}


@dataclass(frozen=True, kw_only=True)
class StoryPrompt:
    """One prompt of the story, with what every model did on it."""

    topic: str
    text: str
    quality: dict[str, float]


def story(n_per_topic=67):
    """Return prompts of three separated topics; a larger story begins each topic alike."""
    prompts = []
    for place, (topic, words) in enumerate(TOPICS.items()):
        generator = np.random.default_rng([7, place])
        for number in range(n_per_topic):
            picked = " ".join(generator.choice(words.split(), size=5, replace=False))
            text = f"Please help with {topic} {picked} case {topic}{number}"
            right = {m: (number + shift) % 8 < 8 * TRUTH[topic][m] for m, shift in SHIFTS.items()}
            quality = {model: float(is_right) for model, is_right in right.items()}
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


def skip_umap(monkeypatch):
    """Cluster the vectors themselves, and draw their first two numbers."""
    monkeypatch.setattr("pipeline.flows.grouping.cluster_coordinates", lambda v, *_: v)
    monkeypatch.setattr("pipeline.flows.grouping.map_coordinates", lambda v, *_: v[:, :2])


def story_store(folder, *, n_per_topic=30, publish=True):
    """Make a store of the story with its labels as domains and, published, table 1."""
    source = folder / "story.csv"
    source.write_text(story_csv(story(n_per_topic)), encoding="utf-8")
    store = Store(path=folder / "store.duckdb", wait_s=20)
    store.append(*read_file(source).tables())
    domains_from_labels(store, actor="ana")
    if publish:
        publish_table(store, build_table(store, HashEncoder(), KEEP_MOST))
    return store


def add_latencies(store, latency_s):
    """Give every outcome of a store its model's latency."""
    slow = store.read(OUTCOMES).with_columns(
        latency_s=pl.col("model_id").replace_strict(latency_s, return_dtype=pl.Float64)
    )
    store.upsert((OUTCOMES, slow))


def use_fake_encoder(monkeypatch):
    """Let every command encode by `HashEncoder`; returns it."""
    encoder = HashEncoder()
    for module in (
        "axes",
        "curating",
        "demo",
        "discovering",
        "evaluating",
        "exporting",
        "profiling",
        "route",
        "routing",
        "searching",
    ):
        path = f"pipeline.commands.{module}.load_encoder"
        monkeypatch.setattr(path, lambda _name: encoder)
    return encoder


def run_command(capsys, *arguments):
    """Run `promptshed` in this process; returns its exit code, standard output and error."""
    capsys.readouterr()
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err
