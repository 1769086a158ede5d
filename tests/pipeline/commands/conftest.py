import shutil

import pytest

from pipeline.ingest import read_file
from pipeline.store import Store
from tests.support import run_command, skip_umap, story, story_csv, use_fake_encoder


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
