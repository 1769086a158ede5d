"""Columns of a file to import, chosen from boxes."""

import json

import pytest

from tests.pages.test_app import opened
from tests.pages.test_review import press

FIELDS = ("Prompt", "Model", "Quality", "Cost, $", "Latency", "Time", "Label", "Id of the prompt")


@pytest.fixture
def importing(tiny_store, tmp_path, monkeypatch):
    """Return a function that names a file on the page; what is started ends up in `started`."""
    started = []
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))

    def importing(*rows: dict):
        path = tmp_path / "log.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        app = opened("runs", tiny_store.path, monkeypatch)
        [field] = [field for field in app.text_input if field.key == "import-path"]
        field.set_value(str(path)).run()
        assert not app.exception
        return app, started

    return importing


def box(app, label):
    return next(box for box in app.selectbox if box.label == label)


def chosen(app):
    """Return the column in every box; the options are shown by name."""
    boxes = [box(app, label) for label in FIELDS]
    return {each.label: None if each.index is None else each.options[each.index] for each in boxes}


def mapping_of(words):
    return words[words.index("--mapping") + 1] if "--mapping" in words else None


ROW = {"question": "Hi", "engine": "large", "score": 4, "took_ms": 12, "note": "x"}


def test_what_is_guessed_is_chosen_beforehand_and_need_not_be_named(importing):
    """A file that is read so by itself is imported by the plain command."""
    app, started = importing(ROW)
    assert chosen(app) == dict.fromkeys(FIELDS, "none") | {
        "Prompt": "question", "Model": "engine", "Quality": "score",
    }  # fmt: skip
    press(app, "Import it")
    assert mapping_of(started[0]) is None


def test_another_column_is_chosen_and_named(importing):
    """With its unit; and one that was guessed is switched off."""
    app, started = importing(ROW)
    for label, column in (("Latency", "took_ms"), ("Quality", "none")):
        boxed = box(app, label)
        boxed.select_index(boxed.options.index(column))
    app.run()
    unit = box(app, "Latency is in")
    assert unit.options[unit.index] == "milliseconds"
    press(app, "Check the file")
    assert mapping_of(started[0]) == "prompt=question,model=engine,quality=-,latency_ms=took_ms"
    assert "--dry-run" in started[0]


def test_nothing_can_be_started_while_something_is_open(importing):
    """Two columns may be the prompt; a quality without its model says nothing."""
    app, _ = importing({"question": "Hi", "query": "Hello", "score": 1})

    def is_shut():
        return next(button for button in app.button if button.label == "Import it").disabled

    assert chosen(app)["Prompt"] is None
    assert is_shut()
    box(app, "Prompt").select_index(1).run()
    assert "needs its model" in app.warning[0].value
    assert is_shut()
    quality = box(app, "Quality")
    quality.select_index(quality.options.index("none")).run()
    assert not is_shut()


def test_columns_of_every_model_are_a_table(importing):
    """As RouterBench has them; then no box for one model is there."""
    app, started = importing({"prompt": "Hi", "gpt-4": 0.5, "gpt-4|total_cost": 0.1})
    assert not [each for each in app.selectbox if each.label == "Model"]
    press(app, "Import it")
    assert mapping_of(started[0]) is None


def test_a_known_tool_is_named_and_needs_no_columns(importing):
    """Unless a person wants to choose them all the same."""
    row = {"uuid": "1", "prompt": "Hi", "model": "a"}
    lines = {"conversation_a": [{"role": "user", "content": "Hi"}], "conversation_b": [],
             "model_a": "x", "model_b": "y", "winner": "model_a"}  # fmt: skip
    app, started = importing(lines | row)
    [read] = [group for group in app.segmented_control if group.label.startswith("Recognised:")]
    press(app, "Import it")
    assert mapping_of(started[0]) is None
    read.set_value("as columns that I choose").run()
    press(app, "Import it")
    assert mapping_of(started[1]).startswith("prompt=prompt")


def test_a_file_that_is_not_utf_8_has_its_encoding_chosen(importing, tmp_path):
    """The first rows are shown as the encoding has them, and the job is told it."""
    app, started = importing({"prompt": "a", "model": "m", "quality": 1})
    assert not [each for each in app.selectbox if each.label == "Encoding"]
    path = tmp_path / "windows.csv"
    path.write_bytes("prompt,model,quality\ncafé,m,1\n".encode("cp1252"))
    [field] = [field for field in app.text_input if field.key == "import-path"]
    field.set_value(str(path)).run()
    assert not app.exception
    assert box(app, "Encoding").value == "windows-1252"
    assert app.dataframe[0].value["prompt"].to_list() == ["café"]
    press(app, "Check the file")
    assert started[-1][started[-1].index("--encoding") + 1] == "cp1252"
