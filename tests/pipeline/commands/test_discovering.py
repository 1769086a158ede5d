import json
import re

import yaml

from tests.support import run_command, skip_umap, story, story_csv, use_fake_encoder


def test_discover_prints_the_sweep(run):
    """One line for each size, the chosen one starred; what is next on standard error."""
    code, out, err = run("discover")
    assert code == 0
    assert out.splitlines()[0].split() == [
        "min",
        "size",
        "method",
        "clusters",
        "unclustered",
        "validity",
        "stability",
        "routing,",
        "points",
        "chosen",
    ]
    assert re.search(r" [+-]\d+\.\d\d \[[+-]\d+\.\d\d, [+-]\d+\.\d\d\]", out.splitlines()[1])
    assert "within a tenth of the least; it has 0.333, the least is 0.333" in err
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


def test_a_sweep_is_printed_and_not_saved(run):
    """One line for each size and method, with its stability; there is no run yet."""
    code, out, err = run("discover", "--sweep", "--method", "leaf")
    assert code == 0
    assert {line.split()[1] for line in out.splitlines()[1:]} == {"eom", "leaf"}
    assert "Chosen (*)" in err
    assert json.loads(run("discover", "--sweep", "--json")[1])[0]["stability"] is not None
    assert run("domains", "approve", "--all")[0] == 1


def test_a_cluster_has_two_prompts_at_least(run):
    """One is a usage error."""
    code, out, err = run("discover", "--min-cluster-size", "1")
    assert (code, out) == (2, "")
    assert "--min-cluster-size" in err


def test_nothing_to_discover_is_no_traceback(capsys, tmp_path, monkeypatch):
    """The message says what comes first, and no store is made."""
    use_fake_encoder(monkeypatch)
    code, out, err = run_command(capsys, "discover", "--store", tmp_path / "none.duckdb")
    assert (code, out) == (1, "")
    assert "promptshed import FILE" in err
    assert not (tmp_path / "none.duckdb").exists()


def test_any_row_order_gives_the_same_domains(capsys, tmp_path, monkeypatch):
    """From a file to the exported domains: names and prompts are those of the file turned over."""
    use_fake_encoder(monkeypatch)
    skip_umap(monkeypatch)
    found = []
    for name, prompts in (("one", story(12)), ("other", story(12)[::-1])):
        source, store = tmp_path / f"{name}.csv", ("--store", tmp_path / f"{name}.duckdb")
        source.write_text(story_csv(prompts), encoding="utf-8")
        for step in (("import", source), ("discover",), ("domains", "approve", "--all")):
            assert run_command(capsys, *step, *store)[0] == 0
        domains = yaml.safe_load(run_command(capsys, "domains", "export", *store)[1])["domains"]
        found.append(sorted((one["name"], one["prompt_ids"]) for one in domains))
    assert found[0] == found[1]
    assert len(found[0]) == 3


def test_a_language_model_may_name_the_clusters(run, endpoint_server, monkeypatch):
    """It gets exemplars and says so; the phrases stay candidates; asked again, nothing changes."""
    monkeypatch.setenv("PROMPTSHED_API_KEY", "k1")
    endpoint_server.answers = lambda text: (200, text.split()[3].title())
    where = ("--name-endpoint", endpoint_server.url, "--name-model", "tiny")
    before = json.loads(run("discover", "--json")[1])["clusters"]
    code, out, err = run("discover", "--json", *where)
    assert code == 0
    assert f"Sending a few prompts of each cluster to {endpoint_server.url}" in err
    assert "3 clusters have another name now" in err
    after = json.loads(out)["clusters"]
    assert {cluster["name"] for cluster in after} == {"Python", "Kitchen", "Law"}
    assert [c["names"][0] for c in after] == [c["name"] for c in before]
    assert endpoint_server.seen[0][1]["Authorization"] == "Bearer k1"
    assert json.loads(run("discover", "--json", *where)[1])["clusters"] == after


def test_a_model_that_names_needs_an_address(run):
    """One option without the other is a usage error."""
    code, _, err = run("discover", "--name-model", "tiny")
    assert (code, "Naming needs both" in err) == (2, True)


def test_a_dead_endpoint_leaves_the_run(run):
    """The clusters keep their phrases, and the message says what failed."""
    code, _, err = run("discover", "--name-endpoint", "http://127.0.0.1:9", "--name-model", "m")
    assert code == 1
    assert "cannot be reached" in err
    assert len(json.loads(run("domains", "list", "--json")[1])["waiting"]) == 3


def test_what_was_not_clustered_is_told(capsys, tmp_path, monkeypatch):
    """Copies and prompts above the cap, with the share that goes where clustering puts it."""
    use_fake_encoder(monkeypatch)
    skip_umap(monkeypatch)
    source, store = tmp_path / "in.csv", ("--store", tmp_path / "store.duckdb")
    lines = [p.text for p in story(60)] + [f"Where is order {n}?" for n in range(40)]
    source.write_text("prompt\n" + "\n".join(lines), encoding="utf-8")
    run_command(capsys, "import", source, *store)
    err = run_command(capsys, "discover", *store)[2]
    assert "39 near-duplicates went with the prompt they repeat" in err
    err = run_command(capsys, "discover", "--cap", 100, *store)[2]
    assert "120 prompts above the cap went into the clusters of a sample of 100" in err
    assert "go where clustering has put them" in err
