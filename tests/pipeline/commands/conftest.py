import json
import shutil

import pytest

from pipeline.batch import route_file
from pipeline.ingest import read_file
from pipeline.store import Store
from tests.pipeline.test_batch import decide
from tests.scripted_server import MODELS_FILE, PROMPTS, scripted_server
from tests.support import run_command, skip_umap, story, story_csv, story_store, use_fake_encoder


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Return the path of a store with three topics of twenty prompts, and no domain yet."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "in.csv").write_text(story_csv(story(20)), encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(folder / "in.csv").tables())
    return store.path


@pytest.fixture
def run(imported, tmp_path, capsys, monkeypatch):
    """Return a function that runs a command on a copy of that store."""
    use_fake_encoder(monkeypatch)
    skip_umap(monkeypatch)
    path = shutil.copy(imported, tmp_path / "store.duckdb")
    return lambda *arguments: run_command(capsys, *arguments, "--store", path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the path of a store of the story with a published table."""
    return story_store(tmp_path_factory.mktemp("built"), n_per_topic=20).path


@pytest.fixture
def run_built(built, tmp_path, capsys, monkeypatch):
    """Return a function that runs a command on a copy of that store, in an empty folder."""
    use_fake_encoder(monkeypatch)
    path = shutil.copy(built, tmp_path / "store.duckdb")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_command(capsys, *arguments, "--store", path)


@pytest.fixture
def prompts(tmp_path):
    """Three learned prompts, one of each topic, in a CSV file."""
    lines = [f"{p.topic},{p.text}" for p in story(20)[::20]]
    path = tmp_path / "prompts.csv"
    path.write_text("\n".join(["id,prompt", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def server():
    with scripted_server() as found:
        yield found


@pytest.fixture
def run_routed(server, tmp_path, capsys, monkeypatch):
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
