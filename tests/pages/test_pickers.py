"""Which store and which run the pages look at."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import taxonomy
from pipeline.jobs import folder_of
from pipeline.store import Store
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBERS, PROMPTS, RUNS
from tests.conftest import N_WAITING, WAITING_TOPIC, run_tables
from tests.pages.test_app import opened, started
from tests.pages.test_review import press

OLDER, OLDER_AT = "run-older", datetime(2025, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture
def folder(tiny_store, tmp_path) -> Path:
    """Return a folder of three stores: ours, one that was only imported into, and a broken one."""
    shutil.copy(tiny_store.path, tmp_path / "ours.duckdb")
    shutil.copy(tiny_store.path.with_name("imported.duckdb"), tmp_path / "other.duckdb")
    (tmp_path / "broken.duckdb").write_bytes(b"not a database" * 1000)
    (tmp_path / "notes.txt").write_text("not a store")
    return tmp_path


@pytest.fixture
def two_runs(folder) -> Store:
    """Return a store with a run before the newest one, whose clusters have other numbers."""
    store = Store(path=folder / "ours.duckdb")
    runs, clusters, members = (
        frame.with_columns(run_id=pl.lit(OLDER)) for _, frame in run_tables()
    )
    turned = 3 - pl.col("cluster_id")
    store.append(
        (RUNS, runs.with_columns(created_at=OLDER_AT, asked_at=OLDER_AT)),
        (CLUSTERS, clusters.with_columns(cluster_id=turned)),
        (
            MEMBERS,
            members.with_columns(
                cluster_id=pl.when(pl.col("cluster_id") >= 0).then(turned).otherwise(-1)
            ),
        ),
    )
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    store.upsert((RUNS, store.read(RUNS, run_id="run-tiny").with_columns(asked_at=now)))
    return store


def picker(app: AppTest, label: str):
    return next(box for box in app.sidebar.selectbox if box.label == label)


def pick(app: AppTest, label: str, what: str) -> None:
    picker(app, label).select(what).run()
    assert not app.exception


def test_only_stores_of_the_same_folder_are_offered(folder, monkeypatch):
    """Other files are not, and the one the app was started with is picked."""
    app = started(folder / "ours.duckdb", monkeypatch)
    assert picker(app, "Store").options == ["broken.duckdb", "other.duckdb", "ours.duckdb"]
    assert picker(app, "Store").value == "ours.duckdb"
    assert "store" not in app.query_params


def test_another_store_stays_over_pages(folder, monkeypatch):
    """The address names it, and every page reads it."""
    app = started(folder / "ours.duckdb", monkeypatch)
    pick(app, "Store", "other.duckdb")
    assert app.query_params["store"] == "other.duckdb"
    app.switch_page("pages/inbox.py").run()
    assert picker(app, "Store").value == "other.duckdb"
    assert any("promptshed discover" in code.value for code in app.code)
    pick(app, "Store", "ours.duckdb")
    assert "store" not in app.query_params
    assert "cluster" in app.main.caption[0].value


def test_a_store_that_cannot_be_read_can_be_left(folder, monkeypatch):
    """The picker is there beside the message."""
    app = opened("inbox", folder / "ours.duckdb", monkeypatch, store="broken.duckdb")
    assert app.title[0].value == "The store cannot be read"
    pick(app, "Store", "ours.duckdb")
    assert app.title[0].value == "Review inbox"


@pytest.mark.parametrize(
    "name", ["../secret.duckdb", "/etc/passwd", "notes.txt", "", "gone.duckdb"]
)
def test_an_address_reaches_no_other_file(name, folder, monkeypatch):
    """Whatever is no store of the folder is passed over."""
    inner = folder / "inner"
    inner.mkdir()
    shutil.copy(folder / "ours.duckdb", inner / "mine.duckdb")
    shutil.copy(folder / "other.duckdb", folder / "secret.duckdb")
    app = opened("overview", inner / "mine.duckdb", monkeypatch, store=name)
    assert app.sidebar.text[0].value == "mine.duckdb"
    assert "store" not in app.query_params


def test_decisions_and_jobs_are_of_the_store_that_is_picked(folder, two_runs, monkeypatch):
    """The store the app was started with stays as it is."""
    before = (folder / "other.duckdb").read_bytes()
    app = opened("inbox", folder / "other.duckdb", monkeypatch, store="ours.duckdb")
    n_events = two_runs.count(DOMAIN_EVENTS)
    press(app, "Approve")
    assert two_runs.count(DOMAIN_EVENTS) == n_events + 1
    asked = []
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda path, words: asked.append((path, words)))
    app.switch_page("pages/runs.py").run()
    press(app, "Profile models")
    assert asked == [((folder / "ours.duckdb").resolve(), ["profile"])]
    assert (folder / "other.duckdb").read_bytes() == before
    assert not folder_of(folder / "other.duckdb").exists()


def test_what_was_typed_for_one_store_is_forgotten_in_another(folder, monkeypatch):
    """But who decides is kept."""
    app = opened("inbox", folder / "ours.duckdb", monkeypatch)
    next(box for box in app.text_input if box.label == "Decided by").input("zoe").run()
    press(app, "Snooze")
    assert any("snoozed" in button.label for button in app.button)
    pick(app, "Store", "other.duckdb")
    pick(app, "Store", "ours.duckdb")
    assert not any("snoozed" in button.label for button in app.button)
    assert app.session_state["actor"] == "zoe"


def test_the_newest_run_is_looked_at_unless_another_is_picked(two_runs, monkeypatch):
    """Its id is in the address and opens the same again; the newest leaves no trace there."""
    app = opened("inbox", two_runs.path, monkeypatch)
    assert picker(app, "Run").value == "run-tiny"
    assert "run" not in app.query_params
    pick(app, "Run", OLDER)
    assert app.query_params["run"] == OLDER
    assert "the run of 2025-05-06 07:08" in app.main.caption[0].value
    again = opened("prompt_map", two_runs.path, monkeypatch, run=OLDER)
    assert picker(again, "Run").value == OLDER
    again.switch_page("pages/runs.py").run()
    assert picker(again, "Run").value == OLDER


def test_an_older_run_is_decided_on_by_its_own_clusters(two_runs, monkeypatch):
    """Number 0 waits there; in the newest run that number is a domain already."""
    app = opened("inbox", two_runs.path, monkeypatch, run=OLDER)
    press(app, "Approve")
    assert not app.error
    event = two_runs.read(DOMAIN_EVENTS).sort("event_id").row(-1, named=True)
    assert (event["name"], event["run_id"], event["cluster_id"]) == (WAITING_TOPIC, OLDER, 0)


def test_downloads_come_from_the_store_they_were_offered_for(folder, two_runs, monkeypatch):
    """The browser fetches them outside the session, which alone knows what is picked."""
    made = []
    monkeypatch.setattr(
        taxonomy.st, "download_button", lambda *_, data, **__: made.append(data), raising=True
    )
    opened(
        "domains",
        folder / "other.duckdb",
        monkeypatch,
        store="ours.duckdb",
        **{"domains-view": "Export & import"},
    )
    assert WAITING_TOPIC not in made[-1]()
    assert "sum two numbers" in made[-1]() or "dom-" in made[-1]()


def test_points_are_of_the_run_that_is_picked(two_runs, monkeypatch):
    """Colouring and selecting follow it."""
    app = opened("prompt_map", two_runs.path, monkeypatch, run=OLDER, words=WAITING_TOPIC)
    table = app.dataframe[0].value
    assert len(table) == N_WAITING
    assert two_runs.count(PROMPTS) > N_WAITING
