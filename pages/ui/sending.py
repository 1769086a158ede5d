"""The form that routes a file: which file, which column, within which limits."""

import json
from pathlib import Path

import polars as pl
import streamlit as st

from pages.ui import format as text
from pages.ui import jobs, mapped, reads, shown
from pipeline.charset import UTF8
from pipeline.mapping import ColumnMapping, write_mapping
from pipeline.preview import Preview, preview
from profiles.errors import PromptshedError
from profiles.tables import PROMPTS

_FORMATS = (".jsonl", ".csv", ".parquet")
_N_SHOWN, _N_SAMPLE = 5, 200
_LONGEST_CELL = 300
_PATH = "route-path"  # the key that `jobs.choose_file` gives its field


def choose() -> Path | None:
    """Let a file be uploaded, named, or made of prompts of the store."""
    st.button(
        "Try it with prompts of this store",
        icon=":material/science:",
        on_click=_sample,
        help=f"Writes {_N_SAMPLE} of them into a file beside the store and names it below.",
    )
    return jobs.choose_file("A file with a prompt in each row", key="route")


def reading(path: Path) -> list[str]:
    """Show how a file begins, and let the column with the prompts be chosen.

    Returns
    -------
    list of str
        Words for `promptshed route`.
    """
    encoding = UTF8
    try:
        encoding = mapped.encoding(path)
        found = preview(path, n_rows=_N_SHOWN, encoding=encoding)
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        column = st.text_input("Column with the prompt")
        return [*_mapping_words(column), *mapped.encoding_words(encoding)]
    chosen = st.selectbox(
        "Column with the prompt",
        found.columns,
        index=found.columns.index(found.prompt) if found.prompt else None,
        placeholder="choose one",
        key=f"column-{path}",
        help="Found by itself where its name tells. All columns are kept in the routed file.",
    )
    shown.table(_first_rows(found), alt="First rows of the file")
    st.caption(
        f"The first {text.counted(len(found.rows), 'row')} of {text.as_markdown(path.name)} "
        f"({text.size(path.stat().st_size)}). The file itself is read by the job alone."
    )
    return [*_mapping_words(chosen), *mapped.encoding_words(encoding)]


def _mapping_words(column: str | None) -> list[str]:
    return ["--mapping", write_mapping(ColumnMapping(prompt=column))] if column else []


def options() -> tuple[str, list[str]]:
    """Let format and limits be chosen; returns the ending of the routed file and the options."""
    sides = st.grid(4, min_column_width=180)
    form = sides.selectbox("Write it as", _FORMATS, help="Parquet cannot be resumed.")
    budget = sides.number_input(
        "Budget, $",
        min_value=0.0,
        value=None,
        step=1.0,
        placeholder="none",
        help="Expected costs of the whole file never exceed it; the job says what one more dollar "
        "would buy. Takes two passes over the file.",
    )
    explore = sides.number_input(
        "Explore, % of rows",
        min_value=0.0,
        max_value=100.0,
        value=0.0,
        step=1.0,
        format="%.1f",
        help="These rows get a model drawn at random among those that keep the limits, so that "
        "later logs can tell what another routing would have been worth.",
    )
    shard = sides.text_input(
        "Part of the file",
        placeholder="all, or 1/4",
        help="2/4 is the second of four parts. The parts one after the other are the whole; part "
        "2 and later have no header in CSV.",
    )
    given = {
        "--budget-usd": None if budget is None else str(budget),
        "--explore": f"{explore:g}%" if explore else None,
        "--shard": shard.strip() or None,
    }
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    return str(form), words


def _first_rows(found: Preview) -> pl.DataFrame:
    rows = [[cell[:_LONGEST_CELL] for cell in row] for row in found.rows]
    return pl.DataFrame(rows, schema=dict.fromkeys(found.columns, pl.String), orient="row")


def _sample() -> None:
    texts = reads.read(PROMPTS).sort("prompt_id")["text"].head(_N_SAMPLE)
    path = jobs.new_file("sample.jsonl")
    lines = (json.dumps({"prompt": prompt}, ensure_ascii=False) + "\n" for prompt in texts)
    path.write_text("".join(lines), encoding="utf-8")
    st.session_state[_PATH] = str(path)
