"""The domains a person approved, the clusters that wait, and all that is known of one."""

import streamlit as st

from pages.ui import (
    curated,
    editing,
    jobs,
    reads,
    review,
    run_reads,
    shell,
    shown,
    subject,
    taxonomy,
)
from pages.ui import format as text
from profiles.tables import CLUSTERS

ONE, NAMES, CHANGES, FILES = "Look at one", "Rename many", "Changes", "Export & import"

st.title("Domains")
domains, waiting = reads.domains(), run_reads.waiting()
shell.require(
    domains.height + waiting.height,
    promise="What your users ask, as domains that a person has approved: their prompts, what each "
    "model does in them, and every decision about them.",
)

st.caption(
    f"{text.counted(domains.height, 'domain')}, approved by a person and keeping their ids for "
    f"ever; {text.counted(waiting.height, 'cluster')} of {shell.this_run()} waiting in the inbox."
)
review.tell_what_was_done()
with st.container(horizontal=True, vertical_alignment="center"):
    view = st.segmented_control(
        "View",
        (ONE, NAMES, CHANGES, FILES),
        default=ONE,
        required=True,
        key="domains-view",
        bind="query-params",
        label_visibility="collapsed",
    )
    review.offer_undo()
if view == NAMES:
    editing.many()
elif view == CHANGES:
    taxonomy.compare()
elif view == FILES:
    taxonomy.exchange()
if view != ONE:
    st.stop()

chosen = subject.choose(curated.catalogue(domains, waiting, reads.choices(), reads.read(CLUSTERS)))
found = subject.load(chosen)
st.subheader(text.as_markdown(found.name))
st.text(found.facts)
if found.phrases:
    st.caption("Phrases that set it apart from its neighbours")
    st.text(" · ".join(found.phrases))
editing.one(chosen)

st.markdown("##### What each model does here")
if found.cells.is_empty():
    st.write("No outcomes of these prompts are profiled yet. Run `promptshed profile`.")
else:
    shown.table(shown.models(found.cells), alt="Quality and cost of each model")
    st.caption(
        "n counts outcomes of the prompts that routing puts here while it has not seen them, so it "
        "can differ from the number of prompts that were approved."
        + shown.what_is_unknown(found.cells)
    )

typical, border, history = st.tabs(["Typical prompts", "Border prompts", "History"])
with typical:
    shell.prompts(found.typical)
with border:
    st.caption("The members least like the rest: does the name still fit?")
    shell.prompts(found.border)
with history:
    if found.events.is_empty():
        st.write("Nothing was decided yet.")
    else:
        shown.table(curated.events(found.events), alt="What was decided")
jobs.panel(("domains",), most=1, heading="Splitting")
