"""Stores that are damaged, and counts."""

import pytest

from pipeline.store import SCHEMA_VERSION, Store
from profiles.errors import StoreError
from profiles.tables import OUTCOMES, PROMPTS, STORED, VECTORS
from tests.conftest import MODELS, N_PROMPTS


def test_a_bad_checksum_is_damage_and_not_a_busy_file(tiny_store, tmp_path):
    """DuckDB's message names a 'block'; that is no lock."""
    path = tmp_path / "flipped.duckdb"
    content = bytearray(tiny_store.path.read_bytes())
    content[4096:13000] = b"\x55" * (13000 - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(path=path, wait_s=0.1).counts()


def test_damage_found_while_reading_names_the_file(tiny_store, tmp_path):
    """A file that opens but lacks its end says so in our words."""
    path = tmp_path / "damaged.duckdb"
    content = bytearray(tiny_store.path.read_bytes())
    content[20_000:] = b"\x55" * (len(content) - 20_000)
    path.write_bytes(content)
    store = Store(path=path, wait_s=0.1)
    with pytest.raises(StoreError, match=r"damaged\.duckdb"):
        _ = [store.read(table) for table in STORED]


def test_counts_name_every_table(tiny_store, tmp_path):
    """One query counts all; a store that is not there has none of anything."""
    counts = tiny_store.counts()
    assert set(counts) == {table.name for table in STORED}
    assert counts["prompts"] == N_PROMPTS
    assert counts["outcomes"] == tiny_store.count(OUTCOMES) == N_PROMPTS * len(MODELS)
    assert set(Store(path=tmp_path / "none").counts().values()) == {0}


def test_the_schema_version_is_told(tiny_store, tmp_path):
    """It is null where there is no store."""
    assert tiny_store.schema_version() == SCHEMA_VERSION
    assert Store(path=tmp_path / "none").schema_version() is None


def test_reading_among_values(tiny_store, tmp_path):
    """Unknown values and none at all are no error."""
    ids = tiny_store.read(PROMPTS)["prompt_id"].head(3).to_list()
    assert tiny_store.read_among(PROMPTS, "prompt_id", [*ids, "x"])["prompt_id"].to_list() == ids
    assert tiny_store.read_among(VECTORS, "prompt_id", []).is_empty()
    assert Store(path=tmp_path / "none").read_among(PROMPTS, "prompt_id", ids).is_empty()
