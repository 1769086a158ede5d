"""Whether the table still fits what is asked: coverage, confidence, drift, spend, age."""

from datetime import timedelta

import polars as pl
import streamlit as st

from pages.ui import access, charts, figures, jobs, monitor, reads, review, shell, shown
from pages.ui import format as text
from pages.ui.colours import model_colours
from pipeline.drift import compare_periods, histogram, judgement

st.title("Drift & coverage")
review.tell_what_was_done()
table = reads.current_table()
shell.require(
    table,
    promise="Whether the published table still fits what is asked: how much is unlike every "
    "domain, what changed since an earlier time, and where the money goes.",
)
if table is None:
    st.stop()
traffic = reads.traffic(table.table_version)
if traffic.placed.is_empty():
    st.info("No prompt has a vector yet. Run `promptshed discover` or `promptshed table build`.")
    st.stop()

monitor.coverage(traffic, table)
if access.may_decide() and st.button(
    "Group all prompts again, the unassigned among them", icon=":material/bubble_chart:"
):
    jobs.start("Discovering", ["discover"])

st.subheader("What changed")
days = monitor.days(traffic.requests)
if len(days) < 2:
    st.info(monitor.why_no_periods(traffic.requests))
else:
    since = st.select_slider(
        "Compare requests since this day with those before it",
        days[1:],
        value=days[-max(1, len(days) // 4)],
        format_func=lambda day: f"{day:%Y-%m-%d}",
        key="since",
        help="The days before are the baseline. Days are UTC.",
    )
    drift = compare_periods(traffic.requests, since)
    if drift is not None:
        st.markdown(
            f"Since {since:%Y-%m-%d} the shares of the domains have seen **{judgement(drift)}**: "
            f"population stability index {drift.index:.3f}, where chance alone gives about "
            f"{drift.by_chance:.3f}."
        )
        st.caption(
            f"n = {text.count(drift.n_now)} requests since {since:%Y-%m-%d}, "
            f"{text.count(drift.n_before)} from {days[0]:%Y-%m-%d} to "
            f"{since - timedelta(days=1):%Y-%m-%d}. Below 0.1 is usually taken for stable, "
            "above 0.25 for another population."
        )
        shown.table(shown.drift(drift.shares), alt="Shares of the domains in both periods")

sides = st.grid(2, min_column_width=400, gap="medium")
with sides.cell():
    st.subheader("Confidence", help="Probability of the likeliest domain, 0 to 1.")
    chart = charts.confidence_bars(histogram(traffic.placed["confidence"]))
    st.plotly_chart(chart, alt="How sure the assignments are", config=figures.STILL)
with sides.cell():
    st.subheader("Where the money went", help="Logged cost by domain and model.")
    spent = traffic.spend.filter(pl.col("cost_usd") > 0)
    if spent.is_empty():
        st.write("No cost was imported.")
    else:
        chart = charts.spend_bars(spent, model_colours(reads.model_ids()))
        st.plotly_chart(chart, alt="Cost by domain and model", config=figures.STILL)
