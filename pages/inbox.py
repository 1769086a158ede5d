"""Decide on the newest run's clusters: each becomes a domain, joins one, or is rejected."""

import polars as pl
import streamlit as st

from pages.ui import access, curated, jobs, reads, review, shell, shown
from pages.ui import format as text
from pipeline.taxonomy import APPROVED

st.title("Review inbox")
waiting = reads.waiting()
shell.require(
    reads.run(),
    promise="Groups of prompts wait here until a person has named, joined or rejected them. Only "
    "what is approved counts for routing.",
)
review.tell_what_was_done()
domains, matches = reads.domains().filter(status=APPROVED), reads.matches()
kept = matches.drop_nulls("domain_id").group_by("domain_id").agg(pl.col("fate").first())
n_found = kept.filter(pl.col("fate").is_in(["survived", "split", "merged"])).height
shown_first = review.ordered(waiting, reads.row_values())
if shown_first.is_empty():
    st.success(
        "Nothing waits: every cluster of the newest run is a domain, was rejected or is snoozed. "
        f"The newest run matched {n_found} of {text.counted(kept.height, 'domain')}."
    )
    st.page_link("pages/domains.py", label="The domains", icon=":material/category:")
else:
    st.caption(
        f"{text.counted(shown_first.height, 'cluster')} of the newest run, first those whose own "
        "row in the routing table would gain most, then the largest. A domain keeps its id for "
        "ever; a rejected cluster does not come back. Enter approves.",
        help="The gain is cross-fitted: the best model of one half of the prompts is scored on the "
        "other half, against what the published table chooses now. The published table itself "
        "stays as it is until a new one is built and published.",
    )
if access.may_decide():
    access.choose_actor()
    review.last_decision()
else:
    access.explain()

names = dict(domains.select("domain_id", "name").iter_rows())
for cluster in shown_first.head(review.MOST_CARDS).iter_rows(named=True):
    about = matches.filter(cluster_id=cluster["cluster_id"])
    review.card(cluster, names, review.fate(about, names))
if shown_first.height > review.MOST_CARDS:
    st.caption(f"{shown_first.height - review.MOST_CARDS} smaller ones follow as you decide.")
jobs.panel(("domains",), most=1, heading="Splitting")

if not kept.is_empty():
    st.subheader("What the newest run has made of the domains")
    st.write(f"It matched {n_found} of {text.counted(kept.height, 'domain')}.")
    shown.table(curated.fates(matches, domains), alt="Fate of each domain")
