"""`promptshed run`: what it may spend, and how it goes on after it was stopped."""

import json
import time

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
from tests.scripted_server import PROMPTS, Scripted, answers

pytest.importorskip("openai")


@pytest.fixture
def run(run_routed):
    return run_routed


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


def test_an_answer_that_was_paid_is_in_the_file_before_the_next_rows_are_asked(
    run, server, tmp_path, monkeypatch
):
    """So that kill -9 loses the rows under way, and no other."""
    n_written = []

    def answer(self, what, model):
        n_written.append(len(part_path(tmp_path / "answers.jsonl").read_bytes().splitlines()))
        original(self, what, model)

    original = Scripted.answer
    monkeypatch.setattr(Scripted, "answer", answer)
    run("--at-once", "1")
    assert len(n_written) == 4
    assert n_written[-1] >= 3


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
