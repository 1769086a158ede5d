import json

import numpy as np
import pytest

from pipeline.config import ClusterConfig, DiscoverConfig
from pipeline.flows.discovery import discover, latest_run
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import NotReadyError
from profiles.tables import CLUSTERS, MEMBERS, PROMPTS, RUNS, VECTORS
from tests.support import TOPICS, HashEncoder, id_of, skip_umap, story, story_csv


@pytest.fixture(autouse=True)
def _no_umap(monkeypatch):
    skip_umap(monkeypatch)


def store_of(folder, text, name="in.csv"):
    source = folder / name
    source.write_text(text, encoding="utf-8")
    store = Store(path=folder / f"{name}.duckdb")
    store.append(*read_file(source).tables())
    return store


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path, story_csv(story(30)))


def test_topics_become_clusters(store):
    """Three topics are three clusters with their prompts, named by their own words."""
    run_id = discover(store, HashEncoder(), DiscoverConfig())
    cluster_of = dict(store.read(MEMBERS, run_id=run_id)["prompt_id", "cluster_id"].iter_rows())
    names = dict(store.read(CLUSTERS, run_id=run_id)["cluster_id", "name"].iter_rows())
    for topic in TOPICS:
        (found,) = {cluster_of[id_of(p)] for p in story(30) if p.topic == topic}
        assert topic in names[found]
    run = store.read(RUNS, run_id=run_id).row(0, named=True)
    assert (run["n_prompts"], run["n_clusters"], run["n_unclustered"]) == (90, 3, 0)


def test_a_cluster_shows_members(store):
    """Medoid, exemplars and border are members, and sizes add up with the unclustered."""
    run_id = discover(store, HashEncoder(), DiscoverConfig())
    members = store.read(MEMBERS, run_id=run_id)
    for row in store.read(CLUSTERS, run_id=run_id).iter_rows(named=True):
        own = set(members.filter(cluster_id=row["cluster_id"])["prompt_id"])
        shown = {*row["exemplar_prompt_ids"], *row["border_prompt_ids"], row["medoid_prompt_id"]}
        assert shown <= own
        assert row["n_prompts"] == len(own)


def test_the_sweep_is_kept(store):
    """Every size that was tried is saved, one of them chosen."""
    run_id = discover(store, HashEncoder(), DiscoverConfig())
    sweep = json.loads(store.read(RUNS, run_id=run_id)["sweep"].item())
    assert [trial["min_cluster_size"] for trial in sweep] == [5, 8]
    assert [trial["chosen"] for trial in sweep].count(True) == 1


def test_the_same_inputs_are_discovered_once(store):
    """The second run does nothing; another config is another run."""
    encoder = HashEncoder()
    first = discover(store, encoder, DiscoverConfig())
    assert discover(store, encoder, DiscoverConfig()) == first
    assert store.count(RUNS) == 1
    assert len(encoder.seen) == 90
    fixed = DiscoverConfig(cluster=ClusterConfig(min_cluster_size=6))
    assert discover(store, encoder, fixed) != first
    assert latest_run(store) == discover(store, encoder, fixed)


def test_row_order_is_irrelevant(store, tmp_path):
    """The file in another order gives the same run, clusters and members."""
    head, *lines = story_csv(story(30)).splitlines()
    order = np.random.default_rng(1).permutation(len(lines))
    other = store_of(tmp_path, "\n".join([head, *(lines[i] for i in order)]), "other.csv")
    run_id = discover(store, HashEncoder(), DiscoverConfig())
    assert discover(other, HashEncoder(), DiscoverConfig()) == run_id
    for table in (CLUSTERS, MEMBERS, PROMPTS, VECTORS):
        assert other.read(table).equals(store.read(table))


@pytest.mark.parametrize(
    "prompts",
    [["one"], ["red fox", "red fish", "red hat"], ["same words"]],
    ids=["one", "a few with a word in common", "one again"],
)
def test_too_few_prompts_are_all_noise(tmp_path, prompts):
    """A handful of prompts is a run without clusters, not an error."""
    store = store_of(tmp_path, "prompt\n" + "\n".join(prompts) + "\n")
    run = store.read(RUNS, run_id=discover(store, HashEncoder(), DiscoverConfig()))
    assert (run["n_clusters"].item(), run["n_unclustered"].item()) == (0, len(prompts))
    assert store.count(CLUSTERS) == 0


def test_nothing_to_discover_names_the_next_step(tmp_path):
    """An empty store has no prompts and no run."""
    store = Store(path=tmp_path / "store.duckdb")
    with pytest.raises(NotReadyError, match=r"no prompts yet. Run `promptshed import FILE`"):
        discover(store, HashEncoder(), DiscoverConfig())
    with pytest.raises(NotReadyError, match="Run `promptshed discover` first"):
        latest_run(store)


def test_the_run_asked_for_last_is_shown(store):
    """Asking for an older config again brings its run back."""
    first = discover(store, HashEncoder(), DiscoverConfig())
    discover(store, HashEncoder(), DiscoverConfig(cluster=ClusterConfig(min_cluster_size=6)))
    discover(store, HashEncoder(), DiscoverConfig())
    assert latest_run(store) == first
    assert store.count(RUNS) == 2
