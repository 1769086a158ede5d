import json
import shutil

import pytest

from pipeline.store import Store
from profiles.tables import PROFILES
from tests.support import MODELS, TOPICS, run_command, story_store, use_fake_encoder

OWN = """source_url: our contract
checked_on: 2026-11-01
models:
  - model_id: large
    prices:
      - {price_in_usd_per_mtok: 10, price_out_usd_per_mtok: 0}
      - {since: 2026-12-01, price_in_usd_per_mtok: 20, price_out_usd_per_mtok: 0}
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("imported"), n_per_topic=20, publish=False).path


@pytest.fixture
def path(imported, tmp_path):
    return shutil.copy(imported, tmp_path / "store.duckdb")


@pytest.fixture
def run(path, tmp_path, capsys, monkeypatch):
    use_fake_encoder(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return run_command(capsys, *arguments, "--store", path)

    return run


def test_profile_shows_every_model_and_domain(run):
    """A line for each model in each topic, with its n."""
    code, out, err = run("profile", "--show")
    assert code == 0
    for name in (*MODELS, *TOPICS, "all prompts"):
        assert name in out
    assert "3 models in" in err


def test_compare_two_models(run, path):
    """Paired on the prompts of each topic that the assigner keeps; nothing is stored."""
    code, out, _ = run("profile", "--compare", "large", "small", "--json")
    found = json.loads(out)
    assert (code, found["model"], found["other"]) == (0, "large", "small")
    by_name = {row["name"]: row for row in found["elements"]}
    assert 18 <= by_name["python"]["n"] <= 20
    assert by_name["all prompts"]["n"] == 60
    assert by_name["python"]["difference"] > 0 > by_name["kitchen"]["difference"]
    assert Store(path=path).count(PROFILES) == 0
    _, out, err = run("profile", "--compare", "large", "small")
    assert "points" in out
    assert "large is better" in err


def test_compare_names_unknown_models(run):
    """The error lists those that are known."""
    code, _, err = run("profile", "--compare", "large", "huge")
    assert code == 2
    assert "no model 'huge'. Known: large, medium, small" in err


def story_with_tokens(run, tmp_path):
    """Import outcomes of `large` with tokens: 1,000 in, so $0.01 at $10 a million."""
    source = tmp_path / "tokens.csv"
    source.write_text(
        "prompt,model,quality,n_tokens_in,n_tokens_out\nPlease add,large,1,1000,100\n"
    )
    assert run("import", source)[0] == 0


def test_a_new_price_reprices_the_profile(run, path, tmp_path):
    """The profile of a later day has the later price; without --reprice, what was recorded."""
    story_with_tokens(run, tmp_path)
    (tmp_path / "store.models.yml").write_text(OWN)

    def cost_of_large(*options):
        code, out, err = run("profile", "--json", *options)
        assert code == 0
        cells = [c for c in json.loads(out) if c["element"] == "all" and c["model_id"] == "large"]
        return cells[0]["cost_usd"], cells[0]["n_cost"], err

    assert cost_of_large()[:2] == (pytest.approx(0.02), 60)
    before = cost_of_large("--reprice", "--on", "2026-11-30")
    after = cost_of_large("--reprice", "--on", "2026-12-01")
    assert before[:2] == (pytest.approx((60 * 0.02 + 0.01) / 61), 61)
    assert after[:2] == (pytest.approx((60 * 0.02 + 0.02) / 61), 61)
    assert "1 of 181 outcomes have tokens and a price of 2026-12-01" in after[2]
    assert Store(path=path).count(PROFILES) == 3


def test_prices_show_where_they_come_from(run, tmp_path):
    """One line for each model of the store; an unknown price is unknown."""
    story_with_tokens(run, tmp_path)
    (tmp_path / "store.models.yml").write_text(OWN)
    code, out, _ = run("prices", "--json", "--on", "2026-11-30")
    rows = {row["model_id"]: row for row in json.loads(out)}
    assert code == 0
    assert set(rows) == set(MODELS)
    assert rows["large"]["price_in_usd_per_mtok"] == 10.0
    assert rows["large"]["source_url"] == "our contract"
    assert (rows["large"]["n"], rows["large"]["n_cost"], rows["large"]["n_tokens"]) == (61, 60, 1)
    assert rows["small"]["price_in_usd_per_mtok"] is None
    assert "store.models.yml" in run("prices")[2]


def test_a_wrong_models_file_is_named(run, tmp_path):
    """The file can be given by name, and its error says where it is wrong."""
    own = tmp_path / "mine.yml"
    own.write_text("models: [{model_id: a, price: 1}]")
    code, _, err = run("prices", "--models-file", own)
    assert code == 1
    assert "mine.yml: models[1]: expected one of the keys" in err


def test_filling_needs_models_that_the_package_knows(run, path, tmp_path):
    """What was found and where it was written is said."""
    pytest.importorskip("genai_prices")
    code, _, err = run("prices", "--fill")
    assert code == 0
    assert "0 of 3 missing prices added" in err
    assert not (tmp_path / "store.models.yml").exists()


def test_prices_of_an_empty_store(run, tmp_path, capsys):
    """No store yet: no lines, no error."""
    code, out, _ = run_command(capsys, "prices", "--json", "--store", tmp_path / "none.duckdb")
    assert (code, json.loads(out)) == (0, [])
