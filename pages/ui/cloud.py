"""The map as a Plotly figure; rules as in `figures`."""

from collections.abc import Mapping

import plotly.graph_objects as go
import polars as pl

from pages.ui import format as text
from pages.ui.colours import NEUTRAL, PALETTE, SYMBOLS
from pages.ui.figures import finish
from pipeline.atlas import NO_DOMAIN, UNCLUSTERED, UNKNOWN

_MOST_NAMED = len(PALETTE) * len(SYMBOLS)
NOT_FOUND = "other prompts"
"""The group on the map that a search has not found."""
_LEGENDROW_PX, _LEGEND_COLUMNS = 20, 3


def prompt_map(
    points: pl.DataFrame,
    column: str,
    colours: Mapping[str, str] | None,
    *,
    counted: pl.DataFrame | None = None,
) -> go.Figure:
    """Draw prompts as WebGL points, one trace for each group, largest first.

    Parameters
    ----------
    points
        Columns x, y and `column`.
    colours
        Colour of each group, in the order of the legend; None gives them by size, with another
        symbol for each round, and draws all but the `_MOST_NAMED` largest as one.
    counted
        All prompts, for the numbers in the legend, where `points` are a sample of them.
    """
    if colours is None:
        points = _with_smaller_ones(points, column)
    numbers: dict[str, int] = {}
    if counted is not None and column in counted.columns:
        numbers = dict(counted.group_by(column).len().iter_rows())
    sizes = points.group_by(column).len("n").sort(["n", column], descending=[True, False])
    ungrouped = pl.col(column).is_in([UNCLUSTERED, NO_DOMAIN, UNKNOWN, NOT_FOUND])
    groups = sizes.filter(~ungrouped)[column].to_list()
    if colours is not None:
        groups.sort(key=list(colours).index)
    figure = go.Figure()
    for name in sizes.filter(ungrouped)[column]:  # first, so that the groups lie on top
        figure.add_trace(_cloud(points, column, name, NEUTRAL, "circle-open", numbers))
    for place, name in enumerate(groups):
        colour = colours[name] if colours else PALETTE[place % len(PALETTE)]
        symbol = "circle" if colours else SYMBOLS[place // len(PALETTE) % len(SYMBOLS)]
        figure.add_trace(_cloud(points, column, name, colour, symbol, numbers))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(
        dragmode="lasso",
        uirevision="map",
        hoverlabel={"namelength": -1},
        legend={"itemsizing": "constant", "orientation": "h", "y": 0, "yanchor": "top"},
    )
    return finish(figure, height=560 + _LEGENDROW_PX * -(-sizes.height // _LEGEND_COLUMNS))


def _with_smaller_ones(points: pl.DataFrame, column: str) -> pl.DataFrame:
    """Give the smallest groups one name, if there are more than have another look each."""
    ungrouped = pl.col(column).is_in([UNCLUSTERED, NO_DOMAIN, UNKNOWN, NOT_FOUND])
    sizes = points.filter(~ungrouped).group_by(column).len("n")
    if sizes.height <= _MOST_NAMED:
        return points
    small = sizes.sort(["n", column], descending=[True, False])[column][_MOST_NAMED - 1 :]
    name = f"{text.count(len(small))} smaller groups"
    is_small = pl.col(column).is_in(small.implode())
    return points.with_columns(pl.when(is_small).then(pl.lit(name)).otherwise(column).alias(column))


def _cloud(
    points: pl.DataFrame,
    column: str,
    name: str,
    colour: str,
    symbol: str,
    numbers: Mapping[str, int],
) -> go.Scattergl:
    rows = points.filter(pl.col(column) == name)
    n = numbers.get(name, rows.height)
    is_open = symbol.endswith("open")
    return go.Scattergl(
        x=rows["x"].to_numpy(),
        y=rows["y"].to_numpy(),
        mode="markers",
        name=f"{text.as_label(name, longest=36)} ({text.count(n)})",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 5,
            "opacity": 0.6 if is_open else 0.85,
        },
        hoverinfo="name",
        legendrank=2000 if is_open else 1000,
        unselected={"marker": {"opacity": 0.12}},
    )
