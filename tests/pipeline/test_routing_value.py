"""What a row of its own is worth to a group."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.routing_value import row_values
from tests.pipeline.test_hindsight import TERMS, study_of


def value_of(quality, estimates, members, terms=TERMS, **more):
    study = study_of(quality, estimates, [0] * len(quality), **more)
    return row_values(study, terms, {7: np.array(members, dtype=np.intp)}).row(0, named=True)


def test_a_group_that_gets_the_wrong_model_gains_by_hand():
    """Model a is chosen for all; b is right on the first four of eight."""
    found = value_of([[0, 1]] * 4 + [[1, 0]] * 4, [[1, 0]] * 8, [0, 1, 2, 3])
    assert (found["group"], found["n"], found["points"]) == (7, 4, 100.0)
    assert found["total"] == 50.0


def test_luck_gains_nothing():
    """Which of two equal models is ahead on one half says nothing about the other one."""
    rng = np.random.default_rng(0)
    quality = rng.choice([0.0, 1.0], size=(4000, 2))
    found = value_of(quality, [[1, 0]] * 4000, np.arange(4000))
    assert found["points_lo"] <= 0 <= found["points_hi"]
    assert abs(found["points"]) < 3


def test_choices_that_are_better_than_any_one_model_lose_by_a_row():
    """The estimates already know the best model of each prompt."""
    best = [[1, 0], [0, 1]] * 4
    assert value_of(best, best, np.arange(8))["points"] < 0


def test_cost_counts_at_what_quality_is_worth():
    """With costs alike it changes nothing; unknown, nothing can be said."""
    priced = replace(TERMS, quality_value_usd=1.0)
    quality, estimates = [[0, 1]] * 4, [[1, 0]] * 4
    assert value_of(quality, estimates, range(4), priced)["points"] == pytest.approx(100.0)
    unknown = value_of(quality, estimates, range(4), priced, cost=[[0.01, np.nan]] * 4)
    assert (unknown["n"], unknown["points"]) == (0, None)


def test_one_prompt_is_not_enough():
    """Neither is none."""
    assert value_of([[0, 1]] * 2, [[1, 0]] * 2, [0])["points"] is None
    assert value_of([[0, 1]] * 2, [[1, 0]] * 2, [])["n"] == 0
