"""A profile laid out as domains × models."""

import polars as pl
import pytest

from profiles.grid import ALL_NAME, UNASSIGNED_NAME, best_overall, profile_grid
from profiles.table import conform
from profiles.tables import PROFILE_CELLS

NAMES = pl.DataFrame({"domain_id": ["d1", "d2"], "name": ["one", "two"]})


def cell(element, model_id, quality, n):
    known = quality is not None
    return {
        "profile_id": "p",
        "model_id": model_id,
        "element": element,
        "n": n,
        "quality": quality,
        "quality_lo": quality - 0.03 if known else None,
        "quality_hi": quality + 0.03 if known else None,
        "quality_raw": quality,
        "n_cost": 0,
    }


def cells(*rows):
    return conform(pl.DataFrame(list(rows), schema=PROFILE_CELLS.schema), PROFILE_CELLS)


PROFILE = cells(
    cell("all", "a", 0.6, 90),
    cell("all", "b", 0.8, 90),
    cell("d1", "a", 0.5, 29),
    cell("d1", "b", 0.9, 29),
    cell("d2", "a", 0.7, 30),
    cell("d2", "b", None, 0),
    cell("unassigned", "a", 0.7, 31),
    cell("unassigned", "b", 0.7, 31),
)


def test_all_prompts_come_first_and_the_unassigned_last():
    """Between them, larger domains first; better models first."""
    grid = profile_grid(PROFILE, NAMES)
    names = grid["name"].unique(maintain_order=True).to_list()
    assert names == [ALL_NAME, "two", "one", UNASSIGNED_NAME]
    assert grid["model_id"].unique(maintain_order=True).to_list() == ["b", "a"]


def test_differences_are_to_the_reference():
    """The widths of both intervals add up as squares; the reference differs from itself by 0."""
    grid = profile_grid(PROFILE, NAMES, reference_model_id="b")
    row = grid.filter(element="d1", model_id="a").row(0, named=True)
    assert row["difference"] == pytest.approx(-0.4)
    assert row["difference_hi"] - row["difference"] == pytest.approx(0.03 * 2**0.5)
    own = grid.filter(element="d1", model_id="b").row(0, named=True)
    assert (own["difference"], own["difference_lo"], own["difference_hi"]) == (0.0, 0.0, 0.0)


def test_an_unknown_reference_gives_no_difference():
    """Null minus a number is null, in the cell and in the grid."""
    grid = profile_grid(PROFILE, NAMES, reference_model_id="b")
    assert grid.filter(element="d2", model_id="a")["difference"][0] is None
    assert profile_grid(PROFILE, NAMES, reference_model_id="gone")["difference"].null_count() == 8


def test_cells_of_fewer_than_thirty_outcomes_are_few():
    """29 are few, 30 are not."""
    grid = profile_grid(PROFILE, NAMES)
    assert set(grid.filter(pl.col("is_few"))["n"]) == {0, 29}


def test_the_best_model_is_the_one_with_known_quality():
    """Of nothing there is no best."""
    assert best_overall(PROFILE) == "b"
    assert best_overall(PROFILE_CELLS.empty()) is None
    assert profile_grid(PROFILE_CELLS.empty(), NAMES).is_empty()


def test_a_domain_without_a_name_keeps_its_id():
    """An element the registry does not know is shown by its id."""
    assert "d1" in profile_grid(PROFILE, NAMES.head(0))["name"]
