"""Every prompt as a point; select some to read them, find them by words, make a domain of them."""

import streamlit as st

from pages.ui import cloud, colouring, map_reads, review, run_reads, searching, selection, shell
from pages.ui import format as text
from pipeline.atlas import sample_points

MOST_DRAWN = 30_000

st.title("Map")
shell.require(
    run_reads.run(),
    promise="Every prompt as a point, near those that are alike: to see what is asked, select a "
    "part, read it, and make a domain of it.",
)
review.tell_what_was_done()
points = map_reads.map_points()
controls = st.grid(3, min_column_width=240)
colour = controls.selectbox(
    "Colour by",
    colouring.choices(),
    key="colour",
    bind="query-params",
    help="Domains are approved by a person; clusters are what a discovery found. Best model is "
    "the published table's first choice for the domain; regret what it lost against the best one; "
    "confidence how sure the assignment is; label what came with the data. Numbers are means over "
    "all models that answered, in quarters.",
)
found = searching.ask(controls)
choice = str(colour)
first = colouring.worth_drawing(choice) if found is None else found["prompt_id"]
drawn = sample_points(points, MOST_DRAWN, first=first)
seen = (
    colouring.coloured(drawn, choice)
    if found is None
    else colouring.marked(drawn, found["prompt_id"])
)
event = st.plotly_chart(
    cloud.prompt_map(seen.points, seen.column, seen.colours, counted=points),
    key="map",
    on_select="rerun",
    selection_mode=("box", "lasso"),
    config={"displaylogo": False, "displayModeBar": True},
    alt=f"Map of the prompts of {shell.this_run()}",
)
st.caption(
    f"{text.count(drawn.height)} of {text.count(points.height)} prompts drawn, all counted. Near "
    "points are alike; distances between islands mean nothing. Open circles are in no group: they "
    f"are shown, not forced into one. {seen.note}"
)

st.subheader("Selected prompts")
chosen = selection.inside(points, event)
if found is not None and chosen.is_empty():
    chosen = selection.among(points, found)
if chosen.is_empty():
    st.write("Draw around points with the lasso, or a box, to read their prompts here.")
else:
    selection.show(chosen)
