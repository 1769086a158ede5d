"""What the map reads of the store, cached as in `reads`."""

import polars as pl
import streamlit as st

from pages.ui import reads, run_reads
from pipeline.flows.monitoring import place_prompts
from pipeline.flows.places import known_columns as known_columns_of
from pipeline.flows.places import read_column, read_points


def prompts_with(words: str) -> pl.Series:
    """Return the ids of prompts that hold all of these words, in any case and order."""
    return _prompts_with(*reads.key(), tuple(words.lower().split()))


def most_alike(prompt_id: str, most: int) -> pl.DataFrame:
    """Return prompt_id and cosine of the prompts most like one, by the run's vectors."""
    looked_at = run_reads.run()
    encoder_id = looked_at.encoder_id if looked_at else ""
    return _most_alike(*reads.key(), encoder_id, prompt_id, most)


def map_points() -> pl.DataFrame:
    """Return every prompt of the run with its place and groups, sorted by prompt_id."""
    looked_at, published = run_reads.run(), reads.current_table()
    return _map_points(
        *reads.key(),
        looked_at.run_id if looked_at else "",
        published.table_version if published else 0,
    )


def known_columns() -> tuple[str, ...]:
    """Return which of `pipeline.flows.places.COLUMNS` are known of any prompt."""
    return _known_columns(*reads.key())


def column(name: str, prompt_ids: pl.Series) -> pl.DataFrame:
    """Return prompt_id and value of some prompts, as `pipeline.flows.places.read_column`."""
    return read_column(reads.store(), name, prompt_ids.to_list())


def confidences(version: int, prompt_ids: pl.Series) -> pl.DataFrame:
    """Return prompt_id, domain and confidence of some prompts by a table."""
    return place_prompts(reads.store(), version, prompt_ids.to_list())


@st.cache_resource(max_entries=16, show_spinner=False)
def _prompts_with(path: str, modified_ns: int, words: tuple[str, ...]) -> pl.Series:
    found = reads.at(path, modified_ns).query(
        "SELECT prompt_id FROM prompts "
        "WHERE len(list_filter($words, lambda w: NOT contains(lower(text), w))) = 0 "
        "ORDER BY prompt_id",
        {"words": list(words)},
    )
    return found["prompt_id"]


@st.cache_data(max_entries=16, show_spinner="Looking for prompts alike")
def _most_alike(
    path: str, modified_ns: int, encoder_id: str, prompt_id: str, most: int
) -> pl.DataFrame:
    return reads.at(path, modified_ns).query(
        "WITH own AS (SELECT vector AS mine FROM vectors "
        "WHERE prompt_id = $prompt_id AND encoder_id = $encoder_id) "
        "SELECT prompt_id, list_dot_product(vector, mine) AS cosine "
        "FROM vectors SEMI JOIN prompts USING (prompt_id), own "
        "WHERE encoder_id = $encoder_id AND prompt_id <> $prompt_id "
        "ORDER BY cosine DESC, prompt_id LIMIT $most",
        {"prompt_id": prompt_id, "encoder_id": encoder_id, "most": most},
    )


@st.cache_resource(max_entries=2, show_spinner="Reading the map")
def _map_points(path: str, modified_ns: int, run_id: str, version: int) -> pl.DataFrame:
    return read_points(reads.at(path, modified_ns), run_id, version)


@st.cache_data(max_entries=4, show_spinner=False)
def _known_columns(path: str, modified_ns: int) -> tuple[str, ...]:
    return known_columns_of(reads.at(path, modified_ns))
