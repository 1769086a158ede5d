"""What each model does in each domain."""

import streamlit as st

from pages.ui import figures, reads, shell, shown
from pages.ui import format as text
from profiles.grid import profile_grid

st.title("Models")
cells = reads.profile_cells()
shell.require(not cells.is_empty())

measure = st.segmented_control(
    "Show",
    list(figures.MEASURES),
    default="Quality",
    required=True,
    key="measure",
    bind="query-params",
    help="Quality is pulled towards the average where outcomes are few. Difference is against "
    "the reference model, the safe choice of the published table.",
)
table = reads.current_table()
grid = profile_grid(
    cells,
    reads.domains().select("domain_id", "name"),
    reference_model_id=table.reference_model_id if table else None,
)
chosen = figures.MEASURES[measure or "Quality"]
st.plotly_chart(
    figures.heat_map(grid, chosen), alt="Domains by models", key="heat", config=figures.STILL
)
st.caption(
    f"Each cell: {chosen.title}. Hatched: fewer than 30 outcomes. {text.DASH}: unknown. Point at "
    "a cell for its interval, n and the difference to "
    f"{text.as_markdown(str(grid['reference_model_id'][0]))}."
)

st.subheader("All prompts together", help="Every outcome in the store, in a domain or not.")
shown.table(shown.overall(cells), alt="Models over all prompts")
st.caption(f"{text.DASH} is unknown: the imported files did not say.")
