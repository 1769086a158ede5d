"""The search of the map: by the letters of words, or by what they mean."""

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import format as text
from pages.ui import map_reads
from profiles.errors import PromptshedError

WORDS, MEANING = "Words", "Meaning"
MOST_NEAR = 100


def ask(place: DeltaGenerator) -> pl.DataFrame | None:
    """Let words be typed; returns what they find, None without words.

    Returns
    -------
    DataFrame
        Column prompt_id; by meaning nearest first, with the column cosine.
    """
    typed = place.text_input(
        "Find prompts", key="words", bind="query-params", placeholder="refund invoice"
    )
    by = place.segmented_control(
        "By",
        (WORDS, MEANING),
        default=WORDS,
        required=True,
        key="search-by",
        bind="query-params",
        help=f"By words: every prompt that holds all of them. By meaning: the {MOST_NEAR} prompts "
        "whose vectors are nearest to that of the words; the first search loads the encoder, which "
        "takes some seconds.",
    )
    if by == MEANING and not typed:
        map_reads.warm_up()
    if not typed or not typed.strip():
        return None
    if by == WORDS:
        return map_reads.prompts_with(typed).to_frame()
    try:
        return map_reads.nearest(typed, MOST_NEAR)
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        return None
