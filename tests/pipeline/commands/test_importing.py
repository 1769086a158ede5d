import json
from pathlib import Path

import pytest

from pipeline.store import Store
from profiles.tables import IMPORTS, OUTCOMES, PROMPTS
from tests.support import run_command

GOOD = "prompt,model,quality,cost_usd\nHi there,a,1,0.5\nHi there,b,0,\nBye,a,0.5,0.25\n"
BAD = "prompt,model,quality\nHi there,c,1\nHi there,d,brilliant\n"


@pytest.fixture
def run(capsys, tmp_path):
    def run(*arguments):
        return run_command(capsys, "import", *arguments, "--store", tmp_path / "s" / "store.duckdb")

    return run


@pytest.fixture
def store(tmp_path):
    return Store(path=tmp_path / "s" / "store.duckdb")


def write(tmp_path, text, name="in.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_file_is_imported(run, store, tmp_path):
    """The mapping and the counts are told on standard error; standard output stays empty."""
    code, out, err = run(write(tmp_path, GOOD))
    assert (code, out) == (0, "")
    assert "3 rows, 2 prompts, 3 outcomes of 2 models; new: 2 prompts, 3 outcomes." in err
    assert (store.count(PROMPTS), store.count(OUTCOMES)) == (2, 3)


def test_json_reports_every_file(run, tmp_path):
    """One object for each file, and nothing else on standard output."""
    code, out, _ = run(write(tmp_path, GOOD), write(tmp_path, BAD, "bad.csv"), "--json")
    assert code == 3
    good, bad = json.loads(out)
    assert (good["n_new_outcomes"], good["rejects_file"], good["first_reject"]) == (3, None, None)
    assert (bad["n_rows"], bad["n_rejected"], bad["first_reject"]["line"]) == (2, 1, 3)


def test_rejected_rows_are_kept_and_named(run, store, tmp_path):
    """Exit code 3; the rejects file holds the row, the message its line and reason."""
    code, _, err = run(write(tmp_path, BAD))
    assert code == 3
    [rejects] = store.path.parent.glob("in.csv.*.rejects.csv")
    assert "1 rows could not be read" in err
    assert str(rejects) in err
    assert "line 3" in err
    assert "brilliant" in rejects.read_text()
    assert store.read(OUTCOMES)["model_id"].to_list() == ["c"]


def test_a_second_import_changes_nothing(run, store, tmp_path):
    """The same file again adds no row."""
    run(write(tmp_path, GOOD))
    before = store.read(OUTCOMES)
    code, _, err = run(write(tmp_path, GOOD))
    assert code == 0
    assert "new: 0 prompts, 0 outcomes" in err
    assert store.read(OUTCOMES).equals(before)


def test_two_files_of_one_name_keep_their_rejects_apart(run, store, tmp_path):
    """Each has its own rejects file, and the same file again has the same one."""
    for folder, word in (("one", "brilliant"), ("two", "dull"), ("one", "brilliant")):
        (tmp_path / folder).mkdir(exist_ok=True)
        run(write(tmp_path / folder, BAD.replace("brilliant", word)))
    kept = sorted(store.path.parent.glob("*.rejects.csv"))
    assert len(kept) == 2
    assert [word for word in ("brilliant", "dull") if any(word in p.read_text() for p in kept)] == [
        "brilliant",
        "dull",
    ]


STARS = "prompt,model,quality\nHi there,a,5\nBye,a,1\n"


def test_another_scale_of_the_same_file_is_refused(run, store, tmp_path):
    """Its rows would count twice; nothing is stored and the way out is named."""
    path = write(tmp_path, STARS)
    run(path, "--quality-scale", "0-10")
    before = store.read(OUTCOMES)
    code, _, err = run(path, "--quality-scale", "1-5")
    assert code == 2
    assert "--replace" in err
    assert store.read(OUTCOMES).equals(before)


def test_replace_forgets_what_was_read_otherwise(run, store, tmp_path):
    """Afterwards the store is as if only the second reading had happened."""
    path, other = write(tmp_path, STARS), write(tmp_path, GOOD, "other.csv")
    run(other)
    run(path, "--mapping", "prompt=model,model=-,quality=-")
    assert "a" in store.read(PROMPTS)["text"]
    assert run(path, "--quality-scale", "1-5", "--replace")[0] == 0
    assert sorted(store.read(PROMPTS)["text"]) == ["Bye", "Hi there"]
    assert store.read(OUTCOMES).height == 5
    assert store.read(OUTCOMES, model_id="a")["quality"].to_list().count(0.0) == 1
    assert store.count(IMPORTS) == 2


def test_a_dry_run_stores_nothing(run, store, tmp_path):
    """It counts and shows the mapping, and makes no store."""
    code, out, err = run(write(tmp_path, GOOD), "--dry-run", "--json")
    assert code == 0
    assert "nothing stored (dry run)" in err
    assert json.loads(out)[0]["n_new_prompts"] is None
    assert not store.exists()


def test_only_known_models(run, store, tmp_path):
    """Rows of models the store has not seen are rejected, not added."""
    run(write(tmp_path, GOOD))
    code, _, err = run(write(tmp_path, BAD, "bad.csv"), "--known-models-only")
    assert code == 3
    assert "2 rows could not be read" in err
    assert set(store.read(OUTCOMES)["model_id"]) == {"a", "b"}


def test_a_mapping_and_a_scale_may_be_given(run, store, tmp_path):
    """Stars from 1 to 5 in a column named otherwise."""
    source = write(tmp_path, "ask,who,stars\nHi,a,5\nBye,a,3\n")
    mapping = "prompt=ask,model=who,quality=stars"
    assert run(source, "--mapping", mapping, "--quality-scale", "1-5")[0] == 0
    assert sorted(store.read(OUTCOMES)["quality"]) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["none.csv"], 1, "none.csv"),
        (["in.csv", "--quality-scale", "1-7"], 2, "--quality-scale"),
        (["in.csv", "--mapping", "prompt=nowhere"], 2, "nowhere"),
        (["in.csv", "--mapping", "@nowhere.json"], 2, "nowhere.json"),
    ],
)
def test_errors_say_what_is_wrong(run, tmp_path, monkeypatch, arguments, code, word):
    """A missing file is a failure, a wrong option a usage error; both name it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, GOOD)
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert word in err
    assert "Traceback" not in err


def test_a_store_that_is_none_is_refused(capsys, tmp_path):
    """A text file in place of the store is left as it is."""
    (tmp_path / "store").write_text("not a store " * 500)
    code, _, err = run_command(
        capsys, "import", write(tmp_path, GOOD), "--store", tmp_path / "store"
    )
    assert code == 1
    assert "name another one with --store" in err
    assert (tmp_path / "store").read_text().startswith("not a store")


FILES = Path(__file__).parents[1] / "readers" / "files"


def test_a_file_of_another_encoding_is_imported(run, store, tmp_path):
    """Without --encoding its rows are rejected and that is told; with it, they replace these."""
    path = tmp_path / "windows.csv"
    path.write_bytes("prompt,model,quality\nplain,a,1\ncafé,a,0\n".encode("cp1252"))
    code, _, err = run(path)
    assert code == 3
    assert "line 3, invalid UTF-8: byte 0xe9 at column 4; --encoding names another one" in err
    code, _, err = run(path, "--encoding", "windows-1252")
    assert code == 2
    assert "with another mapping, quality scale or encoding" in err
    before = set(store.read(PROMPTS)["text"])
    assert "café" not in before
    assert run(path, "--encoding", "windows-1252", "--replace")[0] == 0
    assert set(store.read(PROMPTS)["text"]) - before == {"café"}
    assert store.read(OUTCOMES).filter(model_id="a").height == 2
    assert run(path, "--encoding", "klingon")[0] == 2


def test_calls_and_their_scores_are_one_import(run, store):
    """Named in one command in any order; the format is told, and what was left out is counted."""
    code, _, err = run(FILES / "langfuse_scores.jsonl", FILES / "langfuse.jsonl")
    assert code == 0
    assert "format: Langfuse observations and scores (--from langfuse" in err
    assert "left out: 1 calls that failed" in err
    assert sorted(store.read(OUTCOMES)["quality"]) == [0.0, 0.8]
    assert store.count(IMPORTS) == 1


def test_the_format_the_score_and_the_model_can_be_given(run, store):
    """`--from` forces a format; a file that cannot be of it is refused."""
    options = ("--from", "lm-eval", "--score", "exact_match,strict", "--model", "mine")
    assert run(FILES / "lm_eval_samples.jsonl", *options)[0] == 0
    assert set(store.read(OUTCOMES)["model_id"]) == {"mine"}
    code, _, err = run(FILES / "arena.csv", "--from", "langfuse_scores")
    assert (code, "--from" in err) == (2, True)
    assert run(FILES / "arena.csv", "--from", "otel")[0] == 1
