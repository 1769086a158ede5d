"""Forms that bring files in and start the long steps, by the command line's own verbs."""

from pathlib import Path

import polars as pl
import streamlit as st

from pages.ui import charts, figures, jobs, run_reads, shown
from pages.ui import format as text
from pipeline.mapping import describe, detect_mapping, parse_mapping
from pipeline.preview import preview
from pipeline.scale import SCALES
from profiles.errors import PromptshedError

_N_SHOWN, _LONGEST_CELL = 5, 300


def importing() -> None:
    """Let a file be chosen, checked and imported."""
    st.subheader(
        "Import", help="Prompts with models, qualities and costs, long or wide; see README."
    )
    path = jobs.choose_file("CSV, JSON Lines or Parquet, also .gz and .zst", key="import")
    left, right = st.columns(2)
    mapping = left.text_input(
        "Mapping (found by itself where it can)", placeholder="prompt=question"
    )
    scale = right.selectbox("Quality scale", SCALES)
    if path is not None:
        _look_into(path, mapping)
    options = [*(["--mapping", mapping] if mapping else []), "--quality-scale", scale or SCALES[0]]
    check, bring_in = st.columns(2)
    if check.button("Check the file", disabled=path is None, width="stretch"):
        jobs.start("Checking the file", ["import", str(path), *options, "--dry-run"])
    if bring_in.button("Import it", type="primary", disabled=path is None, width="stretch"):
        jobs.start("Importing", ["import", str(path), *options])


def _look_into(path: Path, mapping: str) -> None:
    """Show how a file begins and how its columns are read, before anything is started."""
    try:
        found = preview(path, n_rows=_N_SHOWN)
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        return
    rows = [dict(zip(found.columns, row, strict=False)) for row in found.rows]
    shown.table(
        pl.DataFrame(
            [[cell[:_LONGEST_CELL] for cell in row] for row in found.rows],
            schema=dict.fromkeys(found.columns, pl.String),
            orient="row",
        ),
        alt="The first rows of the file",
    )
    try:
        given = parse_mapping(mapping) if mapping else None
        read = describe(detect_mapping(found.columns, rows, given=given))
    except PromptshedError as error:
        st.warning(
            f"Not a plain table: {text.as_markdown(str(error))} If it is the log of a known tool, "
            "“Check the file” recognises it."
        )
        return
    st.caption("Read as: " + text.as_markdown(" · ".join(read)))


def long_steps(*, has_prompts: bool) -> None:
    """Let prompts be clustered, models be profiled and a table be built."""
    st.subheader("Discover, profile, build", help="The same verbs as on the command line.")
    trials = run_reads.sweep()
    if trials is not None:
        tried = shown.sweep(trials)
        st.plotly_chart(
            charts.sweep(tried), alt="Granularities that discovery tried", config=figures.STILL
        )
        with st.expander("Granularities as a table"):
            shown.table(tried, alt="Granularities that were tried")
    size = st.number_input(
        "Least prompts in a cluster (empty: chosen by a sweep)", min_value=2, value=None, step=1
    )
    discover, profile, build = st.columns(3)
    if discover.button("Discover clusters", disabled=not has_prompts, width="stretch"):
        given = ["--min-cluster-size", str(size)] if size else []
        jobs.start("Discovering", ["discover", *given])
    if profile.button("Profile models", disabled=not has_prompts, width="stretch"):
        jobs.start("Profiling", ["profile"])
    if build.button("Build a draft table", disabled=not has_prompts, width="stretch"):
        jobs.start("Building", ["table", "build"])
