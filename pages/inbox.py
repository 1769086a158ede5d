"""Decide on a run's clusters: each becomes a domain, joins one, or is rejected."""

import polars as pl
import streamlit as st

from pages.ui import access, curated, jobs, reads, review, run_reads, shell, shown
from pages.ui import format as text
from pipeline.taxonomy import APPROVED

st.title("Review inbox")
waiting = run_reads.waiting()
shell.require(
    run_reads.run(),
    promise="Groups of prompts wait here until a person has named, joined or rejected them. Only "
    "what is approved counts for routing.",
)
review.tell_what_was_done()
domains, matches = reads.domains().filter(status=APPROVED), run_reads.matches()
kept = matches.drop_nulls("domain_id").group_by("domain_id").agg(pl.col("fate").first())
n_found = kept.filter(pl.col("fate").is_in(["survived", "split", "merged"])).height
this_run = shell.this_run()
shown_first = review.ordered(waiting, run_reads.row_values())
if shown_first.is_empty():
    st.success(
        f"Nothing waits: every cluster of {this_run} is a domain, was rejected or is snoozed. "
        f"It matched {n_found} of {text.counted(kept.height, 'domain')}."
    )
    st.page_link("pages/domains.py", label="The domains", icon=":material/category:")
else:
    st.caption(
        f"{text.counted(shown_first.height, 'cluster')} of {this_run}, first those whose own "
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
    st.subheader(f"What {this_run} has made of the domains")
    st.write(f"It matched {n_found} of {text.counted(kept.height, 'domain')}.")
    shown.table(curated.fates(matches, domains), alt="Fate of each domain")
