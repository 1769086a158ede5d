"""Give every row of a file its model, and hand the routed file back."""

import streamlit as st

from pages.ui import access, jobs, reads, review, shell
from pipeline.next_step import Step

_FORMATS = (".csv", ".jsonl", ".parquet")

st.title("Batch")
table = reads.current_table()
build = Step(
    text="Build and publish a table first.", commands=("promptshed table build --publish",)
)
shell.require(reads.progress().n_prompts)
shell.require(table, build)
review.tell_what_was_done()
if table:
    st.caption(
        f"Table {table.table_version} decides. The routed file has the same rows and columns, in "
        "the same order, then the model, what is expected of it, and why."
    )

if not access.may_decide():
    access.explain()
    jobs.panel(("route",), result=jobs.offer_file)
    st.stop()
path = jobs.choose_file("A file with a prompt in each row", key="route")
left, right = st.columns(2)
form = left.selectbox("Write it as", _FORMATS, index=_FORMATS.index(".jsonl"))
column = right.text_input("Column with the prompt (found by itself where it can)")
budget = st.number_input(
    "Budget for the whole file, $ (empty: what the table asks for)",
    min_value=0.0,
    value=None,
    step=1.0,
    help="Never exceeded by expected costs; the job says what one more dollar would buy.",
)
options = [
    *(["--mapping", f"prompt={column}"] if column else []),
    *(["--budget-usd", str(budget)] if budget is not None else []),
]
try_it, route = st.columns(2)
if try_it.button("Dry run", disabled=path is None, width="stretch"):
    jobs.start("Counting", ["route", str(path), *options, "--dry-run"])
if route.button("Route it", type="primary", disabled=path is None, width="stretch") and path:
    target = jobs.new_file(path.name.split(".")[0] + form)
    jobs.start("Routing", ["route", str(path), "-o", str(target), *options])

st.subheader("Jobs", help="They run on when this page or the server is closed.")
jobs.panel(("route",), result=jobs.offer_file)
