import csv
import io
import json
import shutil

import pytest

from pipeline.batch import route_file
from pipeline.resuming import write_checkpoint
from profiles.tables import RECEIPT
from tests.support import BEST_VALUE, MODELS, run_command, story, story_store, use_fake_encoder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("built"), n_per_topic=20).path


@pytest.fixture
def run(built, tmp_path, capsys, monkeypatch):
    use_fake_encoder(monkeypatch)
    path = shutil.copy(built, tmp_path / "store.duckdb")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return run_command(capsys, *arguments, "--store", path)

    return run


@pytest.fixture
def prompts(tmp_path):
    """Three learned prompts, one of each topic, in a CSV file."""
    lines = [f"{p.topic},{p.text}" for p in story(20)[::20]]
    path = tmp_path / "prompts.csv"
    path.write_text("\n".join(["id,prompt", *lines]) + "\n", encoding="utf-8")
    return path


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


def test_tables_are_built_listed_compared_and_published(run, tmp_path):
    """build prints the version alone; diff says where it chooses otherwise."""
    code, out, _ = run("table", "build", "--quality-value-usd", "0")
    assert (code, out) == (0, "2\n")
    listed = json.loads(run("table", "list", "--json")[1])
    assert [row["published_at"] is None for row in listed] == [False, True]
    changes = json.loads(run("table", "diff", "1", "2", "--json")[1])
    after = {row["name"]: row["model_after"] for row in changes}
    assert set(after.values()) == {"small"}
    assert {row["name"]: row["model_before"] for row in changes}["python"] == "large"
    code, out, err = run("table", "diff", "1", "2")
    assert "of 4 buckets choose the same" in err
    code, out, err = run("table", "publish", "2")
    assert (code, out, err) == (0, "", "Table 2 is published.\n")
    assert json.loads(run("table", "show", "--json")[1])["table_version"] == 2
    assert run("table", "list")[1].count("\n") == 3


def test_a_table_may_be_built_for_some_models_and_published_at_once(run):
    """Spaces around names are no part of them."""
    options = ("--models", "small, medium", "--reference", "small", "--publish")
    assert run("table", "build", *options)[:2] == (0, "2\n")
    assert json.loads(run("table", "show", "--json")[1])["reference_model_id"] == "small"


def test_a_table_is_shown_with_its_evidence(run):
    """One line for each bucket on standard output, the version on standard error."""
    code, out, err = run("table", "show")
    assert code == 0
    assert len(out.splitlines()) == 5
    assert all(name in out for name in [*BEST_VALUE, "unassigned"])
    assert err.startswith("Table 1, published")


def test_a_profile_is_printed(run):
    """Cells as a table or as JSON; the id on standard error."""
    code, out, err = run("profile")
    assert (code, out) == (0, "")
    assert err.startswith("prof-")
    assert "3 models" in err
    code, out, _ = run("profile", "--show")
    assert "all prompts" in out
    assert "python" in out
    cells = json.loads(run("profile", "--json")[1])
    assert {cell["model_id"] for cell in cells} == set(MODELS)
    assert {cell["latency_p50_s"] for cell in cells} == {None}


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


def built_by(run, *options):
    """Build a table; returns its exit code, its JSON and what was said."""
    code, out, err = run("table", "build", "--router", "table", *options)
    shown = run("table", "show", "--version", out.strip(), "--json")[1] if code == 0 else "null"
    return code, json.loads(shown), err


def test_the_options_make_the_policy(run):
    """Every option of `table build` arrives where it is documented."""
    code, shown, _ = built_by(
        run,
        *("--deny", "medium", "--reference", "large", "--min-quality", 0.1, "--alpha", 0.1),
        *("--loss-ratio", 2.2, "--loss-ratio", "law=5", "--fallback", "large, small"),
        *("--max-share", "small=0.5", "--keep-quality", 0.9),
    )
    policy = shown["policy"]
    assert code == 0
    assert policy["deny"] == ["medium"]
    assert (policy["min_quality"], policy["keep_quality"], policy["alpha"]) == (0.1, 0.9, 0.1)
    assert (policy["loss_ratio"], policy["domain_loss_ratios"]) == (2.2, [["law", 5.0]])
    assert (policy["fallback"], policy["max_share"]) == (["large", "small"], [["small", 0.5]])
    z = {bucket["name"]: bucket["z"] for bucket in shown["buckets"]}
    assert z["law"] > z["python"] > 0


def test_a_certificate_is_told_and_shown(run):
    """After building, with `table show`, and as JSON."""
    code, shown, err = built_by(run, "--max-loss", 0.02)
    assert code == 0
    assert "Not certified: " in err
    assert shown["certificate"]["is_certified"] is False
    assert shown["certificate"]["max_loss"] == 0.02
    err = run("table", "show", "--version", shown["table_version"])[2]
    assert "cannot rule out, with 95 % confidence" in err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--min-quality", 0.999), "--min-quality 0.999 cannot be kept by any model in"),
        (("--max-latency-s", 1), "no latency is known there"),
        (("--max-share", "small"), "--max-share expects a number after NAME="),
        (("--max-share", "small=2"), "--max-share expects MODEL=SHARE"),
        (("--loss-ratio", "law=much"), "expects a number after NAME="),
        (("--loss-ratio", 0), "--loss-ratio expects numbers above 0"),
        (("--deny", "large,medium,small"), "leaves no model"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_2(run, options, word):
    """The error names the option and what can be done."""
    code, _, err = built_by(run, *options)
    assert code == 2
    assert word in err


def test_features_and_windows_come_from_the_models_file(run, tmp_path):
    """Only models known to have them are candidates; the file beside the store says which."""
    (tmp_path / "store.models.yml").write_text(
        "source_url: https://example.com\nchecked_on: 2026-11-23\nmodels:\n"
        "  - {model_id: large, features: [tools], context_tokens: 8000}\n"
        "  - {model_id: small, features: [tools], context_tokens: 64000}\n"
    )
    code, shown, _ = built_by(run, "--require", "tools")
    assert (code, {entry["model_id"] for entry in shown["entries"]}) == (0, {"large", "small"})
    code, shown, _ = built_by(run, "--require", "tools", "--min-context", 32000)
    assert (code, {entry["model_id"] for entry in shown["entries"]}) == (0, {"small"})
    assert built_by(run, "--require", "vision")[0] == 2


LEGAL = "sensitivity=legal: certified=legal"
CERTIFIED = """
source_url: our contract
checked_on: 2026-11-23
models:
  - {model_id: large, certifications: [legal]}
  - {model_id: small, certifications: []}
"""


@pytest.mark.parametrize("router", ["stack", "table"])
def test_a_rule_sends_sensitive_prompts_to_certified_models_only(run, prompts, tmp_path, router):
    """Law prompts leave the cheaper model that they had; the receipt names the rule."""
    build = ("table", "build", "--publish", "--keep-quality", "0.95", "--router", router)
    model_of = {}
    for rules in ((), ("--rule", LEGAL)):
        (tmp_path / "store.models.yml").write_text(CERTIFIED)
        assert run(*build, *rules)[0] == 0
        assert run("route", prompts, "-o", tmp_path / "out.csv")[0] == 0
        rows = csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8")))
        for row in rows:
            model_of[row["id"], bool(rules)] = row["model"]
            assert row["reason"].endswith(f"; rule {LEGAL}") == (bool(rules) and row["id"] == "law")
    assert model_of["law", False] != "large"
    assert model_of["law", True] == "large"
    assert json.loads(run("table", "show", "--json")[1])["rules"]["rules"] == [LEGAL]
    assert (
        "Rules on axes are described in it but not decided"
        in run("export", "-o", tmp_path / "table")[2]
    )


def test_a_rule_without_a_certified_model_is_refused(run):
    """Nothing is built; the error says where to write down what a model has."""
    code, out, err = run("table", "build", "--rule", LEGAL)
    assert (code, out) == (2, "")
    assert "models file beside the store" in err
    code, _, err = run("table", "build", "--rule", "mood=bad: certified=x")
    assert code == 2
    assert "one of the axes complexity" in err


def test_a_model_that_was_hardly_asked_is_left_out_aloud(run, tmp_path):
    """Two right answers of a cheap model move no prompt; --models takes it all the same."""
    rows = [f"{p.text},tiny,1,0.00001" for p in story(20)[:2]]
    (tmp_path / "few.csv").write_text("\n".join(["prompt,model,quality,cost_usd", *rows]) + "\n")
    assert run("import", tmp_path / "few.csv")[0] == 0
    code, _, err = run("table", "build", "--publish")
    assert code == 0
    assert "Not in the table: tiny." in err
    models = {e["model_id"] for e in json.loads(run("table", "show", "--json")[1])["entries"]}
    assert models == set(MODELS)
    assert "Not in the table: medium, small." in run("table", "build", "--models", "large,tiny")[2]


def test_a_domain_is_locked_and_unlocked(run):
    """Each is a new version by the same policy; other domains stay as they are."""

    def first_of_python():
        shown = json.loads(run("table", "show", "--json")[1])
        row = next(row for row in shown["buckets"] if row["name"] == "python")
        first = next(e for e in shown["entries"] if e["rank"] == 1 and e["bucket"] == row["bucket"])
        return shown["policy"]["locks"], row["lock"], first["model_id"]

    options = ("--router", "table", "--lock", "law=small", "--publish")
    assert run("table", "build", *options)[0] == 0
    _, lock, free = first_of_python()
    assert free != "medium"
    assert lock is None
    assert run("table", "lock", "python", "medium", "--publish")[0] == 0
    assert first_of_python() == ([["law", "small"], ["python", "medium"]], "medium", "medium")
    changes = json.loads(run("table", "diff", 2, 3, "--json")[1])
    assert [row["name"] for row in changes if row["change"] != "same"] == ["python"]
    assert run("table", "unlock", "python", "--publish")[0] == 0
    assert first_of_python() == ([["law", "small"]], None, free)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("table", "lock", "cooking", "small"), "no domain 'cooking'"),
        (("table", "lock", "python", "huge"), "no model 'huge'"),
        (("table", "unlock", "python"), "has no lock on 'python'"),
        (("table", "build", "--lock", "python"), "--lock expects DOMAIN=MODEL"),
        (("table", "build", "--lock", "python=small", "--deny", "small"), "names 'small'"),
    ],
)
def test_locks_that_cannot_be_are_2(run, arguments, word):
    """The message names what is wrong."""
    code, _, err = run(*arguments)
    assert code == 2
    assert word in err
