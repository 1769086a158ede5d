import json
import shutil

import pytest

from pipeline.flows.curation import domains_from_labels
from pipeline.ingest import read_file
from pipeline.store import Store
from tests.support import run_command, story, story_csv, use_fake_encoder

OWN = """source_url: our contract
checked_on: 2026-11-01
models:
  - model_id: large
    prices:
      - {price_in_usd_per_mtok: 20, price_out_usd_per_mtok: 0}
      - {since: 2026-12-01, price_in_usd_per_mtok: 0.5, price_out_usd_per_mtok: 0}
"""
BEFORE, AFTER = ("--reprice", "--on", "2026-11-30"), ("--reprice", "--on", "2026-12-01")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Return a store whose every call used 1,000 tokens: what `large` cost, $0.02, is $20 a M."""
    folder = tmp_path_factory.mktemp("imported")
    head, *rows = story_csv(story(20)).splitlines()
    lines = [f"{head},n_tokens_in,n_tokens_out", *(f"{row},1000,0" for row in rows)]
    (folder / "in.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(folder / "in.csv").tables())
    domains_from_labels(store, actor="ana")
    return store.path


@pytest.fixture
def run(imported, tmp_path, capsys, monkeypatch):
    use_fake_encoder(monkeypatch)
    path = shutil.copy(imported, tmp_path / "store.duckdb")
    (tmp_path / "store.models.yml").write_text(OWN)
    return lambda *arguments: run_command(capsys, *arguments, "--store", path)


def test_a_new_price_makes_a_new_table(run):
    """Where `large` becomes the cheapest it answers everything; no call was made again."""
    options = ("table", "build", "--router", "table", "--quality-value-usd", "0.02")
    code, first, said = run(*options, *BEFORE)
    assert code == 0
    assert "60 of 180 outcomes have tokens and a price of 2026-11-30" in said
    _, second, _ = run(*options, *AFTER)
    _, again, _ = run(*options, *AFTER)
    assert (first.strip(), second.strip(), again.strip()) == ("1", "2", "2")

    def choices(version):
        shown = json.loads(run("table", "show", "--version", version, "--json")[1])
        first_of = [entry for entry in shown["entries"] if entry["rank"] == 1]
        return shown["policy"]["priced_on"], {entry["model_id"] for entry in first_of}

    assert choices(2) == ("2026-12-01", {"large"})
    day, models = choices(1)
    assert day == "2026-11-30"
    assert "small" in models


def test_an_evaluation_is_at_the_prices_asked_for(run):
    """At the old list price it is as recorded; at the new one the best model costs a 40th."""

    def best(*options):
        code, out, _ = run(
            "evaluate", "--seeds", 1, "--routers", "domain_table", "--json", *options
        )
        assert code == 0
        return json.loads(out)["best_single"]["cost_usd"]

    recorded = best()
    assert best(*BEFORE) == pytest.approx(recorded)
    assert best(*AFTER) == pytest.approx(recorded / 40)


def test_a_held_out_file_is_at_the_prices_asked_for(run, tmp_path):
    """The outcomes of the file are priced as those of the store."""
    assert run("table", "build", "--router", "table", "--publish", *AFTER)[0] == 0
    head, *rows = story_csv(story(30)).splitlines()
    fresh = tmp_path / "fresh.csv"
    lines = [f"{head},n_tokens_in,n_tokens_out", *(f"{row},1000,0" for row in rows)]
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def cost_of_best(*options):
        code, out, _ = run("evaluate", "--holdout", fresh, "--json", *options)
        assert code == 0
        return next(s for s in json.loads(out)["choices"] if s["name"] == "best single")["cost_usd"]

    assert cost_of_best() == pytest.approx(0.02)
    assert cost_of_best(*AFTER) == pytest.approx(0.0005)


def test_a_cascade_is_replayed_at_the_prices_asked_for(run):
    """A dear last model that became cheap is no longer worth sparing."""

    def ratio(*options):
        code, out, _ = run("cascade", "small,large", "--json", *options)
        assert code == 0
        return json.loads(out)["checks"][0]["cost_ratio"]["mean"]

    assert ratio(*BEFORE) == pytest.approx(ratio())
    assert ratio(*BEFORE) < 1 < ratio(*AFTER)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("table", "build", "--on", "2026-12-01"), "--on names the day of the prices"),
        (("evaluate", "--onboard", "small", "--reprice"), "--onboard is about quality alone"),
        (("evaluate", "--logged", "--reprice"), "--logged is about quality alone"),
        (("profile", "--compare", "small", "large", "--reprice"), "--compare is about quality"),
    ],
)
def test_prices_that_would_change_nothing_are_refused(run, arguments, said):
    """No option is passed over without a word."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
