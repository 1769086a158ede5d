"""What routing lost against the model that turned out best, and why."""

import polars as pl
import streamlit as st

from pages.ui import charts, figures, reads, shell, shown
from pages.ui import format as text
from pipeline.hindsight import PARTS, TOTAL

MOST_LISTED = 50
ANY = "any"

st.title("Regret")
table = reads.current_table()
shell.require(
    table,
    promise="What the published table loses against the model that turned out best for each "
    "prompt, where, and why.",
)
found = reads.hindsight(table.table_version) if table else None
if table is None or found is None:
    st.info(
        "Which model was best is known only where several models answered the same prompt. "
        "Import outcomes of every model for some prompts, then build the table again."
    )
    st.stop()

total = found.parts.filter(part=TOTAL).row(0, named=True)
single = found.baseline.row(0, named=True)
st.markdown(
    f"Table {table.table_version} loses **{total['points']:.1f} points** of quality on a prompt "
    f"(95 % interval {total['points_lo']:.1f} to {total['points_hi']:.1f}) against whichever model "
    f"turned out best; {text.as_markdown(table.reference_model_id)} for everything loses "
    f"{single['points']:.1f} ({single['points_lo']:.1f} to {single['points_hi']:.1f})."
)
st.caption(
    f"n = {text.count(found.n_prompts)} of {text.count(found.n_all)} training prompts: those where "
    "the quality of every model is known, each routed without its own outcome. The best model in "
    "hindsight is also the luckiest one, so no router reaches zero."
)

sides = st.grid(2, min_column_width=400, gap="medium")
with sides.cell():
    st.subheader("Chosen and best", help="Cells add up to the whole loss; the diagonal is right.")
    has_money = any(cell.overspend_usd == cell.overspend_usd for cell in found.cells)
    weight = st.segmented_control(
        "Weigh by",
        ["Quality", "Money"] if has_money else ["Quality"],
        default="Quality",
        required=True,
        key="weight",
        bind="query-params",
        help="Points of quality lost, or dollars per 1,000 prompts beyond the best model's cost.",
    )
    chart = charts.regret_map(found.cells, n_prompts=found.n_prompts, by_money=weight == "Money")
    st.plotly_chart(chart, alt="Regret by chosen and best model", config=figures.STILL)
with sides.cell():
    st.subheader("What it is made of", help="The four parts add up to the whole.")
    parts = found.parts.filter(pl.col("part").is_in(PARTS))
    st.plotly_chart(charts.regret_parts(parts), alt="Parts of regret", config=figures.STILL)
    st.caption(
        "Wrong entry: another model is better in the prompt's domain. Wrong domain: the prompt was "
        "taken for another domain. Refinement: choosing by prompt instead of by domain; negative "
        "is a gain. Beyond any table: the best model differs within the domain."
    )

st.subheader("Where it is lost")
shown.table(shown.regrets(found.domains), alt="Regret by domain")

st.subheader("Worst prompts", help="Largest loss of quality first, then the largest overspend.")
models = sorted({name for cell in found.cells for name in (cell.chosen, cell.best)})
left, right = st.columns(2)
chosen = left.selectbox("Chosen", [ANY, *models], key="regret-chosen")
best = right.selectbox("Best in hindsight", [ANY, *models], key="regret-best")
rows = found.prompts
rows = rows if chosen == ANY else rows.filter(chosen=chosen)
rows = (rows if best == ANY else rows.filter(best=best)).head(MOST_LISTED)
shown.table(shown.worst(rows, reads.texts(tuple(rows["prompt_id"]))), alt="Worst prompts")
