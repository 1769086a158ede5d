"""Bring data in, start the long steps, and see how they go."""

import streamlit as st

from pages.ui import access, jobs, reads, review, run_reads, shell, shown, start
from pipeline.next_step import next_step
from profiles.tables import IMPORTS, RUNS

MOST_COMPARED = 6

st.title("Data & runs")
review.tell_what_was_done()
progress = run_reads.progress()
if progress.n_prompts == 0:
    shell.show_step(next_step(progress), is_here=True)

if access.may_decide():
    start.importing()
    start.long_steps(has_prompts=progress.n_prompts > 0)
else:
    access.explain()

st.subheader("Jobs", help="They run on when this page or the server is closed.")
jobs.panel(("demo", "import", "discover", "profile", "table", "evaluate"))

imports, runs = reads.read(IMPORTS), reads.read(RUNS)
if not imports.is_empty():
    st.subheader("Imported files")
    shown.table(shown.imports(imports), alt="Imported files")
if not runs.is_empty():
    st.subheader("Discoveries", help="Asking for the same one again takes no time.")
    shown.table(shown.runs(runs, run_reads.moves(MOST_COMPARED)), alt="Discoveries")
