"""What a table did on prompts it had not seen, beside every single model."""

import json

import numpy as np
import polars as pl
import pytest

from pipeline.expected import THIS_TABLE, Expectation, expect, held_out_json
from profiles.outcomes import Outcomes


def example(*, shares=None, cost_ratio=0.8125):
    """A table that sends three quarters to a, the reference, and gains 5 points."""
    numbers = {"quality": 0.775, "cost_usd": 3.25, "advantage": 0.05}
    ours = numbers | {"cost_ratio": cost_ratio, "advantage_lo": 0.025, "advantage_hi": 0.075}
    others = dict.fromkeys(ours, 0.5)
    return Expectation(
        n_prompts=40,
        shares=pl.DataFrame(
            list((shares or {"a": 0.75, "b": 0.25}).items()),
            schema={"model_id": pl.String, "share": pl.Float64},
            orient="row",
        ),
        options=pl.DataFrame(
            [{"option": THIS_TABLE, "model_id": None} | ours]
            + [{"option": m, "model_id": m} | others for m in "ab"]
        ),
        reference_model_id="a",
    )


def outcomes(cost_of_b=1.0):
    """Four prompts; a is right on the first three, b on the last two."""
    quality = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    cost = np.column_stack([np.full(4, 4.0), np.full(4, cost_of_b)])
    return Outcomes(model_ids=("a", "b"), quality=quality, cost_usd=cost)


def read(chosen, known):
    """Through the JSON and back."""
    saved = held_out_json(np.array(chosen), known, reference=0)
    return expect(saved, reference_model_id="a")


def test_a_worked_example():
    """Choosing a, a, b, b is right everywhere, at (4 + 4 + 1 + 1) / 4 dollars."""
    found = read([0, 0, 1, 1], outcomes())
    ours = found.option(THIS_TABLE)
    assert found.n_prompts == 4
    assert found.shares.rows() == [("a", 0.5), ("b", 0.5)]
    assert (ours["quality"], ours["cost_usd"]) == (1.0, 2.5)
    assert ours["cost_ratio"] == pytest.approx(2.5 / 4)
    assert ours["advantage"] == pytest.approx(0.25)
    assert ours["advantage_lo"] <= 0.25 <= ours["advantage_hi"]
    assert found.option("a")["advantage"] == 0.0
    assert found.option("b")["quality"] == 0.5
    assert found.oracle is not None
    assert (found.oracle["quality"], found.oracle["cost_usd"]) == (1.0, 2.5)


def test_an_unknown_cost_stays_unknown():
    """No mean over some of the prompts is passed off as the cost."""
    found = read([0, 0, 1, 1], outcomes(cost_of_b=np.nan))
    assert found.option(THIS_TABLE)["cost_usd"] is None
    assert found.option(THIS_TABLE)["cost_ratio"] is None
    assert found.option("b")["cost_usd"] is None


def test_only_known_outcomes_count():
    """A prompt whose chosen model has no known quality is left out, not counted as 0."""
    known = outcomes()
    known.quality[3, 1] = np.nan
    found = read([0, 0, 1, 1], known)
    assert found.n_prompts == 3
    assert found.option(THIS_TABLE)["quality"] == 1.0


def test_a_table_without_a_known_outcome_has_no_score():
    """Nothing known is None, not a table of zeros."""
    known = outcomes()
    known.quality[:] = np.nan
    assert read([0, 0, 1, 1], known) is None


def test_the_json_holds_no_nan():
    """Any reader can parse it."""
    saved = held_out_json(np.zeros(4, dtype=int), outcomes(cost_of_b=np.nan), reference=0)
    assert json.loads(saved, parse_constant=pytest.fail)["n_prompts"] == 4
