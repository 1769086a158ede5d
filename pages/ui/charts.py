"""Figures about what routing lost, how sure it is and what was spent; rules as in `figures`."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import polars as pl

from pages.ui import format as text
from pages.ui.colours import NEUTRAL, PALETTE
from pages.ui.figures import MOST_BARS, ROW_PX, finish
from pipeline.regret import RegretCell
from profiles.grid import UNASSIGNED_NAME
from profiles.profile import UNASSIGNED


def regret_map(cells: Sequence[RegretCell], *, n_prompts: int, by_money: bool) -> go.Figure:
    """Draw chosen × best model: what each pair lost on all prompts, or spent too much.

    Parameters
    ----------
    n_prompts
        Prompts that the losses are shared among, so that the cells add up to the whole.
    """
    models = sorted({name for cell in cells for name in (cell.chosen, cell.best)})
    places = {(models.index(cell.chosen), models.index(cell.best)): cell for cell in cells}
    values = np.full((len(models), len(models)), np.nan)
    for place, cell in places.items():
        each = 1000 * cell.overspend_usd if by_money else 100 * cell.regret
        values[place] = each * cell.n / n_prompts
    shown = [[_loss(value, by_money=by_money) for value in row] for row in values]
    hovers = [
        [_pair(places.get((i, j)), n_prompts) for j in range(len(models))]
        for i in range(len(models))
    ]
    figure = go.Figure(
        go.Heatmap(
            z=np.maximum(values, 0.0),
            text=shown,
            texttemplate="%{text}",
            textfont={"size": 13},
            hovertext=hovers,
            hoverinfo="text",
            hoverongaps=False,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    names = [text.as_label(name, longest=32) for name in text.short_models(models)]
    figure.update_xaxes(
        title="best in hindsight",
        tickvals=list(range(len(models))),
        ticktext=names,
        side="top",
        showgrid=False,
        ticklen=0,
    )
    figure.update_yaxes(
        title="chosen",
        tickvals=list(range(len(models))),
        ticktext=names,
        range=[len(models) - 0.5, -0.5],
        showgrid=False,
        ticklen=0,
    )
    return finish(figure, height=ROW_PX * (len(models) + 1) + 90, top=60)


def _loss(value: float, *, by_money: bool) -> str:
    if np.isnan(value):
        return ""
    if by_money:
        return text.signed_dollars(value)
    return f"{value:.2f}"


def _pair(cell: RegretCell | None, n_prompts: int) -> str:
    if cell is None:
        return "never"
    lines = [
        f"chosen {text.as_label(cell.chosen)}, best {text.as_label(cell.best)}",
        f"{text.count(cell.n)} of {text.count(n_prompts)} prompts",
        f"each lost {100 * cell.regret:.1f} points on average",
    ]
    if np.isfinite(cell.overspend_usd):
        spent = text.more_per_1000(cell.overspend_usd)
        lines.append(f"and cost {spent} more per 1,000 prompts")
    return "<br>".join(lines)


def regret_parts(parts: pl.DataFrame) -> go.Figure:
    """Draw what the regret is made of (`Hindsight.parts`), with intervals, largest on top."""
    rows = parts.sort("points")
    figure = go.Figure(
        go.Bar(
            x=rows["points"].to_list(),
            y=rows["part"].to_list(),
            orientation="h",
            marker_color=[PALETTE[0] if value >= 0 else PALETTE[2] for value in rows["points"]],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (rows["points_hi"] - rows["points"]).to_list(),
                "arrayminus": (rows["points"] - rows["points_lo"]).to_list(),
                "color": NEUTRAL,
            },
            hovertext=[
                f"{row['part']}: {row['points']:.2f} points (95 %: {row['points_lo']:.2f} to "
                f"{row['points_hi']:.2f})"
                for row in rows.iter_rows(named=True)
            ],
            hoverinfo="text",
        )
    )
    figure.update_xaxes(title="points of quality lost, mean over prompts", zeroline=True)
    figure.update_yaxes(showgrid=False)
    return finish(figure, height=ROW_PX * rows.height + 90, bottom=50)


def paired_differences(rows: pl.DataFrame, model_id: str, other_id: str) -> go.Figure:
    """Draw by how many points a model is better, with intervals, one line for each element.

    Parameters
    ----------
    rows
        name, n, difference, difference_lo and difference_hi, from top to bottom.
    """
    names = [
        f"{text.as_label(name, longest=36)} ({text.count(n)})"
        for name, n in rows.select("name", "n").iter_rows()
    ]
    difference = (100 * rows["difference"]).to_list()
    figure = go.Figure(
        go.Scatter(
            x=difference,
            y=list(range(rows.height)),
            mode="markers",
            marker={"size": 10, "color": PALETTE[0]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (100 * (rows["difference_hi"] - rows["difference"])).to_list(),
                "arrayminus": (100 * (rows["difference"] - rows["difference_lo"])).to_list(),
                "color": PALETTE[0],
                "thickness": 2,
            },
            hovertext=[
                f"{text.as_label(row['name'])}<br>{text.points(row['difference'])} (95 %: "
                f"{text.points_interval(row['difference_lo'], row['difference_hi'])})<br>"
                f"n {text.count(row['n'])}"
                for row in rows.iter_rows(named=True)
            ],
            hoverinfo="text",
        )
    )
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_yaxes(
        tickvals=list(range(rows.height)),
        ticktext=names,
        range=[rows.height - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    better = f"points by which {text.as_label(model_id)} is better than {text.as_label(other_id)}"
    figure.update_xaxes(title=better, zeroline=False)
    return finish(figure, height=ROW_PX * rows.height + 70, bottom=50)


def _plain(name: str) -> str:
    return UNASSIGNED_NAME if name == UNASSIGNED else name


def confidence_bars(bins: pl.DataFrame) -> go.Figure:
    """Draw a histogram of confidences (`pipeline.drift.histogram`)."""
    width = 1.0 / max(bins.height, 1)
    figure = go.Figure(
        go.Bar(
            x=(bins["lowest"] + width / 2).to_list(),
            y=bins["n"].to_list(),
            width=[0.9 * width] * bins.height,
            marker_color=PALETTE[0],
            hovertext=[
                f"{lowest:.2f} to {lowest + width:.2f}: {text.count(n)} prompts"
                for lowest, n in bins.select("lowest", "n").iter_rows()
            ],
            hoverinfo="text",
        )
    )
    figure.update_xaxes(title="probability of the likeliest domain", range=[0, 1], showgrid=False)
    figure.update_yaxes(title="prompts", tickformat=",")
    return finish(figure, height=380, bottom=50)


def spend_bars(spend: pl.DataFrame, colours: Mapping[str, str]) -> go.Figure:
    """Draw cost by domain (columns domain, model_id, cost_usd), a part for each model.

    The dearest domains on top, all others in one bar below them.
    """
    totals = spend.group_by("domain").agg(pl.col("cost_usd").sum()).sort("cost_usd", "domain")
    rest = totals["domain"][:-MOST_BARS] if totals.height > MOST_BARS + 1 else totals["domain"][:0]
    others = f"{len(rest)} cheaper domains"
    spend = (
        spend.with_columns(
            domain=pl.when(pl.col("domain").is_in(rest.implode()))
            .then(pl.lit(others))
            .otherwise("domain")
        )
        .group_by("domain", "model_id")
        .agg(pl.col("cost_usd").sum())
    )
    domains = [*([others] if len(rest) else []), *totals["domain"][len(rest) :]]
    figure = go.Figure()
    for model_id in sorted(spend["model_id"].unique()):
        cost = dict(spend.filter(model_id=model_id).select("domain", "cost_usd").iter_rows())
        name = text.as_label(model_id)
        figure.add_trace(
            go.Bar(
                x=[cost.get(domain, 0.0) for domain in domains],
                y=list(range(len(domains))),
                orientation="h",
                name=name,
                marker_color=colours.get(model_id, NEUTRAL),
                hovertext=[
                    f"{text.as_label(_plain(domain))}<br>{name}: {text.dollars(cost[domain])}"
                    if domain in cost
                    else ""
                    for domain in domains
                ],
                hoverinfo="text",
            )
        )
    figure.update_yaxes(
        tickvals=list(range(len(domains))),
        ticktext=[text.as_label(_plain(domain), longest=28) for domain in domains],
        showgrid=False,
    )
    figure.update_xaxes(title="US dollars logged", tickprefix="$")
    figure.update_layout(
        barmode="stack", legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    )
    return finish(figure, height=max(ROW_PX * len(domains) + 110, 380), top=60, bottom=50)


def sweep(trials: pl.DataFrame) -> go.Figure:
    """Draw clusters and unclustered share against the least size of a cluster.

    Parameters
    ----------
    trials
        As `pages.ui.shown.sweep` gives them.
    """
    rows = trials.sort("Least prompts")
    sizes = [f"{size}" for size in rows["Least prompts"]]
    chosen = rows.with_row_index("place").filter(Choice="chosen")["place"]
    figure = go.Figure()
    lines = (
        ("Clusters", "y", 0, "solid", "circle"),
        ("Unclustered, %", "y2", 5, "dot", "diamond"),
    )
    for name, axis, place, dash, symbol in lines:
        figure.add_trace(
            go.Scatter(
                x=sizes,
                y=rows[name].to_list(),
                yaxis=axis,
                name=name,
                mode="lines+markers",
                line={"color": PALETTE[place], "width": 2, "dash": dash},
                marker={"symbol": symbol, "size": 8},
                hovertext=[f"{name}: {value:,.0f}" for value in rows[name]],
                hoverinfo="x+text",
            )
        )
    for place in chosen:
        figure.add_vline(x=place, line={"color": NEUTRAL, "dash": "dash"})
        figure.add_annotation(
            x=place, y=1, yref="paper", yanchor="bottom", text="chosen", showarrow=False
        )
    figure.update_xaxes(title="least prompts in a cluster", type="category", tickangle=0)
    figure.update_layout(
        yaxis={"title": "clusters", "rangemode": "tozero"},
        yaxis2={
            "title": "unclustered, %",
            "overlaying": "y",
            "side": "right",
            "rangemode": "tozero",
            "showgrid": False,
            "tickformat": ",.0f",
            "tickmode": "auto",
            "nticks": 5,
        },
        legend={"orientation": "h", "y": 1.12, "yanchor": "bottom", "x": 0},
    )
    return finish(figure, height=300, right=56, bottom=48, top=52)
