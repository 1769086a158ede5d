import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

from pipeline.config import ClusterConfig, DiscoverConfig, ProjectConfig
from pipeline.flows.discovery import discover, latest_run, sweep
from pipeline.ingest import read_file
from pipeline.prompt_text import prompt_id_of
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
        assert set(names[found].split(" · ")) <= {topic, *TOPICS[topic].split()}
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
    assert [(t["min_cluster_size"], t["method"]) for t in sweep] == [(5, "eom"), (8, "eom")]
    assert [trial["chosen"] for trial in sweep].count(True) == 1


def test_a_sweep_saves_no_run(store):
    """It tries the same settings as a run would, and the leaves, and says how stable each is."""
    tried = sweep(store, HashEncoder(), DiscoverConfig())
    assert store.count(RUNS) == 0
    run_id = discover(store, HashEncoder(), DiscoverConfig())
    kept = json.loads(store.read(RUNS, run_id=run_id)["sweep"].item())
    own = [trial for trial in tried if trial["method"] == "eom"]
    assert [{k: v for k, v in trial.items() if k != "stability"} for trial in own] == kept
    assert len(tried) == 2 * len(own)
    assert all(0.9 <= trial["stability"] <= 1.0 for trial in tried if trial["n_clusters"] == 3)


@pytest.mark.parametrize("cap", [100, 40], ids=["all", "a sample"])
def test_a_sweep_says_what_routing_would_gain(store, cap):
    """Of the prompts that were clustered, with an interval; a sweep of noise gains nothing."""
    tried = sweep(store, HashEncoder(), DiscoverConfig(cap=cap))
    assert {trial["routing_n"] for trial in tried} == {min(cap, 90)}
    three = [trial for trial in tried if trial["n_clusters"] == 3]
    assert three
    assert all(t["routing_lo"] < t["routing_points"] < t["routing_hi"] for t in three)
    assert all(trial["routing_points"] == 0.0 for trial in tried if trial["n_clusters"] == 0)


def test_without_outcomes_routing_is_unknown(tmp_path):
    """Unknown, not 0: prompts alone, and logs with one model for each prompt, cannot tell."""
    texts = [p.text for p in story(30)]
    lines = [f"{text},model-{row % 2},1.0" for row, text in enumerate(texts)]
    for name, text in (
        ("alone.csv", "prompt\n" + "\n".join(texts)),
        ("one.csv", "prompt,model,quality\n" + "\n".join(lines)),
    ):
        tried = sweep(store_of(tmp_path, text, name), HashEncoder(), DiscoverConfig())
        assert {(trial["routing_points"], trial["routing_n"]) for trial in tried} == {(None, 0)}


def test_the_same_inputs_are_discovered_once(store):
    """The second run does nothing; another config is another run."""
    encoder = HashEncoder()
    first = discover(store, encoder, DiscoverConfig())
    assert discover(store, encoder, DiscoverConfig()) == first
    assert store.count(RUNS) == 1
    assert sum(text.startswith("Please") for text in encoder.seen) == 90  # the rest are phrases
    fixed = DiscoverConfig(cluster=ClusterConfig(min_cluster_size=6))
    assert discover(store, encoder, fixed) != first
    assert latest_run(store) == discover(store, encoder, fixed)


@pytest.mark.parametrize("with_umap", [False, True])
def test_row_order_is_irrelevant(store, tmp_path, monkeypatch, with_umap):
    """The file in another order gives the same run, clusters and members; by UMAP too."""
    if with_umap:
        monkeypatch.undo()
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


TEMPLATE = " ".join(f"clause {name}" for name in "abcdefghijklmnopqrst")


def copies(n):
    """Return one template many times, each with a number and one of a few words of its own."""
    names = ("ann", "bob", "cid", "dan", "eve")
    return [f"Dear {names[i % 5]} {TEMPLATE} on day {i}" for i in range(n)]


def groups_of(store, run_id):
    return dict(store.read(MEMBERS, run_id=run_id)["prompt_id", "cluster_id"].iter_rows())


def test_a_repeated_template_is_one_cluster(tmp_path):
    """500 near-copies among 300 prompts are one cluster, and the others as without them."""
    others = story(100)
    lines = [p.text for p in others]
    alone = store_of(tmp_path, "prompt\n" + "\n".join(lines), "alone.csv")
    among = store_of(tmp_path, "prompt\n" + "\n".join(lines + copies(500)), "among.csv")
    before = groups_of(alone, discover(alone, HashEncoder(), DiscoverConfig()))
    run_id = discover(among, HashEncoder(), DiscoverConfig())
    after = groups_of(among, run_id)
    assert len({after[prompt_id_of(text)] for text in copies(500)}) == 1
    ids = [id_of(p) for p in others]
    assert adjusted_rand_score([before[i] for i in ids], [after[i] for i in ids]) == 1.0
    n_alike = alone.read(RUNS)["n_copies"].item()
    run = among.read(RUNS, run_id=run_id).row(0, named=True)
    assert (run["n_prompts"], run["n_copies"], run["n_extended"]) == (800, 499 + n_alike, 0)
    assert among.read(CLUSTERS, run_id=run_id)["n_prompts"].max() == 500
    places = among.read(MEMBERS, run_id=run_id).filter(
        pl.col("prompt_id").is_in([prompt_id_of(text) for text in copies(500)])
    )
    assert places["x"].n_unique() == 1


def test_above_the_cap_a_sample_is_clustered(tmp_path):
    """Every prompt is placed, the topics are found, and how well the rest went is told."""
    store = store_of(tmp_path, story_csv(story(100)))
    run_id = discover(store, HashEncoder(), DiscoverConfig(cap=120))
    run = store.read(RUNS, run_id=run_id).row(0, named=True)
    assert (run["n_prompts"], run["n_copies"], run["n_extended"]) == (300, 4, 180)
    assert 0.5 < run["agreement_lo"] < run["agreement"] <= 1.0
    group_of = groups_of(store, run_id)
    topics = [p.topic for p in story(100)]
    found = [group_of[id_of(p)] for p in story(100)]
    assert adjusted_rand_score(topics, found) > 0.9
    assert store.read(CLUSTERS, run_id=run_id)["n_prompts"].sum() == sum(f >= 0 for f in found)


def test_another_seed_is_another_sample(tmp_path):
    """The sample is drawn by a hash of the prompts and the seed."""
    store = store_of(tmp_path, story_csv(story(100)))
    runs = [
        discover(store, HashEncoder(), DiscoverConfig(cap=120, project=ProjectConfig(seed=seed)))
        for seed in (0, 1)
    ]
    first, second = (store.read(MEMBERS, run_id=run_id) for run_id in runs)
    assert first["prompt_id"].to_list() == second["prompt_id"].to_list()
    assert not first["x"].equals(second["x"])


def test_clusters_know_their_groups(store):
    """Each has two, the finer one first, with names."""
    run_id = discover(store, HashEncoder(), DiscoverConfig())
    parents = store.read(CLUSTERS, run_id=run_id)["parents"].to_list()
    assert [len(groups) for groups in parents] == [2, 2, 2]
    assert all(name for groups in parents for name in groups)
    assert len({groups[0] for groups in parents}) == 2
