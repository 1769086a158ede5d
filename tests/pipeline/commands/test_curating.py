import contextlib
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from pipeline import store as store_module
from pipeline.flows.curation import rename_domain
from pipeline.store import Store
from profiles.errors import StoreError
from profiles.tables import DOMAIN_EVENTS
from tests.support import run_command, use_fake_encoder


def ids(out):
    return [row["domain_id"] for row in json.loads(out)["domains"]]


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


def test_a_cluster_of_an_earlier_run_can_be_meant(run):
    """--run says whose number it is: by it a cluster is shown, approved and rejected."""
    run("discover")
    earlier = json.loads(run("domains", "list", "--json")[1])["waiting"]
    run("discover", "--min-cluster-size", 18, "--seed", 5)
    newest = json.loads(run("domains", "list", "--json")[1])["waiting"]
    first = earlier[0]["run_id"]
    assert newest[0]["run_id"] != first
    listed = json.loads(run("domains", "list", "--run", first, "--json")[1])["waiting"]
    assert listed == earlier
    shown = json.loads(run("domains", "show", "0", "--run", first, "--json")[1])
    assert shown["run_id"] == first
    domain_id = run("domains", "approve", "0", "--run", first)[1].strip()
    assert run("domains", "approve", "1", "--into", domain_id, "--run", first)[0] == 0
    assert run("domains", "reject", "2", "--run", first)[0] == 0
    events = json.loads(run("domains", "history", "--json")[1])
    assert [event["verb"] for event in events] == ["approve", "link", "reject"]
    assert [event["cluster_id"] for event in events] == [0, 1, 2]
    decided = json.loads(run("domains", "list", "--run", first, "--json")[1])
    assert decided["waiting"] == []
    assert decided["domains"][0]["run_id"] == first


def test_a_run_that_is_not_there_is_told(run):
    """Its id, those that are there, and that a domain is of no run."""
    run("discover")
    known = json.loads(run("domains", "list", "--json")[1])["waiting"][0]["run_id"]
    code, _, err = run("domains", "approve", "0", "--run", "run-no")
    assert code == 2
    assert f"There is no run 'run-no'. The newest runs: {known}." in err
    code, _, err = run("domains", "show", "some-domain", "--run", known)
    assert code == 2
    assert "--run goes with the number of a cluster." in err


def test_labels_become_domains(run):
    """Three labels are three domains; with more prompts asked for there is none."""
    assert "0 domains" in run("domains", "from-labels", "--min-prompts", 21)[2]
    code, out, err = run("domains", "from-labels")
    assert (code, out) == (0, "")
    assert "3 domains made of labels" in err


def now(run):
    """Return the names of the approved domains with their number of prompts."""
    found = json.loads(run("domains", "list", "--json")[1])
    return {
        row["name"]: row["n_prompts"] for row in found["domains"] if row["status"] == "approved"
    }


def verbs(run):
    return [row["verb"] for row in json.loads(run("domains", "history", "--json")[1])]


DIES = """
import os, signal, sys
from pipeline import store
from pipeline.__main__ import main
from profiles.tables import DOMAIN_EVENTS

insert = store._insert

def dies(connection, table, frame, verb):
    if table is not DOMAIN_EVENTS:
        return insert(connection, table, frame, verb)
    insert(connection, table, frame.head(1), verb)
    os.kill(os.getpid(), signal.SIGKILL)

store._insert = dies
main(sys.argv[1:])
"""


def killed_between_two_events(path, *arguments):
    """Run a command in a process that kills itself after the first event it writes."""
    command = [sys.executable, "-c", DIES, *map(str, arguments), "--store", str(path)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode


def test_the_whole_story_of_a_taxonomy(run, tmp_path):
    """Approve, rename, reject, merge, split, retire, restore, undo and a crash; ids stay."""
    run("discover")
    python = run("domains", "approve", "0", "--name", "python")[1].strip()
    kitchen = run("domains", "approve", "1", "--name", "kitchen", "--by", "bo")[1].strip()
    run("domains", "reject", "2", "--reason", "mixed")
    assert now(run) == {"python": 20, "kitchen": 20}

    merge = ("domains", "merge", "python", "kitchen", "--name", "all")
    path, before = tmp_path / "store.duckdb", verbs(run)
    assert killed_between_two_events(path, *merge) == -signal.SIGKILL
    assert (verbs(run), now(run)) == (before, {"python": 20, "kitchen": 20})
    assert run(*merge)[1].strip() == python
    assert verbs(run) == [*before, "merge", "merge"]
    assert now(run) == {"all": 40}
    found = run("domains", "split", "all")[1].split()
    assert (found[0], len(found)) == (python, 2)
    assert sorted(now(run).values()) == [20, 20]
    assert python in ids(run("domains", "list", "--json")[1])

    code, out, err = run("domains", "undo", "--reason", "too fine")
    assert (code, out) == (0, "")
    assert "does not count any more" in err
    assert now(run) == {"all": 40}
    run("domains", "undo")
    assert now(run) == {"python": 20, "kitchen": 20}
    last = len(verbs(run))
    run("domains", "undo", last)  # the merge counts again
    assert now(run) == {"all": 40}

    exported = tmp_path / "taxonomy.yml"
    assert run("domains", "export", "-o", exported)[:2] == (0, "")
    assert run("domains", "export")[1] == exported.read_text(encoding="utf-8")
    changed = json.loads(run("domains", "diff", 2, "--json")[1])
    assert {row["domain_id"]: row["n_prompts_in"] for row in changed} == {python: 20, kitchen: 0}

    run("domains", "retire", "all")
    assert now(run) == {}
    run("domains", "restore", "all")
    run("domains", "rename", "all", "both", "--by", "bo")
    run("domains", "retire", "both")
    code, _, err = run("domains", "import", exported)  # someone decided since
    assert (code, now(run)) == (2, {})
    assert "retire by " in err
    assert "1 domains made or changed" in run("domains", "import", exported, "--overwrite")[2]
    assert now(run) == {"all": 40}
    waiting = json.loads(run("domains", "list", "--json")[1])["waiting"]
    assert waiting == []  # the rejected cluster does not come back


def test_chosen_prompts_become_a_domain(run, tmp_path):
    """A file of ids, one a line; the rest keeps the old id."""
    run("discover")
    old = run("domains", "approve", "0", "--name", "old")[1].strip()
    content = yaml.safe_load(run("domains", "export")[1])
    (tmp_path / "chosen.txt").write_text("\n".join(content["domains"][0]["prompt_ids"][:5]))
    chosen = ("--prompts", tmp_path / "chosen.txt")
    code, out, _ = run("domains", "split", "old", *chosen, "--name", "new")
    assert (code, out.split()[0]) == (0, old)
    assert now(run) == {"old": 15, "new": 5}


def test_a_domain_is_split_into_the_clusters_below_it(run):
    """What was merged comes apart; one level further down there is nothing."""
    run("discover")
    first, second, _ = run("domains", "approve", "--all")[1].split()
    before = now(run)
    run("domains", "merge", first, second, "--name", "both")
    code, out, _ = run("domains", "split", "both", "--one-level-down")
    kept, new = out.split()
    assert (code, kept) == (0, first)
    assert new not in (first, second)
    assert sorted(now(run).values()) == sorted(before.values())
    code, out, err = run("domains", "split", "both", "--one-level-down")
    assert (code, out) == (2, "")
    assert "clusters, 1 mostly lie in domain" in err


def test_a_domain_of_one_kind_is_not_split(run):
    """Its prompts form no two groups, and the message says what else there is."""
    run("discover")
    run("domains", "approve", "0", "--name", "one")
    code, out, err = run("domains", "split", "one", "--min-cluster-size", 15)
    assert (code, out) == (2, "")
    assert "form no two groups" in err
    assert "--prompts" in err


def test_an_interrupt_between_two_events_leaves_neither(run, monkeypatch):
    """A decision of two events is there as a whole or not at all, and can be taken again."""
    run("discover")
    run("domains", "approve", "--all")
    first, second, _ = sorted(now(run))
    before = verbs(run)
    insert = store_module._insert

    def dies(connection, table, frame, verb):
        if table is DOMAIN_EVENTS:
            insert(connection, table, frame.head(1), verb)
            raise KeyboardInterrupt
        return insert(connection, table, frame, verb)

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_insert", dies)
        assert run("domains", "merge", first, second)[0] == 130
    assert verbs(run) == before
    assert len(now(run)) == 3
    assert run("domains", "merge", first, second)[0] == 0
    assert now(run)[first] == 40


def test_two_people_at_once_lose_nothing(run, tmp_path):
    """Each decision is either kept or refused with a word; none overwrites another."""
    run("discover")
    domain_id = run("domains", "approve", "0")[1].strip()
    store = Store(path=tmp_path / "store.duckdb")

    def rename(person):
        kept = []
        for number in range(8):
            with contextlib.suppress(StoreError):  # someone else was faster
                rename_domain(store, domain_id, f"{person} {number}", actor=person)
                kept.append(f"{person} {number}")
        return kept

    with ThreadPoolExecutor(max_workers=2) as pool:
        kept = [name for names in pool.map(rename, ["ana", "bo"]) for name in names]
    events = store.read(DOMAIN_EVENTS).filter(verb="rename")
    assert sorted(events["name"]) == sorted(kept)
    assert kept


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
        (["domains", "merge", "nowhere"], 2, "promptshed domains list"),
        (["domains", "split", "nowhere", "--name", "x"], 2, "go together"),
        (["domains", "split", "nowhere"], 2, "promptshed domains list"),
        (["domains", "split", "nowhere", "--one-level-down"], 2, "promptshed domains list"),
        (["domains", "split", "a", "--one-level-down", "--min-cluster-size", 5], 2, "goes without"),
        (["domains", "undo"], 2, "no decision to take back"),
        (["domains", "undo", "7"], 2, "no event 7"),
        (["domains", "diff", "7"], 2, "promptshed domains history"),
        (["domains", "import", "nowhere.yml"], 2, "nowhere.yml"),
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
        0, '{\n  "domains": [],\n  "waiting": [],\n  "matches": []\n}\n',
    )  # fmt: skip
    code, out, err = run_command(capsys, "domains", "approve", "--all", *store)
    assert (code, out) == (1, "")
    assert "promptshed discover" in err
    assert "domains: []" in run_command(capsys, "domains", "export", *store)[1]
    assert not (tmp_path / "none.duckdb").exists()


def test_a_cluster_is_given_to_a_domain(run):
    """`approve --into` makes no new domain; options that contradict it are refused."""
    run("discover")
    domain_id = run("domains", "approve", "0")[1].strip()
    code, out, _ = run("domains", "approve", "1", "--into", domain_id, "--by", "ana")
    assert (code, out.strip()) == (0, domain_id)
    code, _, err = run("domains", "approve", "1", "--into", domain_id)
    assert code == 2
    assert "approved already" in err
    assert run("domains", "approve", "--all", "--into", domain_id)[0] == 2
