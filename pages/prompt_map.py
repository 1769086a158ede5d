"""Every prompt as a point; select some to read them, find them by words, make a domain of them."""

import streamlit as st

from pages.ui import figures, reads, review, selection, shell
from pages.ui import format as text
from pages.ui.colours import NEUTRAL, PALETTE, model_colours
from pipeline.atlas import CONFIDENCE_NAMES, NO_DOMAIN, REGRET_NAMES, UNKNOWN, sample_points

MOST_DRAWN = 30_000
COLUMNS = {
    "Domain": "domain",
    "Cluster": "cluster",
    "Best model": "model",
    "Regret": "regret",
    "Confidence": "confidence",
    "Label": "label",
}
STEPS = ("#56B4E9", "#009E73", "#E69F00", "#D55E00")

st.title("Map")
shell.require(
    reads.run(),
    promise="Every prompt as a point, near those that are alike: to see what is asked, select a "
    "part, read it, and make a domain of it.",
)
review.tell_what_was_done()
points = reads.map_points()
controls = st.grid(2, min_column_width=440)
colour = controls.segmented_control(
    "Colour by",
    [name for name, column in COLUMNS.items() if points[column].ne(UNKNOWN).any()],
    default="Domain",
    required=True,
    key="colour",
    bind="query-params",
    help="Domains are approved by a person; clusters are what the newest run found. Best model is "
    "the published table's first choice for the domain; regret what it lost against the best one; "
    "confidence how sure the assignment is; label what came with the data.",
)
words = controls.text_input(
    "Find prompts with these words", key="words", bind="query-params", placeholder="refund invoice"
)
column = COLUMNS[colour or "Domain"]
colours = {
    "model": model_colours(reads.model_ids()) | {NO_DOMAIN: NEUTRAL},
    "regret": dict(zip(REGRET_NAMES, STEPS, strict=True)),
    "confidence": dict(zip(CONFIDENCE_NAMES, reversed(STEPS), strict=True)),
    "found": {selection.FOUND: PALETTE[5]},
}
found = ()
if words:
    found, column = reads.prompts_with(words), "found"
    points = selection.marked(points, found)
drawn = sample_points(points, MOST_DRAWN)
event = st.plotly_chart(
    figures.prompt_map(drawn, column, colours.get(column)),
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
if words and chosen.is_empty():
    chosen = points.filter(found=selection.FOUND)
if chosen.is_empty():
    st.write("Draw around points with the lasso, or a box, to read their prompts here.")
else:
    selection.show(chosen)
