"""Decide on the newest run's clusters: each becomes a domain, or is rejected and remembered."""

import streamlit as st

from pages.ui import format as text
from pages.ui import reads, review, shell

st.title("Review inbox")
waiting = reads.waiting()
shell.require(reads.run())
review.tell_what_was_done()
actor = review.choose_actor()
review.offer_undo(actor)
if waiting.is_empty():
    st.success("Nothing waits: every cluster of the newest run is a domain or was rejected.")
    st.page_link("pages/domains.py", label="The domains", icon=":material/category:")
    st.stop()

st.caption(
    f"{text.counted(waiting.height, 'cluster')} of the newest run, the largest first. A domain "
    "keeps its id for ever; a rejected cluster does not come back. Enter approves."
)
for cluster in waiting.head(review.MOST_CARDS).iter_rows(named=True):
    review.card(cluster, actor)
if waiting.height > review.MOST_CARDS:
    st.caption(f"{waiting.height - review.MOST_CARDS} smaller ones follow as you decide.")
