import json
import math
import shutil

import pytest

from pipeline.bootstrap import Interval
from pipeline.commands.evaluating import _passes
from pipeline.commands.scores_shown import shown
from pipeline.config import Policy
from pipeline.flows.tables import build_table
from pipeline.scores import Evaluation, RouterScore
from pipeline.store import Store
from profiles.errors import UsageError
from tests.pipeline.flows.test_logs import log_csv, store_of
from tests.support import (
    NAN,
    HashEncoder,
    run_command,
    story,
    story_csv,
    story_store,
    use_fake_encoder,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("built"), n_per_topic=20).path


@pytest.fixture
def run(built, tmp_path, capsys, monkeypatch):
    use_fake_encoder(monkeypatch)
    path = shutil.copy(built, tmp_path / "store.duckdb")

    def run(*arguments):
        return run_command(capsys, "evaluate", *arguments, "--store", path)

    return run


def test_routers_are_compared(run):
    """One line for each router, the best single model and the oracle on standard error."""
    code, out, err = run("--seeds", 1)
    assert code == 0
    assert out.splitlines()[0].startswith("router")
    assert "soft_domain_table" in out
    assert "Best single: large" in err
    assert "oracle" in err


def test_prompts_with_a_gap_are_counted(run, built, tmp_path, capsys):
    """Two prompts that one of three models did not answer are in no score, and that is said."""
    log = tmp_path / "more.csv"
    log.write_text("prompt,model,quality,cost_usd\nnew one,large,1,1\nnew two,large,1,1\n")
    assert run_command(capsys, "import", log, "--store", tmp_path / "store.duckdb")[0] == 0
    _, out, err = run("--seeds", 1, "--json")
    assert "Left out: 2 prompts without a known outcome of every model." in err
    assert json.loads(out)["n_prompts"] == 60


def test_json_has_every_number(run):
    """Nothing but JSON on standard output; unknown numbers are null."""
    code, out, _ = run("--seeds", 1, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["n_prompts"], found["n_models"], found["n_seeds"]) == (60, 3, 1)
    routers = {row["router"]: row for row in found["routers"]}
    assert routers["best_single"]["aiq"] is None
    assert routers["best_single"]["delta_points"] == {"mean": 0, "lo": 0, "hi": 0}
    assert 0 < routers["soft_domain_table"]["cost_ratio"] < 1
    assert sum(routers["random"]["calls"].values()) == pytest.approx(1)


@pytest.mark.parametrize(("gate", "code"), [("aiq=0.1", 0), ("aiq=0.999", 4), ("gap_closed=2", 4)])
def test_a_gate_that_fails_is_4(run, gate, code):
    """The number reached and the one wanted are told; the scores are printed all the same."""
    found, out, err = run("--seeds", 1, "--json", "--fail-under", gate)
    assert found == code
    assert json.loads(out)["routers"]
    assert "wanted at least" in err


@pytest.mark.parametrize("gate", ["speed=1", "aiq", "aiq=high"])
def test_an_unknown_gate_is_2(run, gate):
    """The metrics there are, are listed."""
    code, _, err = run("--seeds", 1, "--fail-under", gate)
    assert code == 2
    assert "delta_points, aiq, gap_closed" in err
    assert gate in err


def score(name, points, *, aiq=NAN):
    sure = Interval(mean=points, lo=points, hi=points)
    rest = dict.fromkeys(RouterScore.__dataclass_fields__, NAN)
    intervals = {"delta_points": sure, "parity_delta_points": sure, "cost_ratio": sure}
    return RouterScore(**(rest | intervals | {"router": name, "aiq": aiq, "calls": {}}))


def evaluation(*scores):
    rest = dict.fromkeys(Evaluation.__dataclass_fields__, NAN)
    return Evaluation(**(rest | {"routers": scores}))


def test_a_gate_is_not_passed_by_a_baseline():
    """Routers that lose a point fail the gate at 0, although the best single model is there."""
    found = evaluation(score("table", -1.0), score("best_single", 0.0), score("cheapest", 3.0))
    assert not _passes(found, "delta_points=0")
    assert _passes(found, "delta_points=-1")


def test_an_unknown_number_passes_no_gate():
    """NaN is neither good nor hides what another router reached."""
    assert not _passes(evaluation(score("a", 0.0), score("b", 0.0)), "aiq=0")
    assert _passes(evaluation(score("a", 0.0), score("b", 0.0, aiq=0.5)), "aiq=0.5")
    assert not _passes(evaluation(score("a", 0.0)), "gap_closed=-9")


def test_a_gate_needs_a_number():
    """The message shows what was found."""
    with pytest.raises(UsageError, match=r"METRIC=VALUE.*'aiq='"):
        _passes(evaluation(score("a", 0.0)), "aiq=")


def test_a_held_out_file_is_scored(run, tmp_path):
    """Quality and cost beside the best single model's, as a table and as JSON."""
    learned = {p.text for p in story(20)}
    fresh = [p for p in story(30) if p.text not in learned]
    (tmp_path / "new.csv").write_text(story_csv(fresh), encoding="utf-8")
    code, out, err = run("--holdout", tmp_path / "new.csv")
    assert code == 0
    assert "our table" in out
    assert f"{len(fresh)} held-out prompts; best single is large" in err
    code, out, _ = run("--holdout", tmp_path / "new.csv", "--json")
    found = json.loads(out)
    assert (found["n_prompts"], found["reference_model"]) == (len(fresh), "large")
    assert [row["name"] for row in found["choices"]] == [
        "best single", "cheapest", "our table", "oracle",
    ]  # fmt: skip


def test_tables_are_compared_with_the_first(run, tmp_path):
    """Two versions on the same file: the second with its paired interval against the first."""
    learned = {p.text for p in story(20)}
    fresh = [p for p in story(40) if p.text not in learned]
    (tmp_path / "new.csv").write_text(story_csv(fresh), encoding="utf-8")
    store = tmp_path / "store.duckdb"
    build_table(Store(path=store), HashEncoder(), Policy(quality_value_usd=0.0, router="table"))
    arguments = ("--holdout", tmp_path / "new.csv", "--table", 1, "--table", 2)
    code, out, err = run(*arguments)
    assert code == 0
    assert "table 2" in out
    assert "table 2 against table 1: -" in err
    rows = {row["name"]: row for row in json.loads(run(*arguments, "--json")[1])["choices"]}
    assert rows["table 1"]["versus_first"]["delta_points"] == {"mean": 0, "lo": 0, "hi": 0}
    two, one = rows["table 2"], rows["table 1"]
    apart = 100 * (two["quality"] - one["quality"])
    assert two["versus_first"]["delta_points"]["mean"] == pytest.approx(apart)
    assert two["versus_first"]["cost_ratio"]["mean"] < 1


def test_chosen_routers_are_compared_with_the_first(run):
    """Regret, kept shares and break-even stand beside what was there before."""
    code, out, _ = run("--seeds", 1, "--routers", "mixllm,inference_dynamics", "--json")
    routers = {row["router"]: row for row in json.loads(out)["routers"]}
    assert code == 0
    assert list(routers)[:2] == ["mixllm", "inference_dynamics"]
    row = routers["inference_dynamics"]
    assert set(row["at_quality"]) == {"100%", "98%", "95%"}
    assert row["versus_first"]["delta_points"]["lo"] is not None
    assert sum(cell["n"] for cell in row["at_parity"]["regret_matrix"]) > 0
    assert row["regret"] >= 0
    assert row["pair"] is None


def test_a_pair_is_compared_alone(run):
    """APGR and CPT of two models, and the calls at a threshold that was set on training folds."""
    arguments = ("--seeds", 1, "--pair", "large,small", "--routers", "strong_weak,knn")
    found = json.loads(run(*arguments, "--pair-target", "share=0.5", "--json")[1])
    assert found["n_models"] == 2
    assert found["pair"]["target"] == {"kind": "share", "value": 0.5}
    pair = found["routers"][0]["pair"]
    assert 0.5 < pair["apgr"]["mean"] < 1.5
    assert 0.2 < pair["at_target"]["calls"] < 0.8
    assert "CPT(80)" in run(*arguments)[1]


def test_a_curve_of_onboarding(run):
    """From no label to all of them, as a table and as JSON."""
    arguments = ("--seeds", 1, "--onboard", "medium", "--routers", "soft_domain_table")
    found = json.loads(run(*arguments, "--json")[1])
    assert found["model"] == "medium"
    assert [point["share"] for point in found["points"]] == [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    assert found["points"][0]["calls"] == 0
    assert run(*arguments)[1].splitlines()[-1].split()[0] == "100%"


def test_logs_without_propensities_say_so(run):
    """No number is made up."""
    code, out, err = run("--logged")
    assert (code, out) == (1, "")
    assert "cannot be known" in err


def test_logs_with_propensities_are_valued(capsys, tmp_path, monkeypatch):
    """The three estimates with effective sample size, as a table and as JSON."""
    use_fake_encoder(monkeypatch)
    store_of(tmp_path, log_csv(story(60)))
    arguments = ("evaluate", "--logged", "--seeds", 1, "--store", tmp_path / "store.duckdb")
    code, out, err = run_command(capsys, *arguments)
    assert code == 0
    assert out.splitlines()[0].split()[:2] == ["router", "doubly"]
    assert "180 of 180 outcomes were drawn with a known chance" in err
    found = json.loads(run_command(capsys, *arguments, "--json")[1])
    assert {"ips", "snips", "doubly_robust", "n_effective", "overlap"} < set(found["routers"][0])


def test_reference_prompts_are_a_router(run, tmp_path):
    """A file of labelled examples is compared with the usual routers."""
    lines = "python code loop,py\nflour butter oven,food\ncourt lease clause,law\n"
    (tmp_path / "examples.csv").write_text("prompt,label\n" + lines, encoding="utf-8")
    code, out, _ = run("--seeds", 1, "--references", tmp_path / "examples.csv")
    assert code == 0
    assert "references" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pair", "large"), "STRONG,WEAK"),
        (("--pair", "large,large"), "two different models"),
        (("--pair", "large,nobody"), "no model 'nobody'"),
        (("--pair", "large,small", "--logged"), "different questions"),
        (("--table", 1), "--table needs --holdout"),
        (("--routers", "magic"), "no router 'magic'"),
        (("--onboard", "nobody"), "no model 'nobody'"),
        (("--tag-endpoint", "http://127.0.0.1:9"), "--tag-model NAME"),
        (("--tag-endpoint", "nowhere", "--tag-model", "m"), "http:// or https://"),
    ],
)
def test_what_makes_no_sense_is_2(run, arguments, said):
    """Each message says what was expected."""
    code, out, err = run("--seeds", 1, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_an_empty_store_names_the_next_step(capsys, tmp_path, monkeypatch):
    """There is nothing to evaluate before an import."""
    use_fake_encoder(monkeypatch)
    code, out, err = run_command(capsys, "evaluate", "--store", tmp_path / "none.duckdb")
    assert (code, out) == (1, "")
    assert "promptshed import FILE" in err


def test_an_interval_is_shown_beside_its_mean():
    """Unknown is None, a sure number stands alone."""
    assert shown(Interval(mean=1.0, lo=0.5, hi=1.5), "{:+.1f}") == "+1.0 [+0.5, +1.5]"
    assert shown(Interval(mean=1.0, lo=1.0, hi=1.0), "{:.1f}") == "1.0"
    assert shown(Interval(mean=math.nan, lo=0.0, hi=0.0), "{:.1f}") is None
