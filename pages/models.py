"""What each model does in each domain, two models beside each other, and other prices."""

import polars as pl
import streamlit as st

from pages.ui import compare, figures, prices, reads, shell, shown, subject
from pages.ui import format as text
from profiles.grid import profile_grid, with_regret

st.title("Models")
cells = reads.profile_cells()
shell.require(
    not cells.is_empty(),
    promise="What each model does in each domain: quality, cost and how sure that is; two models "
    "beside each other; and other prices.",
)
table = reads.current_table()
study = reads.study(table.table_version) if table else None

can_look_back = table is not None and reads.can_look_back(table.table_version)
is_known = {"latency_p50_s": cells["latency_p50_s"].count() > 0, "regret": can_look_back}
controls = st.grid(2, min_column_width=400)
measure = controls.segmented_control(
    "Show",
    [name for name, measure in figures.MEASURES.items() if is_known.get(measure.column, True)],
    default="Quality",
    required=True,
    key="measure",
    bind="query-params",
    help="Quality is pulled towards the average where outcomes are few. Difference is against "
    "the reference model, the safe choice of the published table. Regret is what is lost against "
    "the best model of each prompt, known where every candidate's quality is.",
)
everyone = cells["model_id"].unique().sort().to_list()
wanted = controls.multiselect(
    "Models", everyone, placeholder="all models", key="models-shown", persist_state="session"
)
grid = profile_grid(
    cells,
    reads.domains().select("domain_id", "name"),
    reference_model_id=table.reference_model_id if table else None,
).filter(pl.col("model_id").is_in(wanted or everyone))
chosen = figures.MEASURES[measure or "Quality"]
if measure == "Regret" and table is not None:
    hindsight = reads.hindsight(table.table_version)
    grid = grid if hindsight is None else with_regret(grid, hindsight.models)
event = st.plotly_chart(
    figures.heat_map(grid, chosen),
    alt="Domains by models",
    key="heat",
    config=figures.STILL,
    on_select="rerun",
    selection_mode="points",
)
subject.open_clicked(event, grid["element"].unique(maintain_order=True).to_list())
st.caption(
    f"Each cell: {chosen.title}. Hatched: fewer than 30 outcomes. {text.DASH}: unknown. Point at "
    "a cell for its interval, n and the difference to "
    f"{text.as_markdown(str(grid['reference_model_id'][0]))}; a click opens its domain."
)

everything, pair, what_if = st.tabs(
    ["All prompts together", "Two models", "Other prices"], on_change="rerun", key="models-tab"
)
if everything.open:
    with everything:
        shown.table(shown.overall(cells), alt="Models over all prompts")
        st.caption(f"{text.DASH} is unknown: the imported files did not say.")
if pair.open:
    with pair:
        compare.show(study)
if what_if.open:
    with what_if:
        prices.show(study, table.table_version if table else None)
