import json
from datetime import date

import polars as pl
import pytest

from pipeline.batch import route_file
from pipeline.store import Store
from profiles.tables import OUTCOMES, PROMPTS, REQUESTS
from tests.pipeline.test_batch import decide
from tests.support import run_command

N = 7
MODELS_FILE = """
source_url: test
checked_on: 2026-11-23
models:
  - model_id: large
    prices:
      - {price_in_usd_per_mtok: 2, price_out_usd_per_mtok: 4,
         batch_price_in_usd_per_mtok: 1, batch_price_out_usd_per_mtok: 2}
      - {since: 2027-01-01, price_in_usd_per_mtok: 9, price_out_usd_per_mtok: 9}
"""


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command where a routed file, its batches and a models file are."""
    monkeypatch.chdir(tmp_path)
    prompts = ["Hi", "Write a poem", "", "=Sum up: é", "Write a poem", "Yo", "Tell a story"]
    lines = [json.dumps({"n": number, "prompt": text}) for number, text in enumerate(prompts)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "m.yml").write_text(MODELS_FILE, encoding="utf-8")
    route_file("in.jsonl", "routed.jsonl", decide)
    return lambda *arguments: run_command(capsys, *arguments)


def emit(run, *options, code=0):
    found, out, err = run("batch", "emit", "routed.jsonl", "--to", "openai-batch", *options)
    assert found == code, err
    return out, err


def ids(tmp_path, folder="out"):
    """Return the id of each request by row."""
    manifest = pl.read_parquet(tmp_path / folder / "manifest.parquet", glob=False)
    return dict(manifest.select("row", "id").iter_rows())


def answer(wanted, text="Yes.", n_in=1000, n_out=500):
    body = {
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": n_in, "completion_tokens": n_out},
    }
    return json.dumps({"custom_id": wanted, "response": {"status_code": 200, "body": body}})


def failure(wanted):
    return json.dumps({"custom_id": wanted, "response": None, "error": {"code": "batch_expired"}})


def merge(run, tmp_path, lines, *options):
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return run(
        "batch", "merge", "results.jsonl", "--manifest", "out", "-o", "answers.jsonl",
        "--store", "s.duckdb", "--models-file", "m.yml", "--on", "2026-11-24", "--json", *options,
    )  # fmt: skip


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_model_gets_its_files_and_every_request_is_in_the_manifest(run, tmp_path):
    """Files are cut at the limit; a row without a prompt has no request."""
    out, err = emit(run, "-o", "out", "--max-lines", "2", "--json")
    counts = json.loads(out)
    assert counts["n_requests"] == {"large": 4, "small": 2}
    assert (counts["n_files"], counts["n_without_model"]) == (3, 1)
    manifest = pl.read_parquet(tmp_path / "out" / "manifest.parquet")
    batch = manifest["batch_id"][0][:8]
    assert manifest["id"].to_list() == [f"r-{row:06}-{batch}" for row in (1, 2, 4, 5, 6, 7)]
    assert manifest["id"].str.contains(r"^[a-zA-Z0-9_-]{1,64}$").all()
    assert set(manifest["table_version"]) == {3}
    for name, rows in manifest.group_by("file"):
        lines = read(tmp_path / "out" / name[0])
        assert [line["custom_id"] for line in lines] == rows.sort("row")["id"].to_list()
        assert {line["body"]["model"] for line in lines} == set(rows["model"])
    assert "6 requests in 3 files" in err


def test_files_are_cut_by_bytes_too(run, tmp_path):
    """No file is larger than asked; a request that is larger alone is set aside."""
    (tmp_path / "t.yml").write_text(f"system: {'x' * 400}\nmodels: {{large: gpt}}\n")
    emit(run, "-o", "out", "--max-mb", "0.0013", "--request", "t.yml")
    files = sorted((tmp_path / "out").glob("*.jsonl"))
    assert len(files) > 2
    assert all(file.stat().st_size <= 1300 for file in files)
    emit(run, "-o", "small", "--max-mb", "0.001", "--model", "large", "--request", "t.yml")
    (tmp_path / "t.yml").write_text(f"system: {'x' * 2000}\n")
    emit(run, "-o", "none", "--max-mb", "0.001", "--request", "t.yml", code=3)
    assert len(read(tmp_path / "none" / "rejected.jsonl")) == 6


def test_results_come_back_by_id_in_any_order(run, tmp_path):
    """Tokens and batch costs become outcomes with the propensity; merging again adds nothing."""
    emit(run, "-o", "out")
    known = ids(tmp_path)
    lines = [answer(known[6]), answer(known[2]), failure(known[4]), answer("r-000099"), "{"]
    code, out, err = merge(run, tmp_path, lines)
    assert code == 3
    found = json.loads(out)
    counts = ("n_answers", "n_new", "n_failed", "n_missing", "n_unknown", "n_unreadable")
    assert [found[name] for name in counts] == [2, 2, 1, 3, 1, 1]
    assert found["cost_usd"] == pytest.approx(0.002)  # 1,000 × $1 + 500 × $2 per million, large
    assert found["n_cost_unknown"] == 1  # no batch price of small
    store = Store(path=tmp_path / "s.duckdb")
    outcomes = store.read(OUTCOMES)
    assert set(outcomes["model_id"]) == {"large", "small"}
    assert outcomes.filter(model_id="large").select(
        "quality", "cost_usd", "n_tokens_in", "n_tokens_out", "propensity"
    ).row(0) == (None, pytest.approx(0.002), 1000, 500, 1.0)
    assert outcomes.filter(model_id="small")["cost_usd"].item() is None
    assert store.read(REQUESTS)["external_id"].sort().to_list() == [known[2], known[6]]
    assert store.count(PROMPTS) == 2
    answers = read(tmp_path / "answers.jsonl")
    assert [(row["n"], row["answer"]) for row in answers] == [(1, "Yes."), (5, "Yes.")]
    before = (tmp_path / "answers.jsonl").read_bytes()
    again = json.loads(merge(run, tmp_path, lines[::-1])[1])
    assert (again["n_answers"], again["n_new"]) == (2, 0)
    assert store.read(OUTCOMES).equals(outcomes)
    assert (tmp_path / "answers.jsonl").read_bytes() == before
    assert "batch_expired" in err


def test_failures_are_routed_to_their_next_model(run, tmp_path):
    """The next wave is emitted from the failures; where the chain has ended there is no model."""
    emit(run, "-o", "out")
    lines = [failure(ids(tmp_path)[row]) for row in (2, 6)]
    merge(run, tmp_path, lines)
    failed = read(tmp_path / "answers.jsonl.failed.jsonl")
    assert [(row["model"], row["fallbacks"]) for row in failed] == [("small", ["tiny"]), (None, [])]
    assert failed[0]["reason"] == "large failed: batch_expired"
    assert failed[0]["propensity"] is None
    found = run(
        "batch", "emit", "answers.jsonl.failed.jsonl", "--to", "anthropic-batch", "-o", "wave2",
        "--json",
    )  # fmt: skip
    assert json.loads(found[1])["n_requests"] == {"small": 1}
    assert json.loads(found[1])["n_without_model"] == 1


def test_results_of_another_batch_are_of_other_requests(run, tmp_path):
    """The same rows sent to another provider, or in the next wave, have other ids."""
    emit(run, "-o", "out")
    assert run("batch", "emit", "routed.jsonl", "--to", "mistral-batch", "-o", "b2")[0] == 0
    code, out, _ = merge(run, tmp_path, [answer(ids(tmp_path, "b2")[2])])
    found = json.loads(out)
    assert (code, found["n_answers"], found["n_unknown"], found["n_missing"]) == (0, 0, 1, 6)


@pytest.mark.parametrize(
    "order", [["results.jsonl", "again.jsonl"], ["again.jsonl", "results.jsonl"]]
)
def test_what_failed_in_one_file_may_succeed_in_another(run, tmp_path, order):
    """A request that expired and was sent again is answered, in whatever order the files are."""
    emit(run, "-o", "out")
    wanted = ids(tmp_path)[2]
    (tmp_path / "results.jsonl").write_text(failure(wanted) + "\n")
    (tmp_path / "again.jsonl").write_text(answer(wanted) + "\n")
    _, out, _ = run(
        "batch", "merge", *order, "--manifest", "out", "-o", "answers.jsonl", "--store",
        "s.duckdb", "--models-file", "m.yml", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert [found[name] for name in ("n_answers", "n_failed", "n_missing")] == [1, 0, 5]
    assert not (tmp_path / "answers.jsonl.failed.jsonl").exists()


def test_half_a_character_loses_no_answer(run, tmp_path):
    """JSON can spell half of a surrogate pair, which no file can hold."""
    emit(run, "-o", "out")
    merge(run, tmp_path, [answer(ids(tmp_path)[2], text="hi \ud83d")])
    assert read(tmp_path / "answers.jsonl")[0]["answer"] == "hi \ufffd"


@pytest.mark.parametrize("target", ["results.jsonl", "out/manifest.parquet"])
def test_answers_replace_nothing_that_is_read(run, tmp_path, target):
    """What a provider sent, and the manifest, are there only once."""
    emit(run, "-o", "out")
    (tmp_path / "results.jsonl").write_text(answer(ids(tmp_path)[2]) + "\n")
    before = (tmp_path / target).read_bytes()
    code, _, err = run(
        "batch", "merge", "results.jsonl", "--manifest", "out/manifest.parquet", "-o", target,
        "--store", "s.duckdb",
    )  # fmt: skip
    assert (code, (tmp_path / target).read_bytes()) == (2, before)
    assert "expected another file than those read" in err


def test_the_path_of_a_manifest_is_no_pattern(run, tmp_path):
    """A folder called `out[1]` is that folder and not `out1`."""
    emit(run, "-o", "out[1]")
    emit(run, "-o", "out1", "--model", "small")
    known = ids(tmp_path, "out[1]")
    (tmp_path / "results.jsonl").write_text(answer(known[2]) + "\n")
    _, out, _ = run(
        "batch", "merge", "results.jsonl", "--manifest", "out[1]", "-o", "answers.jsonl",
        "--store", "s.duckdb", "--json",
    )  # fmt: skip
    assert json.loads(out)["n_answers"] == 1


def test_what_lacks_has_failed_if_that_is_said(run, tmp_path):
    """With --all a request without a result goes to the next wave."""
    emit(run, "-o", "out")
    found = json.loads(merge(run, tmp_path, [answer(ids(tmp_path)[1])], "--all")[1])
    assert (found["n_failed"], found["n_missing"]) == (5, 5)
    assert found["errors"] == {"no result": 5}


def test_a_price_of_another_day_counts(run, tmp_path):
    """From 2027 on no batch price is known, so there is no cost."""
    emit(run, "-o", "out")
    code, out, _ = merge(run, tmp_path, [answer(ids(tmp_path)[2])], "--on", "2027-02-01")
    assert (code, json.loads(out)["cost_usd"]) == (0, None)
    assert date(2027, 2, 1) > date(2026, 11, 24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["emit", "in.jsonl", "--to", "openai-batch", "-o", "x"], "Run `promptshed route`"),
        (["emit", "routed.jsonl", "--to", "openai-batch", "-o", "."], "a new or an empty folder"),
        (
            ["emit", "routed.jsonl", "--to", "openai-batch", "-o", "x", "--request", "no.yml"],
            "expected a request template",
        ),
        (["merge", "in.jsonl", "--manifest", ".", "-o", "a.jsonl"], "promptshed batch emit"),
    ],
)
def test_errors_name_the_next_step(run, arguments, message):
    """All are errors of usage, and nothing is written."""
    code, out, err = run("batch", *arguments)
    assert (code, out) == (2, "")
    assert message in err
