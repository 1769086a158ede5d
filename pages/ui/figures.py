"""Frames to Plotly figures. Colours work on light and dark, and for colour-blind eyes.

Plotly reads some HTML in labels, so every foreign text goes through `format.as_label`, and hovers
are ready-made texts instead of templates. No figure holds the text of a prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import polars as pl

from pages.ui import format as text
from pages.ui.colours import NEUTRAL, PALETTE
from pipeline.expected import THIS_TABLE, Expectation
from pipeline.frontier import upper_hull

STILL = {"displayModeBar": False}
"""Plotly settings of a chart that is not zoomed or selected on."""
ROW_PX = 34
"""Height of a row of bars or cells."""
MOST_BARS = 15
"""Domains that a chart of bars names; all smaller ones are one bar."""
_MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
_LABEL = 44
_N_BETWEEN = 60


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One way to look at a profile: which column, how it is drawn and how it is written."""

    column: str
    title: str
    is_diverging: bool = False
    few: str = "is_few"
    """The column that says where it rests on few outcomes."""


MEASURES: Mapping[str, Measure] = {
    "Quality": Measure(column="quality", title="expected quality, 0 to 1"),
    "Difference": Measure(
        column="difference", title="quality minus the reference model's, points", is_diverging=True
    ),
    "Regret": Measure(
        column="regret",
        title="points lost on average if all of the domain went to this model, against the best "
        "model of each prompt in hindsight",
        few="is_few_regret",
    ),
    "Cost": Measure(column="cost_usd", title="$ per 1,000 prompts"),
    "Latency": Measure(column="latency_p50_s", title="seconds, half of the calls are faster"),
    "n": Measure(column="n", title="outcomes with a known quality"),
}


def domain_bars(domains: pl.DataFrame) -> go.Figure:
    """Draw the sizes of the largest domains (columns name and n_prompts), then all others in one.

    So many names are read at a glance; a long tail of small bars says no more than its sum.
    """
    rows = domains.sort("n_prompts", "name", descending=[True, False])
    rest = rows.slice(MOST_BARS) if rows.height > MOST_BARS + 1 else rows.clear()
    rows = rows.head(rows.height - rest.height)
    names = [text.as_label(name) for name in rows["name"]]
    sizes = rows["n_prompts"].to_list()
    if not rest.is_empty():
        names.append(f"{rest.height} smaller domains")
        sizes.append(int(rest["n_prompts"].sum()))
    names.reverse()
    sizes.reverse()
    figure = go.Figure(
        go.Bar(
            x=sizes,
            y=list(range(len(sizes))),
            orientation="h",
            marker_color=[NEUTRAL] * (not rest.is_empty()) + [PALETTE[0]] * rows.height,
            text=[text.count(n) for n in sizes],
            textposition="outside",
            cliponaxis=False,
            hovertext=names,
            hoverinfo="text",
        )
    )
    figure.update_yaxes(tickvals=list(range(len(sizes))), ticktext=names, showgrid=False)
    figure.update_xaxes(visible=False, rangemode="tozero")
    return finish(figure, height=ROW_PX * max(len(sizes), 1) + 24, right=56)


def frontier(
    expectation: Expectation,
    colours: Mapping[str, str],
    *,
    reached: pl.DataFrame | None = None,
    published: Expectation | None = None,
) -> go.Figure:
    """Draw expected cost and quality of the table and of each single model with both known.

    Parameters
    ----------
    reached
        Columns cost_usd and quality: what this table's router reaches at other prices of quality.
    published
        Another table to draw beside it.
    """
    known = expectation.options.filter(
        pl.col("cost_usd").is_not_null() & pl.col("quality").is_not_null()
    )
    ours_last = known.sort(pl.col("option") == THIS_TABLE, "option")
    figure = go.Figure(_mixes(known.filter(pl.col("model_id").is_not_null())))
    if reached is not None and not reached.is_empty():
        figure.add_trace(_reached(reached))
    if published is not None and published.option(THIS_TABLE)["cost_usd"] is not None:
        row = published.option(THIS_TABLE) | {"option": "published table"}
        figure.add_trace(_marked(row, symbol="star-open", size=17, colour=NEUTRAL))
    figure.add_traces([_option(row, colours) for row in ours_last.iter_rows(named=True)])
    figure.update_xaxes(title="cost, $ per 1,000 prompts (log)", type="log", dtick=1)
    figure.update_yaxes(title="quality", tickformat=".2f")
    figure.update_layout(legend={"orientation": "h", "y": -0.28, "x": 0})
    return finish(figure, height=380, bottom=90)


def _reached(points: pl.DataFrame) -> go.Scatter:
    rows = points.filter(pl.col("cost_usd") > 0).sort("cost_usd", "quality")
    return go.Scatter(
        x=(1000 * rows["cost_usd"]).to_list(),
        y=rows["quality"].to_list(),
        mode="lines",
        line={"color": PALETTE[0], "width": 2},
        name="this policy at other prices of quality",
        hoverinfo="name",
    )


def _mixes(singles: pl.DataFrame) -> list[go.Scatter]:
    """Draw the zero router: what random mixes of single models reach."""
    costs, qualities = singles["cost_usd"].to_numpy(), singles["quality"].to_numpy()
    positive = costs > 0
    if positive.sum() < 2:
        return []
    cost, quality = upper_hull(costs[positive], qualities[positive])
    between = np.union1d(np.geomspace(cost[0], cost[-1], _N_BETWEEN), cost)
    return [
        go.Scatter(
            x=1000 * between,
            y=np.interp(between, cost, quality),
            mode="lines",
            line={"color": NEUTRAL, "width": 1.5, "dash": "dot"},
            name="random mixes of single models",
            hoverinfo="name",
        )
    ]


def _option(row: Mapping[str, object], colours: Mapping[str, str]) -> go.Scatter:
    if row["option"] == THIS_TABLE:
        return _marked(row, symbol="star", size=20, colour=NEUTRAL)
    return _marked(row, symbol="circle", size=13, colour=colours[str(row["option"])])


def _marked(row: Mapping[str, object], *, symbol: str, size: int, colour: str) -> go.Scatter:
    name = text.as_label(str(row["option"]))
    cost, quality = float(str(row["cost_usd"])), float(str(row["quality"]))
    price = text.dollars_per_1000(cost)
    return go.Scatter(
        x=[1000 * cost],
        y=[quality],
        name=name,
        mode="markers",
        marker={
            "size": size,
            "symbol": symbol,
            "color": colour,
            "line": {"width": 1.5, "color": "#FFFFFF" if symbol == "star" else NEUTRAL},
        },
        hovertext=[f"{name}<br>quality {text.quality(quality)}<br>{price} per 1,000 prompts"],
        hoverinfo="text",
    )


def heat_map(grid: pl.DataFrame, measure: Measure) -> go.Figure:
    """Draw domains × models (the output of `profiles.grid.profile_grid`, in its order).

    Cells with few outcomes are hatched; an unknown value has no colour and a dash.
    """
    elements = grid["element"].unique(maintain_order=True).to_list()
    models = grid["model_id"].unique(maintain_order=True).to_list()
    rows = {
        (elements.index(row["element"]), models.index(row["model_id"])): row
        for row in grid.iter_rows(named=True)
    }
    names = dict(grid.select("element", "name").iter_rows())
    values = _matrix(rows, (len(elements), len(models)), measure)
    shown = [
        [written(rows[i, j], measure) for j in range(len(models))] for i in range(len(elements))
    ]
    figure = go.Figure(
        go.Heatmap(
            z=np.log10(values) if measure.column == "cost_usd" else values,
            text=shown,
            texttemplate="%{text}",
            textfont={"size": 13},
            hovertext=[
                [hover(rows[i, j]) for j in range(len(models))] for i in range(len(elements))
            ],
            hoverinfo="text",
            hoverongaps=False,
            showscale=False,
            xgap=2,
            ygap=2,
            **_scale(values, measure),
        )
    )
    _hatch(figure, [place for place, row in rows.items() if row[measure.few]])
    _mark_uncoloured(figure, values, shown)
    figure.add_trace(_targets(rows))
    figure.update_xaxes(
        tickvals=list(range(len(models))),
        ticktext=[text.as_label(name, longest=32) for name in text.short_models(models)],
        side="top",
        range=[-0.5, len(models) - 0.5],
        showgrid=False,
        zeroline=False,
        ticklen=0,
    )
    figure.update_yaxes(
        tickvals=list(range(len(elements))),
        ticktext=[text.as_label(names[element], longest=_LABEL) for element in elements],
        range=[len(elements) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
        ticklen=0,
    )
    figure.update_layout(barmode="overlay", bargap=0)
    return finish(figure, height=ROW_PX * len(elements) + 60, top=36)


def _targets(rows: Mapping[tuple[int, int], Mapping[str, object]]) -> go.Scatter:
    """Lay unseen points over the cells: a heat map itself takes no clicks."""
    return go.Scatter(
        x=[j for _, j in rows],
        y=[i for i, _ in rows],
        mode="markers",
        marker={"symbol": "square", "size": ROW_PX - 4, "opacity": 0},
        unselected={"marker": {"opacity": 0}},
        selected={"marker": {"opacity": 0}},
        hovertext=[hover(row) for row in rows.values()],
        hoverinfo="text",
        showlegend=False,
    )


def written(row: Mapping[str, object], measure: Measure) -> str:
    """Return what a cell says."""
    value = row[measure.column]
    if not isinstance(value, int | float):
        return text.DASH
    return {
        "quality": text.quality,
        "difference": lambda points: text.points(points).removesuffix(" points"),
        "regret": lambda lost: f"{100 * lost:.1f}",
        "cost_usd": text.dollars_per_1000,
        "latency_p50_s": lambda seconds: f"{seconds:.2f} s",
        "n": text.count,
    }[measure.column](value)


def hover(row: Mapping[str, object]) -> str:
    """Return everything that is known of a cell, as lines for a hover."""
    numbers = {key: value if isinstance(value, int | float) else None for key, value in row.items()}
    domain, model, reference = (
        text.as_label(str(row[key])) for key in ("name", "model_id", "reference_model_id")
    )
    interval = text.interval(numbers["quality_lo"], numbers["quality_hi"])
    gain = text.points_interval(numbers["difference_lo"], numbers["difference_hi"])
    price = text.dollars_per_1000(numbers["cost_usd"])
    n, n_cost = text.count(numbers["n"]), text.count(numbers["n_cost"])
    lines = [
        f"{domain} · {model}",
        f"quality {text.quality(numbers['quality'])} (95 %: {interval}), n {n}",
        f"against {reference}: {text.points(numbers['difference'])} (95 %: {gain})",
        f"{price} per 1,000 prompts, n {n_cost}",
    ]
    if numbers.get("regret") is not None:
        lines.append(_regret_line(numbers))
    if row["is_few"]:
        lines.append("few outcomes: leans on the other cells")
    return "<br>".join(lines)


def _regret_line(numbers: Mapping[str, float | None]) -> str:
    lost, lo, hi = (numbers[name] for name in ("regret", "regret_lo", "regret_hi"))
    said = f"{100 * (lost or 0.0):.1f} points"
    interval = text.DASH if lo is None or hi is None else f"{100 * lo:.1f} to {100 * hi:.1f}"
    return f"loses {said} (95 %: {interval}), n {text.count(numbers['n_regret'])}"


def _matrix(
    rows: Mapping[tuple[int, int], Mapping[str, object]], shape: tuple[int, int], measure: Measure
) -> np.ndarray:
    values = np.full(shape, np.nan)
    for place, row in rows.items():
        value = row[measure.column]
        if isinstance(value, int | float) and (value > 0 or measure.column != "cost_usd"):
            values[place] = value
    return values


def _scale(values: np.ndarray, measure: Measure) -> dict[str, object]:
    if not measure.is_diverging:
        return {}
    most = float(np.nanmax(np.abs(values), initial=0.01))
    # the theme's diverging scale, which it keeps for ranges on both sides of 0
    return {"zmin": -most, "zmax": most, "autocolorscale": True}


def _hatch(figure: go.Figure, places: Sequence[tuple[int, int]]) -> None:
    if not places:
        return
    figure.add_trace(
        go.Bar(
            x=[j for _, j in places],
            y=[0.96] * len(places),
            base=[i - 0.48 for i, _ in places],
            width=0.97,
            marker={
                "color": "rgba(0,0,0,0)",
                "line": {"width": 0},
                "pattern": {
                    "shape": "/",
                    "fgcolor": "rgba(128,132,140,0.55)",
                    "bgcolor": "rgba(0,0,0,0)",
                    "size": 8,
                    "solidity": 0.12,
                },
            },
            hoverinfo="skip",
            showlegend=False,
        )
    )


def _mark_uncoloured(figure: go.Figure, values: np.ndarray, shown: Sequence[Sequence[str]]) -> None:
    for i, j in np.argwhere(np.isnan(values)):
        figure.add_annotation(x=int(j), y=int(i), text=shown[i][j], showarrow=False)


def finish(
    figure: go.Figure, *, height: int, right: int = 8, top: int = 8, bottom: int = 8
) -> go.Figure:
    """Give a figure its height and margins, in px; no title, for pages have headings."""
    return figure.update_layout(
        height=height, margin=_MARGIN | {"r": right, "t": top, "b": bottom}, title_text=""
    )
