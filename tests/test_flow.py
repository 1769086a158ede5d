import csv
import io
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pipeline.batch import route_file
from pipeline.config import DiscoverConfig
from pipeline.flows.curation import approve_clusters
from pipeline.flows.discovery import discover
from pipeline.flows.profiling import profile
from pipeline.flows.routing import load_router
from pipeline.flows.tables import build_table, publish_table
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.tables import (
    BUCKETS,
    DOMAIN_EVENTS,
    MEMBER_SETS,
    PROFILE_CELLS,
    RUNS,
    TABLE_ENTRIES,
)
from tests.support import BEST_VALUE, KEEP_MOST, MODELS, HashEncoder, id_of, story, story_csv

N_PER_TOPIC = 67


def flow(folder, *, policy=KEEP_MOST, order=None):
    """Go from a CSV file to a routed file by the real steps; returns the store and the bytes."""
    folder.mkdir()
    head, *lines = story_csv(story(N_PER_TOPIC), label=False).splitlines()
    lines = lines if order is None else [lines[i] for i in order]
    (folder / "logs.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    new = [f"{k},{p.text}" for k, p in enumerate(story(N_PER_TOPIC + 5))]
    (folder / "prompts.csv").write_text("\n".join(["id,prompt", *new]) + "\n", encoding="utf-8")
    store, encoder = Store(path=folder / "store.duckdb"), HashEncoder()
    store.append(*read_file(folder / "logs.csv").tables())
    discover(store, encoder, DiscoverConfig())
    approve_clusters(store, None, actor="ana")
    profile(store, encoder)
    publish_table(store, build_table(store, encoder, policy))
    route_file(folder / "prompts.csv", folder / "routed.csv", load_router(store, encoder).decide)
    return store, (folder / "routed.csv").read_bytes()


@pytest.mark.slow
def test_files_become_decisions_the_same_ones_every_time(tmp_path):
    """201 prompts in two fresh stores, rows in another order: equal domains, tables and bytes.

    The three topics are found by the real UMAP and HDBSCAN, and each gets the model of best
    value that the outcomes were drawn from.
    """
    shuffled = np.random.default_rng(5).permutation(3 * 3 * N_PER_TOPIC)
    store, routed = flow(tmp_path / "first")
    other, other_routed = flow(tmp_path / "shuffled", order=shuffled)
    assert other_routed == routed
    for table in (MEMBER_SETS, PROFILE_CELLS, BUCKETS, TABLE_ENTRIES):
        assert other.read(table).equals(store.read(table))
    decided = DOMAIN_EVENTS.schema.names()[:-1]
    assert other.read(DOMAIN_EVENTS)[decided].equals(store.read(DOMAIN_EVENTS)[decided])
    assert json.loads(store.read(RUNS)["config"].item())["project"]["n_components"] == 10
    assert_topics_are_domains(store)
    assert_models_are_those_of_best_value(routed)


@pytest.mark.slow
def test_the_default_router_decides_the_same_every_time_too(tmp_path):
    """The stack reads texts and neighbours as well, and row order still changes nothing."""
    policy = replace(KEEP_MOST, router="stack")
    shuffled = np.random.default_rng(6).permutation(3 * 3 * N_PER_TOPIC)
    _, routed = flow(tmp_path / "first", policy=policy)
    _, other_routed = flow(tmp_path / "shuffled", policy=policy, order=shuffled)
    assert other_routed == routed
    assert_quality_is_kept_for_less(routed_models(routed))


def assert_topics_are_domains(store):
    """Each approved domain holds prompts of one topic, and all three are there."""
    topic_of = {id_of(p): p.topic for p in story(N_PER_TOPIC)}
    sets = store.read(MEMBER_SETS).group_by("member_set_id").agg("prompt_id")["prompt_id"]
    topics = [{topic_of[prompt_id] for prompt_id in members} for members in sets]
    assert sorted(map(tuple, topics)) == [(topic,) for topic in sorted(BEST_VALUE)]


def assert_models_are_those_of_best_value(routed):
    """Each topic goes mostly to its model."""
    models = routed_models(routed)
    prompts = story(N_PER_TOPIC + 5)
    counts = Counter((p.topic, model) for p, model in zip(prompts, models, strict=True))
    most = {topic: max(MODELS, key=lambda model: counts[topic, model]) for topic in BEST_VALUE}
    assert most == BEST_VALUE
    assert_quality_is_kept_for_less(models)


def routed_models(routed):
    """Return the model of each row."""
    return [row["model"] for row in csv.DictReader(io.StringIO(routed.decode()))]


def assert_quality_is_kept_for_less(models):
    """The quality asked for is reached, for well under the full price."""
    prompts = story(N_PER_TOPIC + 5)
    reached = sum(p.quality[model] for p, model in zip(prompts, models, strict=True))
    assert reached >= KEEP_MOST.keep_quality * sum(p.quality["large"] for p in prompts)
    assert sum(map(MODELS.get, models)) < 0.6 * MODELS["large"] * len(models)
