"""What was found, what it rests on, what is asked, and what to do next."""

import polars as pl
import streamlit as st

from pages.ui import figures, finding, reads, run_reads, shell, shown, welcome
from pages.ui import format as text
from pages.ui.colours import model_colours
from pipeline.expected import THIS_TABLE, expect
from pipeline.next_step import next_step
from pipeline.taxonomy import APPROVED

st.title("Overview")
progress, table, run = run_reads.progress(), reads.current_table(), run_reads.newest()
if progress.n_prompts == 0:
    welcome.greet(progress)
    st.stop()

expectation = None
if table:
    expectation = expect(table.held_out, reference_model_id=table.reference_model_id)
if expectation:
    st.markdown(f"##### {finding.sentence(expectation)}")
    st.caption(finding.footnote(expectation))

with st.grid(4, min_column_width=210):
    if expectation:
        ours = expectation.option(THIS_TABLE)
        shell.card(
            "Expected quality",
            text.quality(ours["quality"]),
            delta=finding.points_delta(ours["advantage"]),
            note="vs best single",
            help_="From 0 to 1, of each prompt by the model it gets. Points are hundredths.",
            link=("pages/models.py", "Quality by domain"),
        )
        shell.card(
            "Expected $ per 1,000",
            text.dollars_per_1000(ours["cost_usd"]),
            delta=finding.cost_delta(ours["cost_ratio"]),
            note="vs best single",
            help_="Mean cost of 1,000 training prompts, each routed without its own outcome.",
            link=("pages/policy.py", "The routing table"),
            less_is_better=True,
        )
    shell.card(
        "Prompts",
        text.count(progress.n_prompts),
        note=finding.unclustered(run),
        help_="Different prompts in the store. Unclustered ones belong to no dense group.",
        link=("pages/prompt_map.py", "The map"),
    )
    shell.card(
        "Clusters waiting",
        text.count(progress.n_waiting),
        note=f"{text.counted(progress.n_domains, 'domain')} approved",
        help_="Groups of the newest run that no one has approved or rejected yet.",
        link=("pages/inbox.py", "The inbox"),
    )

if not expectation and reads.present().is_single:
    st.markdown(finding.present(reads.present()))

st.subheader("Next step")
shell.show_step(next_step(progress))

domains = reads.domains().filter(pl.col("status") == APPROVED)
charts = st.grid(2, min_column_width=400, gap="medium")
if not domains.is_empty():
    with charts.cell():
        st.subheader("What is asked", help="Approved domains, and the prompts each was made of.")
        bars = figures.domain_bars(domains)
        st.plotly_chart(bars, alt="Prompts in each domain", config=figures.STILL)
if expectation:
    with charts.cell():
        st.subheader("Quality and cost", help="This table beside each model used for everything.")
        colours = model_colours(reads.model_ids())
        chart = figures.frontier(expectation, colours)
        st.plotly_chart(chart, alt="Expected quality and cost", config=figures.STILL)
        shown.table(
            shown.scorecard(expectation, reads.present()), alt="This table beside each single model"
        )
        st.caption(
            f"Points are against {text.as_markdown(expectation.reference_model_id)} for "
            "everything; the interval holds the true difference with 95 % probability. "
            + finding.present(reads.present())
        )
        st.page_link(
            "pages/regret.py", label="What is lost, and why", icon=":material/trending_down:"
        )
