"""Route a file, turn it into batch files for providers, and bring their results back."""

import streamlit as st

from pages.ui import access, batches, jobs, reads, review, routed, run_reads, sending, shell
from pipeline.next_step import Step

ROUTE, EMIT, MERGE = "Route a file", "Batch files", "Results back"

st.title("Batch")
table = reads.current_table()
build = Step(
    text="Build and publish a table first.", commands=("promptshed table build --publish",)
)
shell.require(
    table,
    build if run_reads.progress().n_prompts else None,
    promise="A file goes in, and comes back with a model for every row: as one file, or as batch "
    "files for each provider, whose results come back here.",
)
review.tell_what_was_done()

view = st.segmented_control(
    "View",
    (ROUTE, EMIT, MERGE),
    default=ROUTE,
    required=True,
    key="batch-view",
    bind="query-params",
    label_visibility="collapsed",
)
if view == ROUTE:
    st.caption(
        f"Table {table.table_version if table else ''} decides. The routed file has the same rows "
        "and columns, in the same order, then the model, what is expected of it, and why."
    )
elif view == EMIT:
    st.caption("For each model a set of request files for the provider, and a manifest of all ids.")
else:
    st.caption("Answers beside their rows, tokens and costs as outcomes; what failed can go on.")

if not access.may_decide():
    access.explain()
elif view == EMIT:
    batches.emitting()
elif view == MERGE:
    batches.merging()
else:
    path = sending.choose()
    reading = sending.reading(path) if path else []
    form, limits = sending.options()
    with st.container(horizontal=True):
        dry = st.button("Dry run", disabled=path is None, help="Counts rows and dollars only.")
        route = st.button("Route it", type="primary", disabled=path is None)
    if dry and path:
        jobs.start("Counting", ["route", str(path), *reading, *limits, "--dry-run", "--json"])
    if route and path:
        target = jobs.new_file(path.name.split(".")[0] + form)
        jobs.start("Routing", ["route", str(path), "-o", str(target), *reading, *limits, "--json"])

st.subheader("Jobs", help="They run on when this page or the server is closed.")
if view == ROUTE:
    jobs.panel(("route",), result=routed.show)
else:
    jobs.panel(("batch",), result=batches.show)
