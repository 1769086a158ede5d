import json
import shutil

import pytest

from tests.support import run_command, story_store, use_fake_encoder


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("imported"), n_per_topic=12, publish=False).path


@pytest.fixture
def run(imported, tmp_path, capsys, monkeypatch):
    use_fake_encoder(monkeypatch)
    path = shutil.copy(imported, tmp_path / "store.duckdb")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_command(capsys, *arguments, "--store", path)


def test_axes_of_the_store(run):
    """Law prompts are legal, python ones coding; every prompt has every axis and a reason."""
    code, out, _ = run("axes", "--json")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, 36)
    values = [(r["sensitivity"]["value"], r["capabilities"]["value"]) for r in rows]
    assert sum(sensitivity == "legal" for sensitivity, _ in values) == 12
    assert sum(capability == "coding" for _, capability in values) == 12
    assert all(part["why"] for r in rows for part in r.values() if isinstance(part, dict))
    assert set(rows[0]) == {
        "prompt_id", "complexity", "capabilities", "urgency", "tone", "sensitivity",
    }  # fmt: skip


def test_axes_of_a_file_are_not_imported(run, tmp_path):
    """A summary by default; the store is as before."""
    source = tmp_path / "new.jsonl"
    source.write_text('{"prompt": "Das ist dringend"}\n{"prompt": "Please draw a tree"}\n')
    code, out, err = run("axes", source)
    assert code == 0
    assert "urgency" in out
    assert "2 prompts" in err
    assert len(json.loads(run("axes", "--json")[1])) == 36


def test_a_file_needs_no_store(capsys, monkeypatch, tmp_path):
    """Signals alone speak; without a file an empty store says what to do."""
    use_fake_encoder(monkeypatch)
    source = tmp_path / "new.jsonl"
    source.write_text('{"prompt": "Das ist dringend"}\n')
    store = tmp_path / "none.duckdb"
    _, out, _ = run_command(capsys, "axes", source, "--json", "--store", store)
    assert json.loads(out)[0]["urgency"]["why"] == ["says that it is urgent"]
    code, _, err = run_command(capsys, "axes", "--store", store)
    assert code == 1
    assert "promptshed import" in err
    assert not store.exists()
