"""Bring data in, start the long steps, and see how they go."""

import streamlit as st

from pages.ui import format as text
from pages.ui import jobs, reads, review, shell, shown
from pipeline.next_step import next_step
from pipeline.scale import SCALES
from profiles.tables import IMPORTS, RUNS

st.title("Data & runs")
review.tell_what_was_done()
progress = reads.progress()
if progress.n_prompts == 0:
    shell.show_step(next_step(progress))

st.subheader("Import", help="Prompts with models, qualities and costs, long or wide; see README.")
path = jobs.choose_file("CSV, JSON Lines or Parquet, also .gz and .zst", key="import")
left, right = st.columns(2)
mapping = left.text_input("Mapping (found by itself where it can)", placeholder="prompt=question")
scale = right.selectbox("Quality scale", SCALES)
options = [*(["--mapping", mapping] if mapping else []), "--quality-scale", scale or SCALES[0]]
check, bring_in = st.columns(2)
if check.button("Check the file", disabled=path is None, width="stretch"):
    jobs.start("Checking the file", ["import", str(path), *options, "--dry-run"])
if bring_in.button("Import it", type="primary", disabled=path is None, width="stretch"):
    jobs.start("Importing", ["import", str(path), *options])

st.subheader("Discover, profile, build", help="The same verbs as on the command line.")
has_prompts = progress.n_prompts > 0
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

st.subheader("Jobs", help="They run on when this page or the server is closed.")
jobs.panel(("import", "discover", "profile", "table", "evaluate"))

imports, runs = reads.read(IMPORTS), reads.read(RUNS)
if not imports.is_empty():
    st.subheader("Imported files")
    shown.table(shown.imports(imports), alt="Imported files")
if not runs.is_empty():
    st.subheader("Discoveries", help="Asking for the same one again takes no time.")
    shown.table(shown.runs(runs), alt="Discoveries")
    newest = runs.sort("asked_at").row(-1, named=True)
    st.caption(f"What the newest one tried, of {text.count(newest['n_prompts'])} prompts")
    shown.table(shown.sweep(newest["sweep"]), alt="Granularities that were tried")
