"""Small stores with a story, made by the real flows with an encoder that only counts words."""

import json
import shutil
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

from pipeline.config import Policy
from pipeline.embed import check_vectors
from pipeline.flows.curation import approve_clusters, rename_domain
from pipeline.flows.profiling import profile
from pipeline.flows.tables import build_table, publish_table
from pipeline.ingest import read_file
from pipeline.prompt_text import prompt_id_of
from pipeline.store import Store
from profiles.tables import CLUSTERS, MEMBERS, RUNS
from tests.endpoint_server import Server

settings.register_profile("promptshed", deadline=None)  # a busy machine is no failure
settings.load_profile("promptshed")

HOSTILE = (
    '<img src=x onerror="alert(1)"> <b>bold</b> **strong** [link](javascript:alert(1)) '
    ":material/home: :red[red] $x^2$ `code` %{x}"
)
"""HTML, Markdown, Streamlit directives, LaTeX and a Plotly template in one."""
STAGES = ("imported", "discovered", "approved", "profiled", "drafted", "published")
TOPICS = {"sum two numbers": 48, "translate a letter": 36, "fix my python code": 20}
WAITING_TOPIC, N_WAITING, N_NOISE = "name a good wine", 12, 4
N_PROMPTS = sum(TOPICS.values()) + N_WAITING + N_NOISE
MODELS = {"large/one": (0.95, 0.01), "small/two": (0.8, 0.0005), "tiny/<b>three</b>": (0.5, None)}
"""Mean quality, and cost of one prompt where it is known."""


class WordEncoder:
    """Counts words into a few bins: the same text has the same vector, alike texts are near."""

    encoder_id = "words:1"

    def encode(self, texts: Sequence[str]):
        vectors = np.full((len(texts), 24), 0.01, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 24] += 1.0
        return check_vectors(vectors, len(texts))


def topic_prompts():
    """Return (topic number or -1, text) of each prompt; the first one of each topic is hostile."""
    sizes = TOPICS | {WAITING_TOPIC: N_WAITING}
    return [
        (number, f"{topic} {HOSTILE if copy == 0 else copy}")
        for number, (topic, size) in enumerate(sizes.items())
        for copy in range(size)
    ] + [(-1, f"=noise {copy}") for copy in range(N_NOISE)]


def outcome_rows():
    """Return one row for each prompt and model; the small model is as good as the large at code."""
    for place, (topic, text) in enumerate(topic_prompts()):
        for model_id, (mean, cost_usd) in MODELS.items():
            is_code = topic == 2 and model_id == "small/two"
            quality = 0.96 if is_code else mean - 0.1 * (place % 2)
            yield {
                "prompt": text,
                "model": model_id,
                "quality": round(quality, 2),
                "cost_usd": cost_usd,
                "latency_s": 1.5 if model_id == "large/one" else None,
            }


def run_tables():
    """Return a run as discovery would save it, with the topics as clusters."""
    prompts = [(number, prompt_id_of(text)) for number, text in topic_prompts()]
    angle = np.linspace(0, 2 * np.pi, len(prompts))
    members = pl.DataFrame(
        {
            "run_id": "run-tiny",
            "prompt_id": [prompt_id for _, prompt_id in prompts],
            "cluster_id": [number for number, _ in prompts],
            "x": [10.0 * number for number, _ in prompts] + np.cos(angle),
            "y": np.sin(angle),
        }
    )
    clusters = [
        {
            "run_id": "run-tiny",
            "cluster_id": number,
            "name": topic,
            "names": topic.split(),
            "n_prompts": size,
            "cohesion": 0.5,
            "medoid_prompt_id": ids[0],
            "exemplar_prompt_ids": ids[:3],
            "border_prompt_ids": ids[-2:],
        }
        for number, (topic, size) in enumerate((TOPICS | {WAITING_TOPIC: N_WAITING}).items())
        for ids in [[prompt_id for n, prompt_id in prompts if n == number]]
    ]
    run = {
        "run_id": "run-tiny",
        "created_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "encoder_id": WordEncoder.encoder_id,
        "config": "{}",
        "n_prompts": len(prompts),
        "n_clusters": len(clusters),
        "n_unclustered": N_NOISE,
        "sweep": "[]",
        "duration_s": 0.1,
    }
    return (
        (RUNS, pl.DataFrame([run], schema=RUNS.schema)),
        (CLUSTERS, pl.DataFrame(clusters, schema=CLUSTERS.schema)),
        (MEMBERS, members),
    )


@pytest.fixture(scope="session")
def stages(tmp_path_factory) -> dict[str, Path]:
    """Return a copy of the store after each step of the loop. Read only."""
    folder = tmp_path_factory.mktemp("stages")
    store, encoder = Store(path=folder / "growing.duckdb"), WordEncoder()
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in outcome_rows()), encoding="utf-8")

    def draft():
        build_table(store, encoder, Policy(quality_value_usd=0.0001))
        build_table(store, encoder, Policy(quality_value_usd=0.5))

    steps = (
        lambda: store.append(*read_file(str(log)).tables()),
        lambda: store.append(*run_tables()),
        lambda: _approve(store),
        lambda: profile(store, encoder),
        draft,
        lambda: publish_table(store, 2),
    )
    paths = {}
    for stage, step in zip(STAGES, steps, strict=True):
        step()
        paths[stage] = folder / f"{stage}.duckdb"
        shutil.copy(store.path, paths[stage])
    return paths


@pytest.fixture(scope="session")
def tiny_store(stages) -> Store:
    """Return a store in which every step is done. Read only."""
    return Store(path=stages["published"])


def _approve(store: Store) -> None:
    """Approve every topic but the last; the first one gets a hostile name."""
    first, *_ = approve_clusters(store, [0, 1, 2], actor="ann")
    rename_domain(store, first, HOSTILE, actor="bob")


@pytest.fixture
def endpoint_server(monkeypatch):
    """An OpenAI-compatible endpoint on the loopback address."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()
    running.thread.join()
