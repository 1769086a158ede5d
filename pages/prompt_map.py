"""Every prompt as a point; select some to read them."""

import streamlit as st

from pages.ui import figures, reads, selection, shell, shown
from pages.ui import format as text
from pages.ui.colours import NEUTRAL, model_colours
from pipeline.atlas import NO_DOMAIN, sample_points

MOST_DRAWN = 30_000
COLUMNS = {"Domain": "domain", "Cluster": "cluster", "Best model": "model"}

st.title("Map")
shell.require(reads.run())
points = reads.map_points()
colour = st.segmented_control(
    "Colour by",
    list(COLUMNS),
    default="Domain",
    required=True,
    key="colour",
    bind="query-params",
    help="Domains are approved by a person; clusters are what the newest run found. The best "
    "model is the published table's first choice for the prompt's domain.",
)
column = COLUMNS[colour or "Domain"]
drawn = sample_points(points, MOST_DRAWN)
colours = model_colours(reads.model_ids()) | {NO_DOMAIN: NEUTRAL} if column == "model" else None
event = st.plotly_chart(
    figures.prompt_map(drawn, column, colours),
    key="map",
    on_select="rerun",
    selection_mode=("box", "lasso"),
    config={"displaylogo": False, "displayModeBar": True},
    alt="Map of the prompts of the newest run",
)
st.caption(
    f"{text.count(drawn.height)} of {text.count(points.height)} prompts drawn. Near points are "
    "alike; distances between islands mean nothing. Open circles are in no group: they are shown, "
    "not forced into one."
)

st.subheader("Selected prompts")
chosen = selection.inside(points, event)
if chosen.is_empty():
    st.write("Draw around points with the lasso, or a box, to read their prompts here.")
else:
    rows = selection.with_texts(chosen)
    st.write(f"{text.counted(chosen.height, 'prompt')} selected, {text.count(rows.height)} listed.")
    shown.table(rows, alt="Selected prompts")
    st.download_button(
        "Download all selected as CSV",
        data=lambda: selection.as_csv(chosen),
        file_name="selected-prompts.csv",
        mime="text/csv",
        icon=":material/download:",
        help="Cells that a spreadsheet would run as a formula get an apostrophe in front.",
    )
