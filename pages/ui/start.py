"""Forms that bring files in and start the long steps, by the command line's own verbs."""

from pathlib import Path

import polars as pl
import streamlit as st

from pages.ui import charts, figures, jobs, mapped, run_reads, shown
from pages.ui import format as text
from pipeline.preview import preview
from pipeline.scale import SCALES
from profiles.errors import PromptshedError

_N_SHOWN, _N_SAMPLE, _LONGEST_CELL = 5, 100, 300


def importing() -> None:
    """Let a file be chosen, checked and imported."""
    st.subheader(
        "Import", help="Prompts with models, qualities and costs, long or wide; see README."
    )
    path = jobs.choose_file("CSV, JSON Lines or Parquet, also .gz and .zst", key="import")
    options = _reading(path) if path else None
    check, bring_in = st.columns(2)
    if check.button("Check the file", disabled=options is None, width="stretch"):
        jobs.start("Checking the file", ["import", str(path), *(options or []), "--dry-run"])
    if bring_in.button("Import it", type="primary", disabled=options is None, width="stretch"):
        jobs.start("Importing", ["import", str(path), *(options or [])])


def _reading(path: Path) -> list[str] | None:
    """Show how a file begins, and let be chosen how it is read; None while that is open."""
    try:
        encoding = mapped.encoding(path)
        found = preview(path, n_rows=_N_SAMPLE, encoding=encoding)
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        return None
    shown.table(
        pl.DataFrame(
            [[cell[:_LONGEST_CELL] for cell in row] for row in found.rows[:_N_SHOWN]],
            schema=dict.fromkeys(found.columns, pl.String),
            orient="row",
        ),
        alt="The first rows of the file",
    )
    options = mapped.options(found, key=str(path))
    scale = st.selectbox(
        "Quality is given as",
        SCALES,
        format_func=_scale,
        key=f"scale-{path}",
        width=260,
        help="Stored as 0 to 1. “Told by the values” is right for 0 to 1, thumbs and pass or fail.",
    )
    if options is None:
        return None
    return [*options, *mapped.encoding_words(encoding), "--quality-scale", str(scale)]


def _scale(name: str) -> str:
    return {"auto": "told by the values", "pass-fail": "pass or fail"}.get(
        name, name.replace("-", " to ")
    )


def long_steps(*, has_prompts: bool) -> None:
    """Let prompts be clustered, models be profiled and a table be built."""
    st.subheader("Discover, profile, build", help="The same verbs as on the command line.")
    sides = st.grid(2, min_column_width=380, gap="medium", vertical_alignment="center")
    trials = run_reads.sweep()
    tried = None if trials is None else shown.sweep(trials)
    if tried is not None:
        with sides.cell():
            st.plotly_chart(
                charts.sweep(tried), alt="Granularities that discovery tried", config=figures.STILL
            )
    with sides.cell():
        size = st.number_input(
            "Least prompts in a cluster",
            min_value=2,
            value=None,
            step=1,
            placeholder="chosen by a sweep",
            help="Fewer make finer clusters. Left empty, a sweep over sizes chooses.",
        )
        if tried is not None:
            with st.expander("Granularities as a table"):
                shown.table(tried, alt="Granularities that were tried")
    discover, profile, build = st.columns(3)
    if discover.button("Discover clusters", disabled=not has_prompts, width="stretch"):
        given = ["--min-cluster-size", str(size)] if size else []
        jobs.start("Discovering", ["discover", *given])
    if profile.button("Profile models", disabled=not has_prompts, width="stretch"):
        jobs.start("Profiling", ["profile"])
    if build.button("Build a draft table", disabled=not has_prompts, width="stretch"):
        jobs.start("Building", ["table", "build"])
