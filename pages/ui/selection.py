"""A lasso or box on the map, applied to every prompt and not only to those drawn."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from pages.ui import access, map_reads, reads, review, run_reads, shown
from pages.ui import format as text
from pipeline.atlas import inside_polygon
from pipeline.csv_text import csv_text, guard_cell
from pipeline.flows import curation
from pipeline.store import Store
from profiles.tables import PROMPTS

MOST_LISTED = 200
_LONGEST_CELL = 2_000
_MOST_ALIKE = 20


def polygons(event: Mapping[str, object]) -> list[NDArray[np.float64]]:
    """Return the outlines drawn on a chart, each of shape (n_corners, 2)."""
    drawn = event.get("selection")
    if not isinstance(drawn, Mapping):
        return []
    lassos = [np.column_stack([shape["x"], shape["y"]]) for shape in drawn.get("lasso") or ()]
    boxes = [_box(shape["x"], shape["y"]) for shape in drawn.get("box") or ()]
    return [corners.astype(np.float64) for corners in (*lassos, *boxes)]


def inside(points: pl.DataFrame, event: Mapping[str, object]) -> pl.DataFrame:
    """Return the prompts inside any outline."""
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    chosen = np.zeros(points.height, dtype=np.bool_)
    for corners in polygons(event):
        chosen |= inside_polygon(x, y, corners)
    return points.filter(pl.Series(chosen))


def among(points: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return the points of what a search has found, in its order and with its columns."""
    return found.join(points, on="prompt_id", maintain_order="left")


def show(chosen: pl.DataFrame) -> None:
    """List the selected prompts, and offer what can be done with them."""
    rows = with_texts(chosen)
    st.write(f"{text.counted(chosen.height, 'prompt')} selected, {text.count(rows.height)} listed.")
    shown.table(rows.drop("prompt_id"), alt="Selected prompts")
    store = reads.store()  # a download is made without a session, which alone knows what is picked
    st.download_button(
        "Download all selected as CSV",
        data=lambda: as_csv(store, chosen),
        file_name="selected-prompts.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        help="Cells that a spreadsheet would run as a formula get an apostrophe in front.",
    )
    propose(chosen)
    alike(rows)


def propose(chosen: pl.DataFrame) -> None:
    """Let a domain be made of the prompts that are selected."""
    if not access.may_decide():
        return
    with st.expander(f"Make a domain of these {text.counted(chosen.height, 'prompt')}"):
        actor = access.choose_actor()
        with st.form("propose", border=False):
            name = st.text_input("Name of the domain")
            reason = st.text_input("Reason (optional)") or None
            made = st.form_submit_button("Approve it", type="primary")
        st.caption("Prompts that another domain has belong to the new one from then on.")
    if made:
        store, ids, run = reads.store(), chosen["prompt_id"].to_list(), run_reads.run()
        review.act(
            f"Approved: {name}",
            lambda: curation.approve_prompts(
                store, ids, name, actor=actor, reason=reason, run_id=run.run_id if run else None
            ),
        )


def alike(rows: pl.DataFrame) -> None:
    """Show the prompts most like one of those listed, wherever they are."""
    options = rows["Prompt"].to_list()
    place = st.selectbox(
        "More like this prompt",
        range(len(options)),
        index=None,
        format_func=lambda number: text.shorten(text.one_line(options[number]), longest=120),
        key="like",
        help="By meaning: the cosine of the vectors that discovery has clustered.",
    )
    if place is None:
        return
    found = map_reads.most_alike(rows["prompt_id"][place], _MOST_ALIKE)
    read = reads.texts(tuple(found["prompt_id"])).with_columns(Likeness=found["cosine"])
    shown.table(
        read.select(Prompt=pl.col("text").str.slice(0, _LONGEST_CELL), Likeness="Likeness"),
        alt="Prompts most alike",
    )


def with_texts(chosen: pl.DataFrame) -> pl.DataFrame:
    """Return the first prompts of a selection with their texts, for a table."""
    listed = chosen.head(MOST_LISTED)
    read = reads.texts(tuple(listed["prompt_id"]))
    likeness = [pl.col("cosine").alias("Likeness")] if "cosine" in listed.columns else []
    return listed.join(read, on="prompt_id", maintain_order="left").select(
        "prompt_id",
        pl.col("text").str.slice(0, _LONGEST_CELL).alias("Prompt"),
        pl.col("domain").alias("Domain"),
        pl.col("cluster").alias("Cluster"),
        *likeness,
    )


def as_csv(store: Store, chosen: pl.DataFrame) -> str:
    """Return a selection with whole texts as CSV that no spreadsheet runs."""
    read = store.read_among(PROMPTS, "prompt_id", chosen["prompt_id"].to_list())
    rows = chosen.join(read, on="prompt_id", maintain_order="left").select(
        "prompt_id", "domain", "cluster", "text"
    )
    return csv_text(
        [
            rows.columns,
            *([guard_cell(cell or text.DASH) for cell in row] for row in rows.iter_rows()),
        ]
    )


def _box(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    return np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])
