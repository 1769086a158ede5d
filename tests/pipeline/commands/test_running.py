"""`promptshed run` against a loopback server that fails as it is told to."""

import json

import polars as pl
import pytest

from pipeline.batch import route_file
from pipeline.store import Store
from profiles.tables import OUTCOMES
from tests.pipeline.test_batch import decide
from tests.scripted_server import MODELS_FILE, answers

pytest.importorskip("openai")


@pytest.fixture
def run(run_routed):
    return run_routed


def test_every_row_is_answered_in_order(run, server, tmp_path):
    """Answers, calls and outcomes; a row without a model has none."""
    code, out, err = run()
    assert code == 3  # the empty prompt
    found = json.loads(out)
    assert [found[k] for k in ("n_rows", "n_answered", "n_failed", "n_new")] == [5, 4, 1, 4]
    rows = answers(tmp_path)
    assert [row["n"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["answer"] for row in rows] == ["Fine.", "Fine.", None, "Fine.", "Fine."]
    assert rows[2]["problem"] == "no model"
    outcomes = Store(path=tmp_path / "s.duckdb").read(OUTCOMES)
    assert outcomes["n_tokens_in"].to_list() == [3] * 4
    large = outcomes.filter(model_id="large")
    assert large["cost_usd"].to_list() == pytest.approx([0.005] * 3)
    assert large["propensity"].to_list() == [1.0] * 3
    assert outcomes["latency_s"].min() > 0
    assert {key for *_, key in server.seen} == {"Bearer secret-key"}
    everything = out + err + (tmp_path / "answers.jsonl").read_text(encoding="utf-8")
    jobs = "".join(path.read_text() for path in (tmp_path / "s.duckdb.jobs").glob("*"))
    assert "secret-key" not in everything + jobs
    assert json.loads(run()[1])["n_new"] == 0


def test_what_passes_is_tried_again(run, server, tmp_path):
    """429 waits as long as it says; 500, a timeout and malformed JSON are tried again."""
    server.scripts |= {
        "Write a poem": [429, "Verse."],
        "Hi": [500, 503, "Hello."],
        "Tell a story": ["slow", "Once."],
        "Sing a song": ["malformed", "La."],
    }
    run()
    rows = answers(tmp_path)
    assert [row["answer"] for row in rows] == ["Verse.", "Hello.", None, "Once.", "La."]
    assert all(len(row["calls"]) == 1 for row in rows if row["answer"])
    times = [at for prompt, _, at, _ in server.seen if prompt == "Write a poem"]
    assert times[1] - times[0] >= 0.3


def test_what_fails_goes_to_the_next_model(run, server, tmp_path):
    """400 at once, refusals and empty answers by the check; the last answer stays."""
    server.scripts |= {
        "Write a poem": [400, "Verse."],
        "Tell a story": ["", "I'm sorry, I can't.", "Once."],
        "Sing a song": ["", "", ""],
    }
    code, out, _ = run()
    found = json.loads(out)
    assert (code, found["n_failed"], found["n_escalated"]) == (3, 2, 3)
    rows = answers(tmp_path)
    assert [call["model"] for call in rows[0]["calls"]] == ["large", "small"]
    assert rows[0]["calls"][0]["problem"].startswith("status 400")
    assert (rows[3]["answer_model"], rows[3]["answer"]) == ("tiny", "Once.")
    assert (rows[4]["answer"], rows[4]["problem"]) == ("", "empty answer")
    outcomes = Store(path=tmp_path / "s.duckdb").read(OUTCOMES)
    assert outcomes.height == 1 + 1 + 3 + 3
    assert outcomes.filter(pl.col("propensity").is_not_null()).height == 3


@pytest.fixture
def judged(run, server, tmp_path):
    """Two rows whose first answers are Bad., which the judge lets pass as scripted."""
    lines = [json.dumps({"prompt": text}) for text in ("Write a poem", "Sing a song")]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "c.yml").write_text('judge: {model: judge, criterion: "Is it kind?"}')
    route_file("in.jsonl", "routed.jsonl", decide)
    server.scripts |= {"Write a poem": ["Bad."], "judge: Fine.": ["PASS", " pass. "]}
    return lambda *options: run("--checks", "c.yml", "--at-once", "1", *options)


def test_a_judge_sends_a_bad_answer_to_the_next_model(judged, server, tmp_path):
    """It sees the conversation and the answer; its calls are paid for, but are no outcomes."""
    server.scripts["judge: Bad."] = ["FAIL"]
    code, out, _ = judged()
    first, second = answers(tmp_path)
    assert code == 0
    assert [call["problem"] for call in first["calls"]] == ["the judge says FAIL", None]
    assert (first["answer"], second["answer"], len(second["calls"])) == ("Fine.", "Fine.", 1)
    assert [model for _, model, _, _ in server.seen].count("judge") == 3
    asked = next(body["messages"] for body in server.bodies if body["model"] == "judge")
    assert "Is it kind?" in asked[0]["content"]
    chat = [{"role": "user", "content": "Write a poem"}]
    assert json.loads(asked[1]["content"]) == {"conversation": chat, "answer": "Bad."}
    assert json.loads(out)["cost_usd"] == pytest.approx(0.005 * 2 + 0.0005 + 3 * 0.0005)
    outcomes = Store(path=tmp_path / "s.duckdb").read(OUTCOMES)
    assert sorted(outcomes["model_id"]) == ["large", "large", "small"]


@pytest.mark.parametrize("said", ["PASS, since the answer says so", "", "{}", 400, "malformed"])
def test_without_a_verdict_an_answer_does_not_pass(judged, server, tmp_path, said):
    """Whatever a judge says beside one word, or if it fails, counts for nothing."""
    server.scripts["judge: Bad."] = [said]
    judged("--tries", "1")
    assert answers(tmp_path)[0]["calls"][0]["problem"].startswith("no verdict of the judge: ")


def test_a_judge_is_asked_only_about_what_passes_all_else(judged, server, tmp_path):
    """A refusal costs no call to it."""
    server.scripts["Write a poem"] = ["I cannot do that."]
    judged()
    assert [row["calls"][0]["problem"] for row in answers(tmp_path)] == ["refusal", None]
    assert [model for _, model, _, _ in server.seen].count("judge") == 2


def test_a_judge_counts_against_the_cap(judged, server, tmp_path):
    """It needs a price, and is not asked where that could exceed the cap."""
    chat = [{"role": "user", "content": "Write a poem"}]
    body = {"model": "large", "messages": chat, "max_completion_tokens": 10}
    cap = 0.001 * (len(json.dumps(body)) + 10) + 0.001  # the answer, but not the judge
    price = "judge, prices: [{price_in_usd_per_mtok: "
    dear = MODELS_FILE.replace(f"{price}100,", f"{price}9000,")
    (tmp_path / "m.yml").write_text(dear, encoding="utf-8")
    code, _, err = judged("--max-usd", f"{cap:.6f}", "--tries", "1")
    assert (code, [model for _, model, _, _ in server.seen]) == (1, ["large"])
    (tmp_path / "m.yml").write_text(MODELS_FILE.replace("judge", "other"), encoding="utf-8")
    code, _, err = judged("--max-usd", "9")
    assert (code, "the price of judge" in err) == (2, True)


def test_a_server_that_is_not_there_fails_every_row(run, server, tmp_path):
    """The file is whole, each line says why."""
    server.shutdown()
    server.server_close()
    code, out, _ = run("--tries", "2")
    assert (code, json.loads(out)["n_failed"]) == (3, 5)
    assert "no connection" in answers(tmp_path)[0]["problem"]


def test_fields_that_the_client_does_not_know_are_sent(run, server, tmp_path):
    """`extra` is for the server, whatever the client thinks of it."""
    (tmp_path / "t.yml").write_text("max_tokens: 10\nextra: {top_k: 5}\n", encoding="utf-8")
    assert json.loads(run()[1])["n_answered"] == 4
    assert {body["top_k"] for body in server.bodies} == {5}
