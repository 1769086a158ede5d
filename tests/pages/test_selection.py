"""A lasso or box on the map."""

import polars as pl
import pytest

from pages.ui import selection
from tests.conftest import N_NOISE

POINTS = pl.DataFrame({"x": [1.0, 5.0, 9.0], "y": [1.0, 5.0, 9.0]})
BOX = {"x": [0.0, 6.0], "y": [6.0, 0.0]}
LASSO = {"x": [8.0, 10.0, 10.0, 8.0], "y": [8.0, 8.0, 10.0, 10.0]}


@pytest.mark.parametrize(
    ("drawn", "chosen"),
    [
        ({}, []),
        ({"selection": {"box": [], "lasso": [], "points": []}}, []),
        ({"selection": {"box": [BOX], "lasso": []}}, [1.0, 5.0]),
        ({"selection": {"box": [], "lasso": [LASSO]}}, [9.0]),
        ({"selection": {"box": [BOX], "lasso": [LASSO]}}, [1.0, 5.0, 9.0]),
    ],
)
def test_the_outline_decides_and_not_the_drawn_points(drawn, chosen):
    """Boxes and lassos add up; a selection of points alone is none."""
    assert selection.inside(POINTS, drawn)["x"].to_list() == chosen


def test_the_download_guards_against_formulas(tiny_store, monkeypatch):
    """A prompt that starts with = gets an apostrophe, and no prompt is cut."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(tiny_store.path))
    from pages.ui import reads

    chosen = reads.map_points().filter(cluster="unclustered")
    lines = selection.as_csv(chosen).splitlines()
    assert lines[0] == "prompt_id,domain,cluster,text"
    assert len(lines) == N_NOISE + 1
    assert all(",'=noise" in line for line in lines[1:])


def test_the_list_holds_the_texts_in_the_order_of_the_selection(tiny_store, monkeypatch):
    """Only the first prompts of a large selection are listed."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(tiny_store.path))
    monkeypatch.setattr(selection, "MOST_LISTED", 3)
    from pages.ui import reads

    chosen = reads.map_points()
    listed = selection.with_texts(chosen)
    assert listed.columns == ["Prompt", "Domain", "Cluster"]
    assert listed["Domain"].to_list() == chosen["domain"].head(3).to_list()
