from datetime import date
from pathlib import Path

import pytest

from pipeline.models_file import fill_prices, load_catalog, models_path
from profiles.catalog import prices_on
from profiles.errors import InputFileError, UsageError

DAY = date(2026, 11, 23)
OWN = """source_url: our contract
checked_on: 2026-11-01
models:
  - model_id: gpt-4o
    certifications: [medical]
    prices:
      - {price_in_usd_per_mtok: 1, price_out_usd_per_mtok: 2}
"""


def price_of(catalog, model_id):
    row = prices_on(catalog.prices, DAY).filter(model_id=model_id)
    return row.select("price_in_usd_per_mtok", "price_out_usd_per_mtok").row(0)


def test_shipped_models_have_a_source_a_date_and_a_price(tmp_path):
    """Every shipped file is valid; no price is of a day to come without one of today."""
    catalog = load_catalog(tmp_path / "none.yml")
    assert catalog.models.height > 30
    assert catalog.models["source_url"].str.starts_with("https://").all()
    assert set(prices_on(catalog.prices, DAY)["model_id"]) == set(catalog.models["model_id"])


def test_the_file_beside_the_store_overrides(tmp_path):
    """Its price counts, its certification is kept, and our context window stays."""
    own = models_path(tmp_path / "team.duckdb")
    assert own == tmp_path / "team.models.yml"
    own.write_text(OWN)
    catalog = load_catalog(own)
    assert price_of(catalog, "gpt-4o") == (1.0, 2.0)
    row = catalog.models.filter(model_id="gpt-4o").row(0, named=True)
    assert (row["certifications"], row["context_tokens"]) == (["medical"], 128_000)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    """The error names the file."""
    own = tmp_path / "own.yml"
    own.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputFileError, match=r"own\.yml: expected a UTF-8 text"):
        load_catalog(own)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    """The error says what to install."""
    monkeypatch.setattr("pipeline.models_file.util.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'promptshed\[prices\]'"):
        fill_prices(tmp_path / "own.yml", ["gpt-4"], today=DAY)


class TestFilling:
    @pytest.fixture(autouse=True)
    def package(self):
        pytest.importorskip("genai_prices")

    def test_missing_prices_are_added_and_what_is_there_stays(self, tmp_path):
        """The file grows by dated entries that say which model of the package was meant."""
        own = tmp_path / "own.yml"
        own.write_text(OWN)
        found = fill_prices(own, ["command-r-plus", "no such model", "openai/gpt-4o"], today=DAY)
        assert set(found) == {"command-r-plus", "openai/gpt-4o"}
        assert found["command-r-plus"].startswith("cohere: ")
        assert own.read_text().startswith(OWN)
        catalog = load_catalog(own)
        assert price_of(catalog, "gpt-4o") == (1.0, 2.0)
        assert min(price_of(catalog, "command-r-plus")) > 0
        assert "genai-prices" in catalog.models.filter(model_id="command-r-plus")["source_url"][0]

    def test_a_new_file_is_made(self, tmp_path):
        """Filling twice adds nothing the second time, because nothing is missing."""
        own = tmp_path / "own.yml"
        fill_prices(own, ["command-r-plus"], today=DAY)
        assert load_catalog(own).models.filter(model_id="command-r-plus").height == 1

    def test_nothing_found_writes_nothing(self, tmp_path):
        """Unknown models and prices that depend on the hour leave no file."""
        own = tmp_path / "own.yml"
        assert fill_prices(own, ["mine", "deepseek-reasoner"], today=DAY) == {}
        assert not own.exists()

    def test_a_file_that_cannot_grow_stays_as_it_is(self, tmp_path):
        """Where `models` does not stand at the end, the error says so."""
        own = tmp_path / "own.yml"
        own.write_text("models: []\n")
        with pytest.raises(InputFileError, match="added at the end of `models`"):
            fill_prices(own, ["command-r-plus"], today=DAY)
        assert own.read_text() == "models: []\n"
        assert [path.name for path in Path(tmp_path).iterdir()] == ["own.yml"]
