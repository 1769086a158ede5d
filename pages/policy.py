"""The routing table in use, other policies to try on the same evidence, and publishing one."""

import streamlit as st

from pages.ui import access, drafts, jobs, reads, review, run_reads, shell, tables, trial
from profiles.tables import ROUTING_TABLES

CURRENT, TRY, VERSIONS = "Routing table", "Try a policy", "Versions"

st.title("Policy")
review.tell_what_was_done()
known = reads.read(ROUTING_TABLES).sort("table_version", descending=True)
if known.is_empty() and run_reads.progress().n_domains and run_reads.progress().n_outcomes:
    st.write("The first table keeps the quality of the best single model at the lowest cost.")
    if access.may_decide() and st.button("Build the first table", type="primary"):
        jobs.start("Building", ["table", "build"])
    jobs.panel(("table",))
shell.require(
    not known.is_empty(),
    promise="Which model each domain goes to, what that gains and costs, and what another policy "
    "would do; a draft is published only by a person.",
)

view = st.segmented_control(
    "View",
    (CURRENT, TRY, VERSIONS),
    default=CURRENT,
    required=True,
    key="view",
    bind="query-params",
    label_visibility="collapsed",
)
if drafts.waiting(known) and view != TRY:
    st.info("A draft waits to be published: see “Try a policy”.", icon=":material/draft:")
if view == CURRENT:
    tables.show(known)
elif view == VERSIONS:
    tables.compare(known)
else:
    trial.show(known)
