import json
import shutil

import pytest

from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.tables import DOMAIN_EVENTS
from tests.support import run_command, skip_umap, story, story_csv, use_fake_encoder


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    (folder / "in.csv").write_text(story_csv(story(20)), encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(folder / "in.csv").tables())
    return store.path


@pytest.fixture
def run(imported, tmp_path, capsys, monkeypatch):
    use_fake_encoder(monkeypatch)
    skip_umap(monkeypatch)
    path = shutil.copy(imported, tmp_path / "store.duckdb")

    def run(*arguments):
        return run_command(capsys, *arguments, "--store", path)

    return run


def ids(out):
    return [row["domain_id"] for row in json.loads(out)["domains"]]


def test_discover_prints_the_sweep(run):
    """One line for each size, the chosen one starred; what is next on standard error."""
    code, out, err = run("discover")
    assert code == 0
    assert out.splitlines()[0].split() == [
        "min",
        "size",
        "clusters",
        "unclustered",
        "validity",
        "chosen",
    ]
    assert out.count("*") == 1
    assert "3 clusters of 60 prompts, 0 unclustered. Next: promptshed domains list" in err


def test_discover_prints_json(run):
    """The run with its sweep and clusters, the same the second time."""
    code, out, err = run("discover", "--json", "--min-cluster-size", 5, "--seed", 1)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [cluster["n_prompts"] for cluster in found["clusters"]] == [20, 20, 20]
    assert [trial["min_cluster_size"] for trial in found["sweep"]] == [5]
    assert json.loads(found["config"])["project"]["seed"] == 1
    assert run("discover", "--json", "--min-cluster-size", 5, "--seed", 1)[1] == out


def test_clusters_wait_until_they_are_approved(run):
    """The list shows what waits; approval prints the new ids and nothing waits any more."""
    run("discover")
    code, out, err = run("domains", "list", "--json")
    assert code == 0
    assert len(json.loads(out)["waiting"]) == 3
    code, out, _ = run("domains", "approve", "--all", "--by", "ana")
    assert code == 0
    approved = out.split()
    code, out, err = run("domains", "list", "--json")
    assert sorted(ids(out)) == sorted(approved)
    assert json.loads(out)["waiting"] == []
    code, out, err = run("domains", "list")
    assert all(domain_id in out for domain_id in approved)
    assert "3 domains, 0 clusters waiting." in err


def test_one_cluster_is_shown_approved_and_renamed(run):
    """show, approve --name, show by name, rename, retire, restore, history."""
    run("discover")
    code, out, _ = run("domains", "show", "0", "--json")
    assert (code, json.loads(out)["status"]) == (0, "waiting")
    assert len(json.loads(out)["examples"]) == 5
    domain_id = run("domains", "approve", "0", "--name", "first", "--reason", "clear")[1].strip()
    code, out, _ = run("domains", "show", "first")
    assert code == 0
    assert f"domain_id: {domain_id}" in out
    assert "  - Please help with" in out
    assert run("domains", "rename", "first", "second", "--by", "bo")[1].strip() == domain_id
    assert run("domains", "retire", "second", "--reason", "rare")[1].strip() == domain_id
    assert run("domains", "restore", domain_id)[1].strip() == domain_id
    events = json.loads(run("domains", "history", "--json")[1])
    assert [event["verb"] for event in events] == ["approve", "rename", "retire", "restore"]
    assert events[0]["reason"] == "clear"
    code, out, _ = run("domains", "history")
    assert len(out.splitlines()) == 5


def test_a_cluster_may_be_rejected(run, tmp_path):
    """It is remembered, and does not wait any more."""
    run("discover")
    code, out, err = run("domains", "reject", "1", "--reason", "mixed")
    assert (code, out) == (0, "")
    assert "Cluster 1 is rejected." in err
    assert [
        c["cluster_id"] for c in json.loads(run("domains", "list", "--json")[1])["waiting"]
    ] == [0, 2]
    assert Store(path=tmp_path / "store.duckdb").read(DOMAIN_EVENTS)["verb"].to_list() == ["reject"]


def test_labels_become_domains(run):
    """Three labels are three domains; with more prompts asked for there is none."""
    assert "0 domains" in run("domains", "from-labels", "--min-prompts", 21)[2]
    code, out, err = run("domains", "from-labels")
    assert (code, out) == (0, "")
    assert "3 domains made of labels" in err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["domains", "approve"], 2, "--all"),
        (["domains", "approve", "0", "--all"], 2, "not both"),
        (["domains", "approve", "0", "1", "--name", "x"], 2, "exactly one cluster"),
        (["domains", "approve", "9"], 2, "promptshed domains list"),
        (["domains", "show", "9"], 2, "promptshed domains list"),
        (["domains", "show", "nowhere"], 2, "promptshed domains list"),
        (["domains", "rename", "nowhere", "x"], 2, "promptshed domains list"),
        (["discover", "--min-cluster-size", "1"], 2, "--min-cluster-size"),
    ],
)
def test_errors_name_the_next_step(run, arguments, code, word):
    """Standard output stays empty and the message says what to do."""
    run("discover", "--json")
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert word in err


def test_an_empty_store_is_no_traceback(capsys, tmp_path, monkeypatch):
    """Lists are empty; steps say what comes first."""
    use_fake_encoder(monkeypatch)
    store = ("--store", tmp_path / "none.duckdb")
    assert run_command(capsys, "domains", "list", "--json", *store)[:2] == (
        0, '{\n  "domains": [],\n  "waiting": []\n}\n',
    )  # fmt: skip
    for verb, word in (
        (["discover"], "import FILE"),
        (["domains", "approve", "--all"], "discover"),
    ):
        code, out, err = run_command(capsys, *verb, *store)
        assert (code, out) == (1, "")
        assert f"promptshed {word}" in err
    assert not (tmp_path / "none.duckdb").exists()
