"""Forms that bring files in and start the long steps, by the command line's own verbs."""

import streamlit as st

from pages.ui import jobs
from pipeline.scale import SCALES


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
    options = [*(["--mapping", mapping] if mapping else []), "--quality-scale", scale or SCALES[0]]
    check, bring_in = st.columns(2)
    if check.button("Check the file", disabled=path is None, width="stretch"):
        jobs.start("Checking the file", ["import", str(path), *options, "--dry-run"])
    if bring_in.button("Import it", type="primary", disabled=path is None, width="stretch"):
        jobs.start("Importing", ["import", str(path), *options])


def long_steps(*, has_prompts: bool) -> None:
    """Let prompts be clustered, models be profiled and a table be built."""
    st.subheader("Discover, profile, build", help="The same verbs as on the command line.")
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
