import json

import pytest

from pipeline.store import Store
from profiles.tables import IMPORTS, ROUTING_TABLES, RUNS
from tests.support import MODELS, run_command, skip_umap, story, use_fake_encoder


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the demo on the story in place of the package's files."""
    use_fake_encoder(monkeypatch)
    skip_umap(monkeypatch)
    examples = tmp_path / "package" / "data" / "examples"
    examples.mkdir(parents=True)
    learned = {p.text for p in story(25)}
    write(examples / "val.jsonl", story(25))
    write(examples / "test_holdout.jsonl", [p for p in story(40) if p.text not in learned])
    monkeypatch.setattr("pipeline.flows.demo._package_folder", lambda: tmp_path / "package")
    monkeypatch.setattr("pipeline.flows.demo._N_LEFT_IN_INBOX", 0)

    def run(*arguments):
        return run_command(capsys, "demo", "--store", tmp_path / "demo.duckdb", *arguments)

    return run


def write(path, prompts):
    rows = [
        {
            "prompt": p.text,
            "source": p.topic,
            "arms": {m: {"reward": p.quality[m], "cost": cost} for m, cost in MODELS.items()},
        }
        for p in prompts
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_the_demo_runs_the_whole_loop(run, tmp_path):
    """Six steps are told, the score is printed, the routed file and the app are named."""
    code, out, err = run()
    assert code == 0
    assert [f"{k}/6" in err for k in range(1, 7)] == [True] * 6
    assert "our table, 98 % quality" in out
    assert "promptshed app --store" in err
    routed = (tmp_path / "demo" / "routed.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(routed) == 45
    assert set(MODELS) >= {json.loads(line)["model"] for line in routed}


def test_the_demo_may_be_run_again(run, tmp_path):
    """The second time nothing is added and the score is the same."""
    code, first, _ = run("--json")
    assert code == 0
    store = Store(path=tmp_path / "demo.duckdb")
    before = [store.count(table) for table in (IMPORTS, RUNS, ROUTING_TABLES)]
    code, second, _ = run("--json")
    assert (code, second) == (0, first)
    assert [store.count(table) for table in (IMPORTS, RUNS, ROUTING_TABLES)] == before


def test_without_its_data_the_demo_says_what_to_install(capsys, tmp_path, monkeypatch):
    """The data come with an optional dependency."""
    use_fake_encoder(monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    code, out, err = run_command(capsys, "demo", "--store", tmp_path / "demo.duckdb")
    assert (code, out) == (1, "")
    assert "pip install 'promptshed[demo]'" in err
