import polars as pl
import pytest

from pipeline.config import DiscoverConfig
from pipeline.flows.curation import (
    approve_clusters,
    domains_from_labels,
    reject_cluster,
    undo_decision,
)
from pipeline.flows.discovery import discover, latest_run
from pipeline.flows.identity import link_survivors, read_matches
from pipeline.flows.proposals import read_proposals
from pipeline.ingest import read_file
from pipeline.store import Store
from pipeline.taxonomy import domains_now
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS, MEMBERS
from tests.support import TOPICS, HashEncoder, id_of, skip_umap, story, story_csv


@pytest.fixture(autouse=True)
def _no_umap(monkeypatch):
    skip_umap(monkeypatch)


class Growing:
    """A store into which topics of the story are imported one after the other."""

    def __init__(self, folder):
        self.folder, self.store = folder, Store(path=folder / "store.duckdb")

    def run(self, **n_prompts):
        wanted = [p for t, n in n_prompts.items() for p in story(n) if p.topic == t]
        source = self.folder / f"{len(list(self.folder.iterdir()))}.csv"
        source.write_text(story_csv(wanted), encoding="utf-8")
        self.store.append(*read_file(source).tables())
        discover(self.store, HashEncoder(), DiscoverConfig())

    def approve(self, topic):
        (cluster_id,) = [
            cluster_id
            for cluster_id, name in read_proposals(self.store)["cluster_id", "name"].iter_rows()
            if set(name.split(" · ")) <= {topic, *TOPICS[topic].split()}
        ]
        return approve_clusters(self.store, [cluster_id], actor="ana", name=topic)[0]

    def sizes(self):
        held = domains_now(self.store.read(DOMAIN_EVENTS)).join(
            self.store.read(MEMBER_SETS), on="member_set_id"
        )
        return dict(held.group_by("name").len().iter_rows())

    def fates(self):
        return sorted(read_matches(self.store)["fate"])


@pytest.fixture
def growing(tmp_path):
    return Growing(tmp_path)


def test_domains_survive_new_prompts_and_new_topics(growing):
    """Ids stay, members grow, the new topic emerges and waits, the rejected one stays away."""
    growing.run(python=20, kitchen=20)
    python = growing.approve("python")
    (kitchen,) = read_proposals(growing.store).filter(status="waiting")["cluster_id"]
    reject_cluster(growing.store, kitchen, actor="ana", reason="not ours")
    growing.run(python=40, kitchen=40, law=25)
    assert growing.fates() == ["emerged", "survived"]
    assert link_survivors(growing.store) == [python]
    assert growing.sizes() == {"python": 40}
    assert sorted(read_proposals(growing.store)["status"]) == ["approved", "rejected", "waiting"]
    assert link_survivors(growing.store) == []


def test_a_new_topic_in_the_cluster_of_a_domain_is_not_linked(growing):
    """Its own prompts are all there, but most of what came is unlike them: a person has to look."""
    growing.run(python=20, kitchen=20)
    python = growing.approve("python")
    growing.run(python=40, law=30)
    store = growing.store
    members, run_id = store.read(MEMBERS), latest_run(store)
    law = [id_of(prompt) for prompt in story(30) if prompt.topic == "law"]
    (cluster_id,) = read_matches(store).filter(domain_id=python)["cluster_id"]
    moved = members.filter((pl.col("run_id") == run_id) & pl.col("prompt_id").is_in(law))
    store.upsert((MEMBERS, moved.with_columns(cluster_id=pl.lit(cluster_id, pl.Int64))))
    (match,) = read_matches(store).filter(domain_id=python).to_dicts()
    assert (match["fate"], match["strong"]) == ("survived", False)
    assert match["share_strange"] > 0.5
    assert link_survivors(store) == []


def test_a_link_can_be_taken_back(growing):
    """It is a decision like any other, with its run, its cluster and why."""
    growing.run(python=20, kitchen=20)
    growing.approve("python")
    growing.run(python=40)
    link_survivors(growing.store)
    link = growing.store.read(DOMAIN_EVENTS).filter(verb="link").row(0, named=True)
    assert link["actor"] == "promptshed"
    assert "found again" in link["reason"]
    assert link["cluster_id"] is not None
    undo_decision(growing.store, actor="ana")
    assert growing.sizes() == {"python": 20}


def test_domains_of_labels_grow_by_labels_only(growing):
    """They are found again, but a cluster adds nothing to them."""
    growing.run(python=20, kitchen=20)
    domains_from_labels(growing.store, actor="ana")
    growing.run(python=40)
    assert "survived" in growing.fates()
    assert link_survivors(growing.store) == []
    assert growing.sizes() == {"python": 20, "kitchen": 20}


def test_another_domain_keeps_its_prompts(growing):
    """A link takes no prompt that is in an approved domain already."""
    growing.run(**dict.fromkeys(TOPICS, 20))
    approve_clusters(growing.store, None, actor="ana")
    growing.run(python=30)
    link_survivors(growing.store)
    assert sum(growing.sizes().values()) == growing.store.read(MEMBER_SETS)["prompt_id"].n_unique()


def test_nothing_decided_matches_nothing(growing):
    """Without a run, and without a domain."""
    assert read_matches(growing.store).is_empty()
    assert link_survivors(growing.store) == []
    growing.run(python=20, kitchen=20)
    assert read_matches(growing.store).is_empty()
