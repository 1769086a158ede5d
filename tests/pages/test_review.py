"""Deciding in the browser: what the inbox and the domain page write into the store."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from pages.ui import review, run_reads
from pipeline.flows import curation
from pipeline.flows.curation import approve_clusters
from pipeline.flows.looking_back import cluster_values
from pipeline.flows.proposals import read_proposals
from pipeline.ingest import read_file
from pipeline.store import Store
from pipeline.taxonomy import domains_now
from pipeline.taxonomy_file import taxonomy_text
from profiles.errors import UsageError
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS, OUTCOMES
from tests.conftest import N_WAITING, TOPICS, WAITING_TOPIC
from tests.pages.test_app import opened


@pytest.fixture
def store(tiny_store, tmp_path):
    """Return a copy that may be written; cluster 3 waits in it."""
    return Store(path=Path(shutil.copy(tiny_store.path, tmp_path / "copy.duckdb")))


def press(app, label):
    """Press the button with this label."""
    return next(button for button in app.button if button.label == label).click().run()


def typed(app, label, value):
    """Type into the field with this label."""
    next(field for field in app.text_input if field.label == label).set_value(value)


def newest(store):
    """Return the last event."""
    return store.read(DOMAIN_EVENTS).sort("event_id").row(-1, named=True)


def test_approving_makes_a_domain_of_the_cluster(store, monkeypatch):
    """Name, reason and person are kept, and nothing waits any more."""
    app = opened("inbox", store.path, monkeypatch)
    typed(app, "Decided by", "ana")
    typed(app, "Name of the domain", "wine")
    typed(app, "Reason (optional)", "asked daily")
    press(app, "Approve")
    assert not app.exception
    event = newest(store)
    kept = [event[key] for key in ("verb", "name", "actor", "reason", "cluster_id")]
    assert kept == ["approve", "wine", "ana", "asked daily", 3]
    assert "wine" in app.toast[0].value
    assert "its own row would gain" in app.toast[0].value
    assert app.success[0].value.startswith("Nothing waits")


def test_rejecting_is_remembered(store, monkeypatch):
    """The cluster does not wait any more, and no domain is made."""
    n_domains = domains_now(store.read(DOMAIN_EVENTS)).height
    app = press(opened("inbox", store.path, monkeypatch), "Reject")
    assert not app.exception
    assert newest(store)["verb"] == "reject"
    assert domains_now(store.read(DOMAIN_EVENTS)).height == n_domains
    assert app.success


def test_the_newest_decision_can_be_taken_back(store, monkeypatch):
    """The button says what it undoes and whose it was; the cluster waits again."""
    before = domains_now(store.read(DOMAIN_EVENTS))
    app = opened("inbox", store.path, monkeypatch)
    typed(app, "Decided by", "ana")
    typed(app, "Name of the domain", "wine")
    press(app, "Approve")
    (undo,) = [button for button in app.button if button.label.startswith("Undo")]
    assert all(word in undo.label for word in ("approve wine", "ana"))
    undo.click().run()
    assert not app.exception
    assert newest(store)["verb"] == "undo"
    assert domains_now(store.read(DOMAIN_EVENTS)).equals(before)
    assert "Approve" in [button.label for button in app.button]


def test_a_name_that_cannot_be_is_refused_on_the_page(store, monkeypatch):
    """The message stands where the decision was taken, and nothing is written."""
    before = store.read(DOMAIN_EVENTS)
    app = opened("inbox", store.path, monkeypatch)
    typed(app, "Name of the domain", "unassigned")
    press(app, "Approve")
    assert "Give another name" in app.error[0].value
    assert store.read(DOMAIN_EVENTS).equals(before)


def test_someone_else_may_have_decided_meanwhile(store, monkeypatch):
    """The second of two people is told, although the card is gone; the first decision stands."""
    app = opened("inbox", store.path, monkeypatch)
    approve = next(button for button in app.button if button.label == "Approve").click()
    approve_clusters(store, [3], actor="bo", name="wine")
    approve.run()
    assert not app.exception
    assert newest(store)["actor"] == "bo"
    assert store.read(DOMAIN_EVENTS).filter(cluster_id=3, verb="approve").height == 1
    assert "Cluster 3 is approved already" in app.error[0].value
    assert app.success


def test_a_domain_is_renamed_retired_and_restored(store, monkeypatch):
    """Every step is an event; the id stays."""
    domain_id = domains_now(store.read(DOMAIN_EVENTS))["domain_id"][0]
    app = opened("domains", store.path, monkeypatch, domain=domain_id)
    typed(app, "Name", "plain name")
    press(app, "Rename")
    assert app.subheader[0].value == "plain name"
    press(app, "Retire")
    assert domains_now(store.read(DOMAIN_EVENTS)).filter(status="retired").height == 1
    press(app, "Restore")
    assert not app.exception
    verbs = store.read(DOMAIN_EVENTS, domain_id=domain_id).sort("event_id")["verb"].to_list()
    assert verbs[-3:] == ["rename", "retire", "restore"]


def test_a_waiting_cluster_is_decided_in_the_inbox(store, monkeypatch):
    """Its own page shows it, and has no form."""
    app = opened("domains", store.path, monkeypatch, domain="cluster-3")
    assert app.subheader[0].value == WAITING_TOPIC
    assert not {button.label for button in app.button} & {"Rename", "Approve", "Split"}


def test_a_cluster_is_given_to_a_domain(store, monkeypatch):
    """The domain keeps its id and has the prompts; nothing waits, and an undo brings it back."""
    [first] = store.read(DOMAIN_EVENTS).filter(verb="approve", cluster_id=0)["domain_id"]
    app = opened("inbox", store.path, monkeypatch)
    press(app, "Merge into")
    assert "Choose the domain" in app.error[0].value
    [box] = [box for box in app.selectbox if box.label == "Or a domain that has it"]
    box.set_value(first)
    press(app, "Merge into")
    event = newest(store)
    assert (event["verb"], event["domain_id"], event["cluster_id"]) == ("link", first, 3)
    held = store.read(MEMBER_SETS, member_set_id=event["member_set_id"]).height
    assert held == sum(n for topic, n in TOPICS.items() if topic == "sum two numbers") + N_WAITING
    assert "Nothing waits" in app.success[0].value
    curation.undo_decision(store, actor="ana")
    assert read_proposals(store).filter(status="waiting").height == 1


def test_a_snoozed_cluster_comes_back_when_asked(store, monkeypatch):
    """Nothing is decided by it."""
    n_events = store.count(DOMAIN_EVENTS)
    app = opened("inbox", store.path, monkeypatch)
    press(app, "Snooze")
    assert len(app.success) == 1
    press(app, "Bring back 1 snoozed cluster")
    assert len(app.success) == 0
    assert store.count(DOMAIN_EVENTS) == n_events


def test_the_inbox_says_what_became_of_the_domains(tiny_store, monkeypatch):
    """Every domain of the tiny store was found again."""
    app = opened("inbox", tiny_store.path, monkeypatch)
    assert set(app.dataframe[-1].value["Fate"]) == {"survived"}
    assert any("It matched 3 of 3 domains" in block.value for block in app.main.markdown)


def test_what_gains_most_comes_first():
    """A small cluster that gains goes before a large one that does not; unknown counts as 0."""
    waiting = pl.DataFrame({"cluster_id": [0, 1, 2], "n_prompts": [90, 50, 10], "run_id": "run"})
    values = pl.DataFrame(
        {"group": [0, 2], "points": [-3.0, 5.0], "total": [-0.4, 0.1]},
        schema_overrides={"group": pl.Int64},
    )
    found = review.ordered(waiting, values)
    assert found["cluster_id"].to_list() == [2, 0, 1]
    assert review.worth(found.row(2, named=True)).startswith("what its own row would gain is unk")


def test_a_domain_is_merged_into_another_one(store, monkeypatch):
    """It retires, and its prompts belong to the other one."""
    first, second = store.read(DOMAIN_EVENTS).filter(verb="approve")["domain_id"][:2]
    app = opened("domains", store.path, monkeypatch, domain=second)
    [box] = [box for box in app.selectbox if box.label == "Another domain"]
    box.set_value(first)
    press(app, "Merge into")
    assert not app.exception
    now = {row["domain_id"]: row for row in domains_now(store.read(DOMAIN_EVENTS)).to_dicts()}
    assert now[second]["merged_into"] == first


def test_a_split_is_a_job_of_its_own(store, monkeypatch):
    """It clusters prompts, so the page only starts the verb."""
    started = []
    monkeypatch.setattr("pages.ui.editing.start_job", lambda _path, words: started.append(words))
    first = store.read(DOMAIN_EVENTS).filter(verb="approve")["domain_id"][0]
    app = opened("domains", store.path, monkeypatch, domain=first)
    typed(app, "Decided by", "ana")
    press(app, "Split")
    assert started == [["domains", "split", first, "--by", "ana"]]


def test_a_cluster_is_split_from_the_inbox(store, monkeypatch):
    """It becomes a domain, and a job of its own clusters its prompts."""
    started = []
    monkeypatch.setattr("pages.ui.review.start_job", lambda _path, words: started.append(words))
    app = opened("inbox", store.path, monkeypatch)
    typed(app, "Decided by", "ana")
    press(app, "Split")
    assert not app.exception
    event = newest(store)
    assert (event["verb"], event["actor"], event["cluster_id"]) == ("approve", "ana", 3)
    assert started == [["domains", "split", event["domain_id"], "--by", "ana"]]


def test_a_name_on_offer_is_taken_into_the_field(store, monkeypatch):
    """It can be changed there before it is approved."""
    app = opened("inbox", store.path, monkeypatch)
    [offers] = [group for group in app.button_group if group.label == "Other names on offer"]
    offers.set_value("wine").run()
    [name] = [field for field in app.text_input if field.label == "Name of the domain"]
    assert name.value == "wine"


def test_a_domain_changed_meanwhile_is_not_overwritten(store, monkeypatch):
    """The second person is told by whom; what was typed stays in the field."""
    domain_id = domains_now(store.read(DOMAIN_EVENTS))["domain_id"][1]
    app = opened("domains", store.path, monkeypatch, domain=domain_id)
    typed(app, "Name", "of the second")
    curation.rename_domain(store, domain_id, "of the first", actor="bo")
    press(app, "Rename")
    assert "bo was quicker" in app.error[0].value
    assert newest(store)["name"] == "of the first"
    [name] = [field for field in app.text_input if field.label == "Name"]
    assert name.value == "of the second"
    press(app, "Rename")
    assert newest(store)["name"] == "of the second"


def test_names_of_many_are_one_decision(store, monkeypatch):
    """One undo takes all of them back; a change meanwhile refuses all of them."""
    before = domains_now(store.read(DOMAIN_EVENTS))
    seen = before.select("domain_id", "name", "status", "member_set_id").to_dicts()
    names = {row["domain_id"]: f"new {place}" for place, row in enumerate(seen)}
    curation.require_as_seen(store, seen)
    curation.rename_domains(store, names, actor="ana")
    assert set(domains_now(store.read(DOMAIN_EVENTS))["name"]) == set(names.values())
    with pytest.raises(UsageError, match="ana was quicker"):
        curation.require_as_seen(store, seen)
    curation.undo_decision(store, actor="bo")
    assert domains_now(store.read(DOMAIN_EVENTS))["name"].equals(before["name"])


def test_the_page_renames_many(store, monkeypatch):
    """What was edited in the table is saved by the button, by whoever is named above it."""
    app = opened("domains", store.path, monkeypatch, **{"domains-view": "Rename many"})
    assert not app.exception
    press(app, "Save names")
    assert "No name was changed" in app.error[0].value


def test_two_states_of_the_domains_are_compared(store, monkeypatch):
    """From nothing to now every domain is new; the same state twice has no difference."""
    app = opened("domains", store.path, monkeypatch, **{"domains-view": "Changes"})
    assert set(app.dataframe[0].value["What"]) == {"new"}
    last = store.read(DOMAIN_EVENTS)["event_id"].max()
    app.selectbox(key="since-event").set_value(last).run()
    assert not app.exception
    assert any("same in both" in block.value for block in app.markdown)


def test_domains_go_out_and_come_in_as_yaml(store, monkeypatch):
    """The same file changes nothing."""
    app = opened("domains", store.path, monkeypatch, **{"domains-view": "Export & import"})
    assert not app.exception
    assert len(app.get("download_button")) == 1
    text = taxonomy_text(store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS))
    assert curation.import_taxonomy(store, text, actor="ana") == []


def test_a_decision_leaves_what_it_does_not_change(store, monkeypatch):
    """The gain of a row is worked out once for a run and a table, whatever is decided."""
    asked = []
    monkeypatch.setattr(
        "pages.ui.run_reads.cluster_values",
        lambda *given: asked.append(given) or cluster_values(*given),
    )
    app = opened("inbox", store.path, monkeypatch)
    press(app, "Approve")
    press(app, next(button.label for button in app.button if button.label.startswith("Undo")))
    assert store.count(DOMAIN_EVENTS) > 2
    assert len(asked) == 1


def test_an_import_is_seen_by_what_a_decision_leaves(store, tmp_path, monkeypatch):
    """Outcomes of a waiting cluster's prompts are read again once there are more."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(store.path))
    before = run_reads.cluster_cells(3)
    path = tmp_path / "more.jsonl"
    rows = [
        {"prompt": f"{WAITING_TOPIC} {copy}", "model": "new/one", "quality": 1.0}
        for copy in range(1, N_WAITING)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    store.append(*read_file(str(path)).tables())
    after = run_reads.cluster_cells(3)
    assert set(after["model_id"]) - set(before["model_id"]) == {"new/one"}


def test_the_next_part_of_a_batch_is_seen_by_what_a_decision_leaves(store, tmp_path, monkeypatch):
    """It comes under the import of the first part, so the imports alone do not tell."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(store.path))
    path = tmp_path / "answers.jsonl"
    rows = [
        {"prompt": f"{WAITING_TOPIC} {copy}", "model": "batch/one", "quality": 1.0}
        for copy in range(1, 5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tables = read_file(str(path)).tables()
    seen = []
    for part in (slice(0, 2), slice(2, 4)):
        cut = [(t, frame[part] if t.name == OUTCOMES.name else frame) for t, frame in tables]
        store.append(*cut)
        cells = run_reads.cluster_cells(3).filter(model_id="batch/one")
        seen.append(cells["n"].item())
    assert seen == [2, 4]
