"""`promptshed run` against a loopback server that fails as it is told to."""

import json
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from pipeline.batch import route_file
from pipeline.checks import Checks
from pipeline.commands.running import _run_id
from pipeline.flows.asking import RunOptions
from pipeline.purse import Pace
from pipeline.requests import Template
from pipeline.resuming import part_path
from pipeline.store import Store
from profiles.tables import OUTCOMES
from tests.pipeline.test_batch import decide
from tests.support import run_command

pytest.importorskip("openai")

PROMPTS = ["Write a poem", "Hi", "", "Tell a story", "Sing a song"]
MODELS_FILE = """
source_url: test
checked_on: 2026-11-23
models:
  - {model_id: large, prices: [{price_in_usd_per_mtok: 1000, price_out_usd_per_mtok: 1000}]}
  - {model_id: small, prices: [{price_in_usd_per_mtok: 100, price_out_usd_per_mtok: 100}]}
  - {model_id: judge, prices: [{price_in_usd_per_mtok: 100, price_out_usd_per_mtok: 100}]}
  - {model_id: tiny, prices: [{price_in_usd_per_mtok: 100, price_out_usd_per_mtok: 100}]}
"""


class Scripted(BaseHTTPRequestHandler):
    """Answers each prompt by its script, one entry for each call; then, or without one, "Fine."."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt, model = body["messages"][-1]["content"], body["model"]
        server = self.server
        if model == "judge":
            prompt = f"judge: {json.loads(prompt)['answer']}"
        with server.lock:
            number = server.n_calls[prompt]
            server.n_calls[prompt] += 1
            server.seen.append((prompt, model, time.monotonic(), self.headers["Authorization"]))
            server.bodies.append(body)
        script = server.scripts[prompt]
        self.answer(script[number] if number < len(script) else "Fine.", model)

    def answer(self, what, model):
        status, headers = 200, {}
        if isinstance(what, int):
            status, text = what, json.dumps({"error": {"message": "scripted"}})
            headers = {"Retry-After": "0.3"} if what == 429 else {}
        elif what == "gone":
            self.close_connection = True
            return
        elif what == "malformed":
            text = '{"choices": ['
        elif what == "slow":
            time.sleep(1.0)
            text = "{}"
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"content": what}}
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            text = json.dumps({"model": model, "choices": [choice], "usage": usage})
        data = text.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except BrokenPipeError:
            self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    found.lock, found.n_calls, found.seen = threading.Lock(), Counter(), []
    found.bodies = []
    found.scripts = defaultdict(list)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def run(server, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROMPTSHED_API_KEY", "secret-key")
    monkeypatch.setattr("pipeline.calling.Caller.pause_s", 0.01)
    lines = [json.dumps({"n": number, "prompt": text}) for number, text in enumerate(PROMPTS)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "m.yml").write_text(MODELS_FILE, encoding="utf-8")
    (tmp_path / "t.yml").write_text("max_tokens: 10\n", encoding="utf-8")
    route_file("in.jsonl", "routed.jsonl", decide)

    def run(*options):
        url = f"http://127.0.0.1:{server.server_port}/v1"
        return run_command(
            capsys, "run", "routed.jsonl", "-o", "answers.jsonl", "--base-url", url,
            "--store", "s.duckdb", "--models-file", "m.yml", "--request", "t.yml",
            "--json", "--timeout-s", "0.5", *options,
        )  # fmt: skip

    return run


def answers(tmp_path):
    text = (tmp_path / "answers.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


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


def test_the_cap_is_never_exceeded_and_a_higher_one_goes_on(run, server, tmp_path):
    """A call that might exceed it is not made; the run stops, keeps its answers and goes on."""
    chat = [{"role": "user", "content": PROMPTS[0]}]
    body = {"model": "large", "messages": chat, "max_completion_tokens": 10}
    cap = 0.001 * (len(json.dumps(body)) + 10) + 0.001  # one call to large at most, and a little
    code, _, err = run("--max-usd", f"{cap:.6f}", "--tries", "1")
    assert code == 1
    assert "a higher --max-usd with --resume goes on" in err
    n_done = len(part_path(tmp_path / "answers.jsonl").read_bytes().splitlines())
    assert 0 < n_done < 5
    n_calls = len(server.seen)
    code, out, _ = run("--max-usd", "5", "--tries", "1", "--resume")
    assert code == 3
    assert len(server.seen) == 4 > n_calls
    assert json.loads(out)["cost_usd"] == pytest.approx(0.005 * 3 + 0.0005)
    assert Store(path=tmp_path / "s.duckdb").count(OUTCOMES) == 4


def test_a_cap_needs_prices_and_a_limit_of_tokens(run, tmp_path):
    """Without them the most a call can cost is not known."""
    (tmp_path / "t.yml").write_text("", encoding="utf-8")
    assert "needs max_tokens" in run("--max-usd", "1")[2]
    (tmp_path / "m.yml").write_text("models: []", encoding="utf-8")
    code, _, err = run("--max-usd", "1")
    assert (code, "the price of large" in err) == (2, True)


def test_calls_start_no_faster_than_asked():
    """Five calls at 1,200 a minute take at least 0.2 s."""
    pace, started = Pace(per_minute=1200), time.monotonic()
    for _ in range(5):
        pace.wait()
    assert time.monotonic() - started >= 0.2


def test_another_template_is_no_run_to_go_on_with(run, server, tmp_path):
    """What was asked before would be mixed with what is asked now."""
    (tmp_path / ".answers.jsonl.part").write_text('{"calls": []}\n', encoding="utf-8")
    noted = {"run_id": "run-other", "spent_usd": 0.0}
    (tmp_path / ".answers.jsonl.checkpoint.json").write_text(json.dumps(noted), encoding="utf-8")
    code, _, err = run("--resume")
    assert (code, server.seen) == (2, [])
    assert "another routed file, template or checks" in err


def test_a_server_that_is_not_there_fails_every_row(run, server, tmp_path):
    """The file is whole, each line says why."""
    server.shutdown()
    server.server_close()
    code, out, _ = run("--tries", "2")
    assert (code, json.loads(out)["n_failed"]) == (3, 5)
    assert "no connection" in answers(tmp_path)[0]["problem"]


def spent(tmp_path):
    return sum(call["billed_usd"] for row in answers(tmp_path) for call in row["calls"])


def test_what_may_have_been_billed_is_counted(run, server, tmp_path):
    """A connection that breaks after the request, and a 500: each at the most it can have cost."""
    run("--tries", "2")
    plain = spent(tmp_path)
    server.scripts |= {"Write a poem": [], "Tell a story": ["gone"], "Sing a song": [500]}
    server.n_calls.clear()
    run("--tries", "2")
    body = {"model": "large", "messages": [{"role": "user", "content": "Tell a story"}]}
    most = 0.001 * (len(json.dumps(body | {"max_completion_tokens": 10})) + 10)
    assert spent(tmp_path) == pytest.approx(plain + 2 * most, rel=0.01)


def test_a_store_that_fails_loses_no_answer_and_asks_nothing_twice(run, server, tmp_path):
    """What was paid is in the part; with a store that works the run ends without a call."""
    (tmp_path / "s.duckdb").write_text("no database")
    assert run()[0] == 1
    (tmp_path / "s.duckdb").unlink()
    n_calls = len(server.seen)
    assert n_calls == 4
    assert part_path(tmp_path / "answers.jsonl").exists()
    code, out, _ = run("--resume")
    assert (code, json.loads(out)["n_new"], len(server.seen)) == (3, 4, n_calls)
    assert len(answers(tmp_path)) == 5


def test_a_whole_run_is_not_asked_again_by_resume(run, server):
    """Going on with what has ended would pay for everything once more."""
    run()
    code, _, err = run("--resume")
    assert (code, len(server.seen)) == (2, 4)
    assert "found a whole one" in err


def test_a_broken_line_is_found_before_anything_is_paid(run, server, tmp_path):
    """However far down in the file it is."""
    with (tmp_path / "routed.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    code, _, err = run()
    assert (code, server.seen) == (1, [])
    assert "expected a whole routed file, found line 6" in err


def test_money_that_is_gone_is_known_before_it_goes(run, server, tmp_path):
    """A run that is killed remembers at least what it can have spent, also without an answer."""
    noted = []
    checkpoint = tmp_path / ".answers.jsonl.checkpoint.json"

    def answer(self, what, model):
        noted.append(json.loads(checkpoint.read_text(encoding="utf-8"))["spent_usd"])
        original(self, what, model)

    original, Scripted.answer = Scripted.answer, answer
    try:
        run("--max-usd", "9", "--tries", "1", "--at-once", "1")
    finally:
        Scripted.answer = original
    assert min(noted) > 0.01
    assert noted[-1] >= spent(tmp_path)


def test_what_a_killed_run_spent_counts_before_its_first_row(run, server, tmp_path):
    """There may be no line yet, but a checkpoint that says what is gone."""
    (tmp_path / "t.yml").write_text("max_tokens: 10\n", encoding="utf-8")
    (tmp_path / "s.duckdb").write_text("no database")
    run("--max-usd", "9")
    checkpoint = tmp_path / ".answers.jsonl.checkpoint.json"
    noted = json.loads(checkpoint.read_text(encoding="utf-8")) | {"spent_usd": 8.99}
    checkpoint.write_text(json.dumps(noted), encoding="utf-8")
    part_path(tmp_path / "answers.jsonl").write_bytes(b"")
    n_calls = len(server.seen)
    code, _, err = run("--max-usd", "9", "--resume")
    assert (code, len(server.seen)) == (1, n_calls)
    assert "higher --max-usd" in err


def test_fields_that_the_client_does_not_know_are_sent(run, server, tmp_path):
    """`extra` is for the server, whatever the client thinks of it."""
    (tmp_path / "t.yml").write_text("max_tokens: 10\nextra: {top_k: 5}\n", encoding="utf-8")
    assert json.loads(run()[1])["n_answered"] == 4
    assert {body["top_k"] for body in server.bodies} == {5}


@pytest.mark.parametrize("name", ["model", "n", "max_tokens", "max_completion_tokens"])
def test_extra_gets_past_no_price_and_no_limit(run, server, tmp_path, name):
    """These fields are said elsewhere."""
    (tmp_path / "t.yml").write_text(f"max_tokens: 10\nextra: {{{name}: 5}}\n", encoding="utf-8")
    code, _, err = run("--max-usd", "1")
    assert (code, server.seen) == (1, [])
    assert f"extra: found '{name}'" in err


def test_a_picture_has_no_known_price(run, server, tmp_path):
    """A cap needs chats of text alone; without one they are sent."""
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}
    chat = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    (tmp_path / "in.jsonl").write_text(json.dumps({"prompt": chat}) + "\n", encoding="utf-8")
    route_file("in.jsonl", "routed.jsonl", decide)
    code, _, err = run("--max-usd", "1")
    assert (code, server.seen) == (2, [])
    assert "row 1: --max-usd needs chats of text alone" in err


def test_another_routed_file_is_another_run(tmp_path):
    """However far behind the first bytes they differ."""
    options = RunOptions(caller=None, template=Template(), checks=Checks(), prices={})
    found = set()
    for end in (b"a", b"b"):
        (tmp_path / "x").write_bytes(b" " * (1 << 21) + end)
        found.add(_run_id(tmp_path / "x", options))
    assert len(found) == 2
