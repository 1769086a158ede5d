"""What the map reads of the store, cached as in `reads`."""

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from pages.ui import reads, run_reads
from pipeline.flows.encoding import stored_vectors
from pipeline.flows.monitoring import place_prompts
from pipeline.flows.places import known_columns as known_columns_of
from pipeline.flows.places import read_column, read_points
from pipeline.flows.searching import nearest_prompts
from pipeline.flows.warm_encoder import WarmEncoder
from profiles.errors import EncoderError


def prompts_with(words: str) -> pl.Series:
    """Return the ids of prompts that hold all of these words, in any case and order."""
    return _prompts_with(*reads.key(), tuple(words.lower().split()))


def most_alike(prompt_id: str, most: int) -> pl.DataFrame:
    """Return prompt_id and cosine of the prompts most like one, by the run's vectors."""
    return _most_alike(*reads.key(), _encoder_id(), prompt_id, most)


def nearest(words: str, most: int) -> pl.DataFrame:
    """Return prompt_id and cosine of the prompts nearest in meaning to some words, nearest first.

    Raises
    ------
    EncoderError
        If the encoder gives no answer, or the run was made with another one.
    """
    encoder_id, vector = _meaning(" ".join(words.split()))
    wanted = _encoder_id()
    if encoder_id != wanted:
        raise EncoderError(
            f"This run was made with the encoder {wanted}, and the dashboard has {encoder_id}. "
            "Search with `promptshed search WORDS --encoder FOLDER` at a terminal."
        )
    return _nearest(*reads.key(), encoder_id, vector, most)


def warm_up() -> None:
    """Load the encoder while the words are typed."""
    _encoder().warm()


def _encoder_id() -> str:
    looked_at = run_reads.run()
    return looked_at.encoder_id if looked_at else ""


@st.cache_resource(show_spinner=False, on_release=WarmEncoder.close)
def _encoder() -> WarmEncoder:
    return WarmEncoder()


@st.cache_data(max_entries=256, show_spinner="Reading the words")
def _meaning(words: str) -> tuple[str, NDArray[np.float32]]:
    return _encoder().encode(words)


@st.cache_data(max_entries=16, show_spinner="Looking for prompts alike")
def _nearest(
    path: str, modified_ns: int, encoder_id: str, vector: NDArray[np.float32], most: int
) -> pl.DataFrame:
    return nearest_prompts(reads.at(path, modified_ns), encoder_id, vector, most)


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
    here = reads.at(path, modified_ns)
    own = stored_vectors(here, encoder_id, [prompt_id]).get(prompt_id)
    if own is None:
        return pl.DataFrame(schema={"prompt_id": pl.String, "cosine": pl.Float64})
    found = nearest_prompts(here, encoder_id, own, most + 1)
    return found.filter(pl.col("prompt_id") != prompt_id).head(most)


@st.cache_resource(max_entries=2, show_spinner="Reading the map")
def _map_points(path: str, modified_ns: int, run_id: str, version: int) -> pl.DataFrame:
    return read_points(reads.at(path, modified_ns), run_id, version)


@st.cache_data(max_entries=4, show_spinner=False)
def _known_columns(path: str, modified_ns: int) -> tuple[str, ...]:
    return known_columns_of(reads.at(path, modified_ns))
