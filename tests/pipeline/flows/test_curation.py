import shutil

import pytest

from pipeline.config import DiscoverConfig
from pipeline.flows.curation import (
    approve_clusters,
    domains_from_labels,
    reject_cluster,
    rename_domain,
    restore_domain,
    retire_domain,
)
from pipeline.flows.discovery import discover
from pipeline.flows.proposals import read_proposals
from pipeline.ingest import read_file
from pipeline.store import Store
from pipeline.taxonomy import domains_now
from profiles.errors import NotReadyError, UsageError
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS
from tests.support import HashEncoder, skip_umap, story, story_csv


@pytest.fixture(scope="module")
def discovered(tmp_path_factory):
    """A store with three clusters."""
    folder = tmp_path_factory.mktemp("discovered")
    source = folder / "in.csv"
    source.write_text(story_csv(story(20)), encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(source).tables())
    with pytest.MonkeyPatch.context() as patch:
        skip_umap(patch)
        discover(store, HashEncoder(), DiscoverConfig())
    return store.path


@pytest.fixture
def store(discovered, tmp_path):
    return Store(path=shutil.copy(discovered, tmp_path / "store.duckdb"))


def statuses(store):
    return read_proposals(store)["status"].to_list()


def domains(store):
    return domains_now(store.read(DOMAIN_EVENTS))


def test_all_clusters_may_be_approved(store):
    """Each becomes a domain with its members; the second time nothing waits."""
    found = approve_clusters(store, None, actor="ana")
    assert len(set(found)) == 3
    assert statuses(store) == ["approved"] * 3
    assert store.count(MEMBER_SETS) == 60
    assert approve_clusters(store, None, actor="ana") == []


def test_one_cluster_may_be_named(store):
    """The name given wins over the one offered; who and why are kept."""
    (domain_id,) = approve_clusters(store, [1], actor="ana", name="mine", reason="clear")
    assert statuses(store) == ["waiting", "approved", "waiting"]
    row = domains(store).row(0, named=True)
    assert (row["domain_id"], row["name"], row["approved_by"]) == (domain_id, "mine", "ana")
    assert store.read(DOMAIN_EVENTS)["reason"].item() == "clear"


def test_a_decided_cluster_is_not_decided_again(store):
    """Approving it by name a second time says which domain it is."""
    (domain_id,) = approve_clusters(store, [0], actor="ana")
    with pytest.raises(UsageError, match=f"Cluster 0 is approved already as {domain_id}"):
        approve_clusters(store, [0], actor="ana")
    reject_cluster(store, 1, actor="ana", reason=None)
    with pytest.raises(UsageError, match="Cluster 1 is rejected already"):
        approve_clusters(store, [1], actor="ana")
    assert statuses(store) == ["approved", "rejected", "waiting"]


def test_an_unknown_cluster_is_refused(store):
    """Nothing is approved if one of the clusters is not there."""
    with pytest.raises(UsageError, match="no cluster 9 in this run; it has 0 to 2"):
        approve_clusters(store, [0, 9], actor="ana")
    assert store.count(DOMAIN_EVENTS) == 0


def test_rename_retire_restore(store):
    """The id stays through every decision, and each is an event."""
    (domain_id,) = approve_clusters(store, [0], actor="ana", name="old")
    assert rename_domain(store, "old", " new ", actor="bo") == domain_id
    assert retire_domain(store, "new", actor="bo", reason="rare") == domain_id
    assert domains(store)["status"].item() == "retired"
    assert restore_domain(store, domain_id, actor="bo") == domain_id
    assert domains(store).select("name", "status").row(0) == ("new", "approved")
    verbs = store.read(DOMAIN_EVENTS)["verb"].to_list()
    assert verbs == ["approve", "rename", "retire", "restore"]


def test_a_name_must_say_something(store):
    """An empty name and an unknown domain are refused with what to do."""
    approve_clusters(store, [0], actor="ana", name="old")
    with pytest.raises(UsageError, match="must not be empty"):
        rename_domain(store, "old", "  ", actor="ana")
    for give in (
        lambda: rename_domain(store, "old", " unassigned", actor="ana"),
        lambda: approve_clusters(store, [1], actor="ana", name="unassigned"),
    ):
        with pytest.raises(UsageError, match=r"outside every domain.*another name"):
            give()
    with pytest.raises(UsageError, match="promptshed domains list"):
        rename_domain(store, "other", "new", actor="ana")


def test_labels_become_domains_once(store):
    """Three labels are three domains; asking again changes nothing."""
    assert domains_from_labels(store, actor="ana") == 3
    assert sorted(domains(store)["name"]) == ["kitchen", "law", "python"]
    assert domains_from_labels(store, actor="ana") == 0
    assert store.count(DOMAIN_EVENTS) == 3


def test_clusters_of_labelled_domains_are_recognised(store):
    """Labels and clusters that agree are one domain."""
    domains_from_labels(store, actor="ana")
    assert statuses(store) == ["approved"] * 3


def test_no_labels_name_the_next_step(tmp_path):
    """Without labels the error says how to bring them in."""
    source = tmp_path / "in.csv"
    source.write_text("prompt\nHello\n")
    store = Store(path=tmp_path / "store.duckdb")
    store.append(*read_file(source).tables())
    with pytest.raises(NotReadyError, match="--mapping label=COLUMN"):
        domains_from_labels(store, actor="ana")


def test_nothing_discovered_names_the_next_step(tmp_path):
    """There is nothing to approve before a run."""
    with pytest.raises(NotReadyError, match="promptshed discover"):
        approve_clusters(Store(path=tmp_path / "store.duckdb"), None, actor="ana")
