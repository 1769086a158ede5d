"""What a table is expected to do, beside every single model."""

import polars as pl
import pytest

from pipeline.expected import THIS_TABLE, cheapest_model, expect


def tables(cost_of_b=1.0):
    """Two buckets of 30 and 10 prompts: a in the first, b in the second; a is the reference."""
    buckets = pl.DataFrame({"bucket": [0, 1], "n_prompts": [30, 10]})
    entries = pl.DataFrame(
        {
            "bucket": [0, 0, 1, 1],
            "rank": [1, 2, 1, 2],
            "model_id": ["a", "b", "b", "a"],
            "quality": [0.8, 0.6, 0.7, 0.5],
            "cost_usd": [4.0, cost_of_b, cost_of_b, 4.0],
            "advantage": [0.0, -0.2, 0.2, 0.0],
            "advantage_lo": [0.0, -0.3, 0.1, 0.0],
            "advantage_hi": [0.0, -0.1, 0.3, 0.0],
        }
    )
    return buckets, entries


def test_a_worked_example():
    """Means weigh buckets by prompts; the interval of the second bucket counts a quarter."""
    found = expect(*tables(), reference_model_id="a")
    ours = found.option(THIS_TABLE)
    assert found.n_prompts == 40
    assert found.shares.rows() == [("a", 30, 0.75), ("b", 10, 0.25)]
    assert ours["quality"] == pytest.approx(0.775)
    assert ours["cost_usd"] == pytest.approx(3.25)
    assert ours["cost_ratio"] == pytest.approx(3.25 / 4)
    assert ours["advantage"] == pytest.approx(0.05)
    assert ours["advantage_lo"] == pytest.approx(0.025)
    assert found.option("a")["advantage"] == 0.0
    assert cheapest_model(found) == "b"


def test_an_unknown_cost_stays_unknown():
    """A mean over some of the buckets would mislead, so there is none."""
    found = expect(*tables(cost_of_b=None), reference_model_id="a")
    assert found.option(THIS_TABLE)["cost_usd"] is None
    assert found.option(THIS_TABLE)["cost_ratio"] is None
    assert found.option("b")["cost_usd"] is None
    assert cheapest_model(found) == "a"


def test_the_order_of_rows_is_irrelevant():
    """Shuffled tables give the same answer."""
    buckets, entries = tables()
    shuffled = expect(buckets.reverse(), entries.reverse(), reference_model_id="a")
    assert shuffled.options.equals(expect(buckets, entries, reference_model_id="a").options)


def test_a_reference_model_that_is_no_candidate_gives_no_cost_ratio():
    """Nothing to compare with is null, not an error."""
    found = expect(*tables(), reference_model_id="c")
    assert found.options["cost_ratio"].null_count() == 3
