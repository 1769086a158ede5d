"""Places, groups, samples and outlines on the map."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.atlas import (
    NO_DOMAIN,
    UNCLUSTERED,
    UNKNOWN,
    distinct_names,
    inside_polygon,
    map_frame,
    sample_points,
    with_measures,
)
from pipeline.table import first_choices
from profiles.tables import (
    BUCKETS,
    CLUSTERS,
    DOMAIN_EVENTS,
    MEMBER_SETS,
    MEMBERS,
    TABLE_ENTRIES,
)
from tests.conftest import HOSTILE, N_NOISE, N_PROMPTS, N_WAITING, WAITING_TOPIC

SQUARE = np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])


def drawn(store, version):
    choices = first_choices(
        store.read(BUCKETS, table_version=version), store.read(TABLE_ENTRIES, table_version=version)
    )
    return map_frame(
        store.read(MEMBERS),
        store.read(CLUSTERS),
        (store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS)),
        choices,
    )


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


def test_measures_are_named_by_bins():
    """A number on an edge belongs below it; what is not known is said to be so."""
    points = pl.DataFrame({"prompt_id": ["a", "b", "c"]})
    labels = pl.DataFrame({"prompt_id": ["b"], "label": ["law"]})
    placed = pl.DataFrame({"prompt_id": ["a", "b"], "confidence": [0.5, 0.96]})
    regrets = pl.DataFrame({"prompt_id": ["a", "c"], "regret": [0.0, 0.31]})
    found = with_measures(points, labels, placed, regrets)
    assert found["label"].to_list() == [UNKNOWN, "law", UNKNOWN]
    assert found["confidence"].to_list() == ["below .5", "above .95", UNKNOWN]
    assert found["regret"].to_list() == ["nothing lost", UNKNOWN, "over 30 lost"]
    bare = with_measures(points, labels, None, None)
    assert set(bare["confidence"]) == set(bare["regret"]) == {UNKNOWN}
