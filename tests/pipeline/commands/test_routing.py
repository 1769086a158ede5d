import csv
import io
import json

import pytest

from pipeline.batch import route_file
from pipeline.resuming import write_checkpoint
from profiles.tables import RECEIPT
from tests.support import BEST_VALUE, MODELS, run_command, story


@pytest.fixture
def run(run_built):
    return run_built


def test_a_file_is_routed(run, prompts, tmp_path):
    """Every row gets its domain and a model; counts go to standard error."""
    code, out, err = run("route", prompts, "-o", tmp_path / "out.csv")
    assert (code, out) == (0, "")
    assert "3 of 3 rows routed" in err
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["id", "prompt", *RECEIPT]
    assert [row["id"] for row in rows] == list(BEST_VALUE)
    assert all(row["domain"] in {row["id"], "unassigned"} for row in rows)
    assert {row["model"] for row in rows} <= set(MODELS)


def test_a_pipe_gets_the_rows_alone(run, prompts):
    """With `-o -` standard output is the routed file."""
    code, out, err = run("route", prompts, "-o", "-", "--json")
    assert code == 0
    assert len(list(csv.DictReader(io.StringIO(out)))) == 3
    assert "3 of 3 rows routed" in err


def test_a_dry_run_writes_nothing(run, prompts, tmp_path):
    """The summary as JSON, and no file at all."""
    before = set(tmp_path.iterdir())
    code, out, _ = run("route", prompts, "--dry-run", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["n_routed"], found["path"], sum(found["calls"].values())) == (3, None, 3)
    assert found["expected_cost_usd"] > 0
    assert set(tmp_path.iterdir()) == before


def test_rows_that_cannot_be_read_are_3(run, tmp_path):
    """They are counted and kept beside the output."""
    (tmp_path / "in.csv").write_text("id,prompt\n1,tenant court lease\n2,x,y,z\n3,\n")
    code, _, err = run("route", "in.csv", "-o", "out.csv")
    assert code == 3
    assert "1 have no prompt. 1 rows could not be read." in err
    assert (tmp_path / "out.csv.rejects.csv").exists()


def test_a_file_of_another_encoding_is_routed(run, tmp_path):
    """What is written is UTF-8; to go on, the encoding has to be the same."""
    text = "note,prompt\ncafé,Please help with my bill\n"
    (tmp_path / "in.csv").write_bytes(text.encode("cp1252"))
    assert run("route", "in.csv", "-o", "out.csv")[0] == 1
    assert run("route", "in.csv", "-o", "out.csv", "--encoding", "windows-1252")[0] == 0
    assert "\ncafé,Please help" in (tmp_path / "out.csv").read_text(encoding="utf-8")
    (tmp_path / "wide.csv").write_bytes(text.encode("utf-16"))
    assert run("route", "wide.csv", "-o", "wide-out.csv")[0] == 0
    assert (tmp_path / "wide-out.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_the_prompt_column_may_be_named(run, tmp_path):
    """`--mapping prompt=COLUMN` where no column has a known name."""
    (tmp_path / "in.csv").write_text("a,b\n1,tenant court lease\n")
    assert run("route", "in.csv", "-o", "out.csv", "--mapping", "prompt=b")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["route", "prompts.csv"], 2, "--dry-run"),
        (["route", "prompts.csv", "-o", "prompts.csv"], 2, "another"),
        (["route", "none.csv", "-o", "out.csv"], 1, "none.csv"),
        (["route", "prompts.csv", "-o", "out.csv", "--version", "9"], 2, "promptshed table list"),
        (["table", "show", "--version", "9"], 2, "promptshed table list"),
        (["table", "publish", "9"], 2, "promptshed table list"),
        (["table", "diff", "1", "9"], 2, "promptshed table list"),
        (["table", "build", "--models", "huge"], 2, "Known: large"),
        (["table", "build", "--quality-value-usd", "-1"], 2, "--quality-value-usd"),
        (["table", "build", "--models", "small", "--reference", "large"], 2, "--reference"),
    ],
)
def test_errors_name_the_next_step(run, prompts, arguments, code, word):
    """Standard output stays empty and the message says what to do."""
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert word in err


def test_before_the_first_table_the_next_step_is_named(run, prompts, capsys, tmp_path):
    """Routing, showing and building on an empty store say what comes first."""
    store = ("--store", tmp_path / "none.duckdb")
    for arguments, word in (
        (["route", prompts, "--dry-run"], "table build --publish"),
        (["table", "show"], "table build --publish"),
        (["table", "build"], "import FILE"),
        (["profile"], "import FILE"),
    ):
        code, out, err = run_command(capsys, *arguments, *store)
        assert (code, out) == (1, "")
        assert f"promptshed {word}" in err
    assert run_command(capsys, "table", "list", "--json", *store)[:2] == (0, "[]\n")


def stop_after(monkeypatch, n_chunks):
    """Interrupt the pass that writes after so many chunks, as a kill would leave it."""
    saved = []

    def save(target, checkpoint):
        write_checkpoint(target, checkpoint)
        saved.append(checkpoint)
        if len(saved) == n_chunks:
            raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.batch.write_checkpoint", save)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz"])
@pytest.mark.parametrize("limit", [("--budget-usd", 0.6), ("--max-share", "large=0.4"), ()])
def test_an_interrupted_file_goes_on_within_its_limit(run, tmp_path, monkeypatch, name, limit):
    """The money that is left, and the places, are those of one run: the same bytes at the end."""
    rows = [json.dumps({"prompt": p.text}) for p in story(20)] * 2
    (tmp_path / "in.jsonl").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(route_file, "__kwdefaults__", route_file.__kwdefaults__ | {"chunk_rows": 7})
    free = json.loads(run("route", "in.jsonl", "--dry-run", "--json")[1])["expected_cost_usd"]
    if "--budget-usd" in limit:
        limit = (limit[0], limit[1] * free)
    assert run("route", "in.jsonl", "-o", f"whole-{name}", *limit)[0] == 0
    for n_chunks in (3, 5):
        with monkeypatch.context() as patch:
            stop_after(patch, n_chunks)
            code, _, err = run("route", "in.jsonl", "-o", name, "--resume", *limit)
        assert (code, "add --resume to the same command" in err) == (130, True)
        assert not (tmp_path / name).exists()
    code, out, err = run("route", "in.jsonl", "-o", name, "--resume", "--json", *limit)
    assert (code, "Going on after 56 rows" in err) == (0, True)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    told = json.loads(out)
    assert told["n_rows"] == len(rows)
    if "--budget-usd" in limit:
        assert told["expected_cost_usd"] <= limit[1] < free
        assert told["quality_for_a_dollar"] > 0.0


def test_a_file_is_routed_within_a_budget(run, tmp_path):
    """The expected cost of the whole file is at most the budget; what more would buy is told."""
    lines = [p.text for p in story(20)]
    (tmp_path / "in.csv").write_text("\n".join(["prompt", *lines]) + "\n", encoding="utf-8")
    code, out, err = run("route", "in.csv", "-o", "out.csv", "--json")
    full = json.loads(out)["expected_cost_usd"]
    assert code == 0
    assert "udget" not in err
    code, out, err = run("route", "in.csv", "-o", "out.csv", "--budget-usd", full / 2, "--json")
    found = json.loads(out)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8"))))
    spent = sum(float(row["expected_cost_usd"]) for row in rows)
    assert code == 0
    assert full / 3 < spent <= full / 2
    assert found["expected_cost_usd"] == pytest.approx(spent)
    assert found["quality_for_a_dollar"] > 0
    assert "The budget binds: one more dollar would buy" in err
    _, _, err = run("route", "in.csv", "-o", "out.csv", "--budget-usd", 2 * full)
    assert "The budget does not bind" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("-", "-o", "out.csv", "--budget-usd", 1), "standard input can be read once only"),
        (("-", "-o", "out.csv", "--max-share", "small=0.5"), "standard input can be read once"),
        (
            ("prompts.csv", "-o", "out.csv", "--max-share", "small=0.5", "--budget-usd", 1),
            "cannot both be kept on one file",
        ),
        (("prompts.csv", "-o", "out.csv", "--budget-usd", 0), "is below $"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_2(run, prompts, tmp_path, arguments, word):
    """A pipe has one pass; too little money is refused with the least that is enough."""
    code, _, err = run("route", *arguments)
    assert code == 2
    assert word in err
    assert not (tmp_path / "out.csv").exists()


def test_shares_hold_on_a_file(run, tmp_path):
    """Of 60 prompts the small model gets 6."""
    lines = [p.text for p in story(20)]
    (tmp_path / "in.csv").write_text("\n".join(["prompt", *lines]) + "\n", encoding="utf-8")
    code, out, _ = run("route", "in.csv", "-o", "out.csv", "--max-share", "small=0.1", "--json")
    assert code == 0
    assert json.loads(out)["calls"]["small"] == 6
