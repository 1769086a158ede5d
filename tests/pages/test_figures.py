"""The data in the figures."""

import json

import numpy as np
import polars as pl
import pytest

from pages.ui import charts, cloud, figures
from pages.ui.colours import NEUTRAL, PALETTE, model_colours
from pipeline.atlas import NO_DOMAIN, UNCLUSTERED
from pipeline.expected import THIS_TABLE, expect
from pipeline.flows.looking_back import look_back_on
from pipeline.taxonomy import domains_now
from profiles.grid import profile_grid, with_regret
from profiles.tables import DOMAIN_EVENTS, PROFILE_CELLS, ROUTING_TABLES
from tests.conftest import HOSTILE

PLAIN_HOSTILE = "&lt;img src=x onerror="


def points():
    return pl.DataFrame(
        {
            "x": [0.0, 1.0, 2.0, 3.0],
            "y": [0.0, 1.0, 2.0, 3.0],
            "cluster": ["a", HOSTILE, "a", UNCLUSTERED],
        }
    )


def tiny_grid(store):
    return profile_grid(
        store.read(PROFILE_CELLS),
        domains_now(store.read(DOMAIN_EVENTS)).select("domain_id", "name"),
        reference_model_id="large/one",
    )


def test_bars_show_the_largest_domain_on_top_with_its_count():
    """Plotly counts rows from below, so the largest comes last."""
    frame = pl.DataFrame({"name": ["small", HOSTILE], "n_prompts": [2, 1500]})
    figure = figures.domain_bars(frame)
    assert figure.data[0].x == (2, 1500)
    assert figure.data[0].text == ("2", "1,500")
    assert figure.layout.yaxis.ticktext[0] == "small"
    assert figure.layout.yaxis.ticktext[1].startswith(PLAIN_HOSTILE)


def test_a_long_tail_of_domains_is_one_bar():
    """No prompt is left out; a single domain more is named instead."""
    sizes = list(range(1, figures.MOST_BARS + 4))
    frame = pl.DataFrame({"name": [f"d{n:02}" for n in sizes], "n_prompts": sizes})
    [bars] = figures.domain_bars(frame).data
    assert (sum(bars.x), len(bars.x)) == (sum(sizes), figures.MOST_BARS + 1)
    assert (bars.x[0], bars.hovertext[0]) == (1 + 2 + 3, "3 smaller domains")
    one_more = figures.domain_bars(frame.tail(figures.MOST_BARS + 1)).data[0]
    assert one_more.hovertext[0] == "d03"


def test_the_map_has_one_webgl_trace_for_each_group():
    """Ungrouped prompts are drawn first, open and grey, and every prompt is drawn once."""
    figure = cloud.prompt_map(points(), "cluster", None)
    assert [trace.type for trace in figure.data] == ["scattergl"] * 3
    assert sum(len(trace.x) for trace in figure.data) == 4
    assert figure.data[0].name == f"{UNCLUSTERED} (1)"
    assert figure.data[0].marker.color == NEUTRAL
    assert figure.data[1].name == "a (2)"
    assert figure.data[2].name.startswith(PLAIN_HOSTILE)


def test_the_legend_counts_every_prompt_and_not_those_drawn():
    """A sample is drawn, all are counted."""
    everyone = pl.concat([points(), points()])
    figure = cloud.prompt_map(points(), "cluster", None, counted=everyone)
    assert [trace.name.rsplit("(")[-1] for trace in figure.data] == ["2)", "4)", "2)"]


def test_groups_without_a_look_of_their_own_are_drawn_as_one():
    """The 35 largest keep their names; nobody is left out."""
    names = [f"g{number:02}" for number in range(50) for _ in range(60 - number)]
    frame = pl.DataFrame({"x": 0.0, "y": 0.0, "cluster": names})
    figure = cloud.prompt_map(frame, "cluster", None)
    assert sum(len(trace.x) for trace in figure.data) == frame.height
    assert len(figure.data) == 36
    assert any(trace.name.startswith("15 smaller groups") for trace in figure.data)


def test_the_map_names_more_groups_than_colours_by_shape():
    """No two of the first 36 groups look the same."""
    names = [f"g{number}" for number in range(36)]
    frame = pl.DataFrame({"x": [0.0] * 36, "y": [0.0] * 36, "cluster": names})
    looks = {
        (trace.marker.color, trace.marker.symbol)
        for trace in cloud.prompt_map(frame, "cluster", None).data
    }
    assert len(looks) == 36


def test_the_map_carries_no_prompt_text(tiny_store):
    """Neither texts nor ids travel with the figure: only places and the names of groups."""
    frame = points().with_columns(text=pl.lit("secret prompt"), prompt_id=pl.lit("secret-id"))
    assert "secret" not in cloud.prompt_map(frame, "cluster", None).to_json()


def test_the_map_by_model_uses_the_models_colours():
    """Prompts in no domain have no model and no colour."""
    frame = points().with_columns(model=pl.Series(["m", "n", "m", NO_DOMAIN]))
    colours = model_colours(["m", "n"]) | {NO_DOMAIN: NEUTRAL}
    figure = cloud.prompt_map(frame, "model", colours)
    shown = {trace.name.split(" (")[0]: trace.marker.color for trace in figure.data}
    assert shown == colours


@pytest.mark.parametrize("measure", figures.MEASURES.values(), ids=list(figures.MEASURES))
def test_the_heat_map_writes_every_cell(measure, tiny_store):
    """Each measure has a value or a dash in each cell, and few outcomes are hatched."""
    grid = with_regret(tiny_grid(tiny_store), look_back_on(tiny_store, 2).models)
    figure = figures.heat_map(grid, measure)
    heat, hatch, _ = figure.data
    assert np.array(heat.text).shape == (grid["element"].n_unique(), 3)
    assert len(hatch.x) == grid[measure.few].sum()
    unknown = grid[measure.column].null_count()
    assert sum(note.text == "–" for note in figure.layout.annotations) == unknown
    models_without = {"cost_usd": 1, "latency_p50_s": 2}.get(measure.column, 0)
    assert measure.column == "regret" or unknown == grid.height // 3 * models_without


def test_differences_are_coloured_around_zero(tiny_store):
    """The range is as wide below as above, so that no difference has the middle colour."""
    heat = figures.heat_map(tiny_grid(tiny_store), figures.MEASURES["Difference"]).data[0]
    assert heat.zmin == -heat.zmax
    assert heat.autocolorscale


def test_the_heat_map_escapes_names_everywhere(tiny_store):
    """A domain and a model that are HTML stay text in ticks and hovers."""
    figure = figures.heat_map(tiny_grid(tiny_store), figures.MEASURES["Quality"])
    shown = json.dumps([figure.layout.to_plotly_json(), figure.data[0].hovertext], default=str)
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "tiny/&lt;b&gt;three" in shown


def test_a_free_model_costs_nothing_and_is_not_unknown():
    """A cost of 0 has no logarithm, but it is known: the cell says $0.000."""
    frame = pl.DataFrame(
        {
            "element": ["all", "all"],
            "name": ["all prompts"] * 2,
            "model_id": ["a", "b"],
            "cost_usd": [0.0, None],
            "is_few": [False, False],
            "reference_model_id": ["a", "a"],
            "n": [40, 40],
            "n_cost": [40, 0],
        }
    ).with_columns(
        pl.lit(0.5).alias(name)
        for name in (
            "quality",
            "quality_lo",
            "quality_hi",
            "difference",
            "difference_lo",
            "difference_hi",
        )
    )
    figure = figures.heat_map(frame, figures.MEASURES["Cost"])
    assert [note.text for note in figure.layout.annotations] == ["$0.000", "–"]


def test_the_frontier_shows_the_table_and_the_models_with_a_known_cost(tiny_store):
    """A model without a cost has no place on the chart; mixes lie on or below the hull."""
    held_out = tiny_store.read(ROUTING_TABLES, table_version=2)["held_out"][0]
    found = expect(held_out, reference_model_id="large/one")
    figure = figures.frontier(found, model_colours(["large/one", "small/two"]))
    mixes, *models, ours = figure.data
    assert [trace.name for trace in models] == ["large/one", "small/two"]
    assert ours.name == THIS_TABLE
    assert ours.x[0] == pytest.approx(1000 * found.option(THIS_TABLE)["cost_usd"])
    assert list(mixes.y) == sorted(mixes.y)


def test_a_model_keeps_its_colour():
    """Adding one model changes no other that was alone in its colour, and six are all different."""
    few = model_colours(["a", "b"])
    assert model_colours(["b", "a", "a"]) == few
    six = model_colours([f"model-{number}" for number in range(6)])
    assert set(six.values()) == set(PALETTE)
    assert len(model_colours([f"m{number}" for number in range(40)])) == 40


def test_a_sweep_marks_the_chosen_size():
    """Sizes stand side by side in their order; the mark is at the chosen one's place among them."""
    trials = pl.DataFrame(
        {
            "Least prompts": [15, 5, 8],
            "Clusters": [24, 60, 40],
            "Unclustered, %": [6.0, 15.0, 10.0],
            "Choice": ["chosen", None, None],
        }
    )
    figure = charts.sweep(trials)
    assert list(figure.data[0].x) == ["5", "8", "15"]
    assert list(figure.data[0].y) == [60, 40, 24]
    assert (figure.layout.shapes[0].x0, figure.layout.annotations[0].x) == (2, 2)
