"""What the batch page starts, and what it shows of jobs that have ended."""

import json
import shutil
from pathlib import Path

import pytest

from pages.ui import routed
from pipeline.jobs import folder_of, read_jobs, recorded
from pipeline.preview import Preview
from pipeline.resuming import checkpoint_path, part_path
from pipeline.store import Store
from profiles.tables import RECEIPT
from tests.pages.test_app import opened
from tests.pages.test_review import press


@pytest.fixture
def store(tiny_store, tmp_path):
    return Store(path=Path(shutil.copy(tiny_store.path, tmp_path / "copy.duckdb")))


def target_of(store) -> Path:
    folder = folder_of(store.path.resolve()) / "files" / "20260102T030405000000"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "routed.jsonl"


def test_a_job_that_was_stopped_can_go_on(store, monkeypatch):
    """Resume is the same command with one word more; without a checkpoint there is no button."""
    started, target = [], target_of(store)
    words = ["route", "in.csv", "-o", str(target), "--json"]
    with recorded(store.path, words) as end:
        end(130)
    app = opened("batch", store.path, monkeypatch)
    assert "Resume" not in [button.label for button in app.button]
    for path in (checkpoint_path(target), part_path(target)):
        path.write_text("{}", encoding="utf-8")
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))
    press(app.run(), "Resume")
    assert started == [[*words, "--resume"]]


def test_only_the_newest_job_of_a_file_can_go_on(store, monkeypatch):
    """Two processes must not write one file."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(store.path))
    target = target_of(store)
    for path in (checkpoint_path(target), part_path(target)):
        path.write_text("{}", encoding="utf-8")
    for words in (["route", "in.csv", "-o", str(target)], ["route", "in.csv", "-o", "other.csv"]):
        with recorded(store.path, words) as end:
            end(130)
    found = {job.arguments[3]: routed.can_go_on(job) for job in read_jobs(store.path)}
    assert found == {str(target): True, "other.csv": False}


def test_prompts_of_the_store_are_a_sample_file(store, monkeypatch):
    """One click names it, and its column is found."""
    app = press(opened("batch", store.path, monkeypatch), "Try it with prompts of this store")
    assert not app.exception
    [field] = [field for field in app.text_input if field.label == "Or a path on this machine"]
    rows = [json.loads(line) for line in Path(field.value).read_text(encoding="utf-8").splitlines()]
    assert {tuple(row) for row in rows} == {("prompt",)}
    [column] = [box for box in app.selectbox if box.label == "Column with the prompt"]
    assert column.value == "prompt"


def test_a_file_of_another_encoding_is_routed(store, tmp_path, monkeypatch):
    """Its encoding is offered, and the job is told it with the column."""
    started = []
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))
    path = tmp_path / "windows.csv"
    path.write_bytes("question,note\nWhy?,café\n".encode("cp1252"))
    app = opened("batch", store.path, monkeypatch)
    [field] = [field for field in app.text_input if field.label == "Or a path on this machine"]
    app = field.set_value(str(path)).run()
    boxes = {box.label: box for box in app.selectbox}
    assert boxes["Encoding"].value == "windows-1252"
    boxes["Column with the prompt"].select("question")
    app = press(app.run(), "Dry run")
    assert not app.exception
    words = "--mapping prompt=question --encoding cp1252 --dry-run --json"
    assert started == [["route", str(path), *words.split()]]


def test_an_encoding_is_told_although_the_file_cannot_be_shown(store, tmp_path, monkeypatch):
    """The column is then typed, and the job is told both."""
    started = []
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))
    path = tmp_path / "windows.csv"
    path.write_bytes("caf\u00e9,caf\u00e9\na,b\n".encode("cp1252"))
    app = opened("batch", store.path, monkeypatch)
    [field] = [field for field in app.text_input if field.label == "Or a path on this machine"]
    app = field.set_value(str(path)).run()
    assert any("every column name once" in error.value for error in app.error)
    [typed] = [field for field in app.text_input if field.label == "Column with the prompt"]
    app = press(typed.set_value("question").run(), "Dry run")
    assert not app.exception
    words = "--mapping prompt=question --encoding cp1252 --dry-run --json"
    assert started == [["route", str(path), *words.split()]]


def test_receipts_are_shown_in_units_a_person_reads():
    """Whatever the receipt's columns are called in this file."""
    names = [f"promptshed_{name}" for name in RECEIPT]
    values = dict.fromkeys(RECEIPT, "") | {
        "model": "large", "domain": "unassigned", "confidence": "0.5", "expected_quality": "0.9",
        "quality_lo": "0.8", "quality_hi": "0.95", "expected_cost_usd": "0.002", "reason": "why",
    }  # fmt: skip
    first = Preview(
        columns=("model", "prompt", *names), rows=(("x", "Hi", *values.values()),), prompt="prompt"
    )
    [row] = routed.receipts(first, names).to_dicts()
    assert (row["Prompt"], row["Model"], row["Domain"]) == ("Hi", "large", "unlike every domain")
    assert (row["$ per 1,000"], row["95 % interval"]) == (2.0, "0.800 to 0.950")
    assert row["Fallback"] is None
