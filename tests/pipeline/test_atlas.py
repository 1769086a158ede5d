"""Places, groups, samples and outlines on the map."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.atlas import (
    NO_DOMAIN,
    UNCLUSTERED,
    UNKNOWN,
    binned,
    distinct_names,
    inside_polygon,
    quarters,
    sample_points,
    with_value,
)
from pipeline.flows.curation import approve_prompts
from pipeline.flows.places import known_columns, read_column, read_points
from pipeline.store import Store
from pipeline.taxonomy import domain_rows
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS, OUTCOMES, PROMPTS
from tests.conftest import HOSTILE, N_NOISE, N_PROMPTS, N_WAITING, WAITING_TOPIC

SQUARE = np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])


def drawn(store, version):
    return read_points(store, "run-tiny", version)


def test_every_prompt_has_a_place_and_its_groups(tiny_store):
    """Prompts in no cluster or no domain are named so, never dropped."""
    points = drawn(tiny_store, 2)
    assert points.height == N_PROMPTS
    assert points.null_count().sum_horizontal().item() == 0
    assert points.filter(cluster=UNCLUSTERED).height == N_NOISE
    assert points.filter(domain=NO_DOMAIN).height == N_NOISE + N_WAITING
    assert set(points.filter(cluster=WAITING_TOPIC)["model"]) == {NO_DOMAIN}
    assert HOSTILE in points["domain"]


def test_without_a_table_no_prompt_has_a_model(tiny_store):
    """Version 0 is no table: the map is still drawn."""
    assert set(drawn(tiny_store, 0)["model"]) == {NO_DOMAIN}


def test_repeated_names_get_their_key():
    """Two domains of one name stay two groups."""
    frame = pl.DataFrame({"name": ["a", "b", "a"], "id": [1, 2, 3]})
    assert distinct_names(frame, "id").to_list() == ["a (1)", "b", "a (3)"]


@given(st.integers(0, 50), st.integers(1, 60))
def test_a_sample_has_no_more_than_asked_and_no_row_twice(n, most):
    """It keeps the order, and is everything where that fits."""
    frame = pl.DataFrame({"x": range(n)})
    sample = sample_points(frame, most)["x"]
    assert len(sample) == min(n, most)
    assert sample.is_unique().all()
    assert sample.is_sorted()


def test_a_square_contains_its_inside():
    """Even a polygon drawn the other way round, or one that is concave."""
    x, y = np.array([1.0, 3.0, -1.0, 1.98]), np.array([1.0, 1.0, 1.0, 0.1])
    assert inside_polygon(x, y, SQUARE).tolist() == [True, False, False, True]
    assert inside_polygon(x, y, SQUARE[::-1]).tolist() == [True, False, False, True]
    dented = np.insert(SQUARE, 1, [1.0, 1.5], axis=0)
    assert inside_polygon(x, y, dented).tolist() == [False, False, False, True]


def test_two_corners_enclose_nothing():
    """A click is no lasso."""
    assert not inside_polygon(np.array([1.0]), np.array([1.0]), SQUARE[:2]).any()
    assert not inside_polygon(np.array([1.0]), np.array([1.0]), np.empty((0, 2))).any()


def test_the_domain_decided_later_has_the_prompt(tmp_path, tiny_store):
    """As routing has it, whatever the order of the events' ids."""
    store = Store(path=Path(shutil.copy(tiny_store.path, tmp_path / "mine.duckdb")))
    [one, two, *_] = drawn(store, 0).filter(cluster="translate a letter")["prompt_id"]
    approve_prompts(store, [one, two], "mine", actor="ana")
    points = drawn(store, 0)
    assert points.filter(domain="mine")["prompt_id"].to_list() == sorted([one, two])
    domains, rows = domain_rows(
        tuple(points["prompt_id"]), store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS)
    )
    names = [NO_DOMAIN if row < 0 else domains["name"][int(row)] for row in rows]
    assert points["domain"].to_list() == names


def test_some_prompts_are_drawn_before_others():
    """Half of them fit where twice as many are wanted, and the rest is filled with others."""
    frame = pl.DataFrame({"prompt_id": [f"{n:02}" for n in range(40)]})
    wanted = frame["prompt_id"][:6]
    assert sample_points(frame, 3, first=wanted)["prompt_id"].to_list() == ["00", "02", "04"]
    sample = sample_points(frame, 10, first=wanted)["prompt_id"]
    assert sample[:6].to_list() == wanted.to_list()
    assert len(sample) == 10


def test_numbers_are_named_by_bins():
    """A number on an edge belongs below it; what is not known is said to be so."""
    points = pl.DataFrame({"prompt_id": ["a", "b", "c"]})
    values = pl.DataFrame({"prompt_id": ["a", "b", "zz"], "value": [0.5, 0.51, None]})
    named = binned(values, (0.5,), ("low", "high"))
    assert named["value"].to_list() == ["low", "high", None]
    assert with_value(points, named, "bin")["bin"].to_list() == ["low", "high", UNKNOWN]
    assert binned(values, (), ("all",))["value"].to_list() == ["all", "all", None]


@given(st.lists(st.sampled_from([None, 0.0, 0.5, 1.0, 2.0]), max_size=12))
def test_quarters_leave_something_on_either_side(values):
    """However many are equal, no bin between the edges is empty."""
    series = pl.Series("value", values, dtype=pl.Float64)
    edges = quarters(series)
    names = [str(number) for number in range(len(edges) + 1)]
    found = binned(series.to_frame(), edges, names)["value"].drop_nulls()
    assert set(found) == (set(names) if series.drop_nulls().len() else set())


@pytest.mark.parametrize("column", ["n_characters", "n_requests", "quality", "cost_usd"])
def test_what_is_stored_is_read_for_some_prompts(tiny_store, column):
    """Of the prompts asked for alone; means are over the models that are known."""
    ids = tiny_store.read(PROMPTS)["prompt_id"].to_list()[:5]
    found = read_column(tiny_store, column, ids)
    assert sorted(found["prompt_id"]) == sorted(ids)
    outcomes = tiny_store.read_among(OUTCOMES, "prompt_id", ids)
    expected = {
        "n_characters": tiny_store.read_among(PROMPTS, "prompt_id", ids)["text"].str.len_chars(),
        "n_requests": pl.Series([3.0] * 5),
        "quality": outcomes.group_by("prompt_id").agg(pl.col("quality").mean())["quality"],
        "cost_usd": pl.Series([(0.01 + 0.0005) / 2] * 5),
    }[column]
    assert sorted(found["value"]) == pytest.approx(sorted(expected))


def test_columns_of_which_nothing_is_known_are_no_choice(tiny_store):
    """The tiny store has no labels and no tokens."""
    assert known_columns(tiny_store) == (
        "n_characters", "n_requests", "quality", "cost_usd", "latency_s",
    )  # fmt: skip
    assert read_column(tiny_store, "label", ["x"]).is_empty()
