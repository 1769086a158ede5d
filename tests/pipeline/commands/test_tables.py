import csv
import io
import json

import pytest

from tests.support import BEST_VALUE, MODELS, story


@pytest.fixture
def run(run_built):
    return run_built


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
