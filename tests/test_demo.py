"""The demo, as a new user runs it: the real encoder, the real data, the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.store import Store
from profiles.tables import DOMAIN_EVENTS, OUTCOMES, PROMPTS, ROUTING_TABLES

README = Path(__file__).parent.parent / "README.md"
N_LEARNED, N_HELD_OUT, N_IN_INBOX = 1_785, 1_824, 4
pytestmark = [pytest.mark.model, pytest.mark.slow]


def _demo(folder: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "demo", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env=None,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, _demo(folder), _demo(folder)


def test_a_second_run_changes_nothing(demo):
    """Scores, table versions and events are the same after running the demo twice."""
    folder, first, second = demo
    store = Store(path=folder / "data" / "demo.duckdb")
    assert first == second
    assert store.count(PROMPTS) == N_LEARNED
    assert (
        store.read(ROUTING_TABLES)["published_at"].null_count() == store.count(ROUTING_TABLES) - 1
    )
    assert store.read(DOMAIN_EVENTS)["actor"].unique().to_list() == ["demo"]


def test_held_out_prompts_are_never_learned_from(demo):
    """No prompt of the held-out file has an outcome in the store."""
    folder, score, _ = demo
    store = Store(path=folder / "data" / "demo.duckdb")
    assert store.read(OUTCOMES)["prompt_id"].n_unique() == N_LEARNED
    assert (score["n_prompts"], score["n_skipped"]) == (N_HELD_OUT, 0)


def test_the_table_saves_money_at_the_best_models_quality(demo):
    """The published table costs less than the best single model and is no worse, within noise."""
    choices = {row["name"]: row for row in demo[1]["choices"]}
    ours, frugal = choices["our table"], choices["our table, 98 % quality"]
    assert ours["cost_ratio"]["hi"] < 1.0
    assert ours["delta_points"]["hi"] > 0.0
    assert frugal["quality_share"] > 0.97
    assert frugal["cost_ratio"]["hi"] < 0.1
    assert choices["cheapest"]["quality"] < frugal["quality"] < choices["oracle"]["quality"]


def test_every_row_of_the_file_is_routed(demo):
    """The routed file has the input's rows in order, each with a model and a reason."""
    folder = demo[0] / "data" / "demo"
    asked = pl.read_ndjson(folder / "prompts.jsonl")
    routed = pl.read_ndjson(folder / "routed.jsonl")
    assert routed.select("id", "prompt").equals(asked)
    assert (
        routed.select("model", "domain", "fallback", "reason").null_count().sum_horizontal()[0] == 0
    )


def test_four_clusters_are_left_in_the_inbox(demo):
    """The larger clusters are domains; four wait for a person."""
    listed = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline",
            "domains",
            "list",
            "--json",
            "--store",
            "data/demo.duckdb",
        ],
        cwd=demo[0],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(listed.stdout)["waiting"]) == N_IN_INBOX


def test_the_readme_shows_what_the_demo_prints(demo):
    """Each figure of the README's table is the demo's, up to the processor's rounding."""
    block = README.read_text(encoding="utf-8").split("<!-- demo: promptshed demo -->")[1]
    shown = block.split("<!-- end -->")[0]
    for row in demo[1]["choices"]:
        line = re.search(rf"^{re.escape(row['name'])} {{2,}}(.+)$", shown, re.MULTILINE)
        assert line, f"{row['name']} is not in the README's table"
        quality, cost = (float(part) for part in line[1].split()[:2])
        assert quality == pytest.approx(row["quality"], abs=0.004)
        assert cost == pytest.approx(1000 * row["cost_usd"], rel=0.15)
