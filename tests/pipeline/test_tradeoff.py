from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.estimators.base import Estimates
from pipeline.tradeoff import (
    GUARDS,
    Tradeoff,
    at_parity,
    at_value,
    choose_at,
    settings_to_try,
)
from tests.support import GRID, NAN, outcomes_of

grids = arrays(np.float64, (6, 3), elements=st.sampled_from(GRID))


def estimates(outcomes, quality=None, error=0.0):
    """Return estimates that know every outcome, or say `quality` instead."""
    quality = outcomes.quality if quality is None else np.asarray(quality, np.float64)
    sd = np.full_like(quality, error)
    sd[:, 0] = 0.0
    return Estimates(
        model_ids=outcomes.model_ids,
        quality=quality,
        cost_usd=outcomes.cost_usd,
        standard_error=sd,
    )


def parity(made, outcomes, **knobs):
    setting = at_parity(made, outcomes, reference=0, **knobs)
    return setting, choose_at(made, setting, reference=0).tolist()


def test_parity_by_hand():
    """b is as good as a at a quarter of the cost."""
    outcomes = outcomes_of(np.ones((4, 2)), [[0.04, 0.01]])
    assert parity(estimates(outcomes), outcomes)[1] == [1] * 4


def test_parity_keeps_the_best_where_nothing_cheaper_is_as_good():
    """a is better everywhere; half of its quality is reached by b."""
    outcomes = outcomes_of([[1, 0.5]] * 4, [[0.04, 0.01]])
    assert parity(estimates(outcomes), outcomes)[1] == [0] * 4
    assert parity(estimates(outcomes), outcomes, keep_quality=0.5)[1] == [1] * 4


def test_estimates_that_mislead_keep_the_reference():
    """Where every value of quality loses, the guard keeps the safe choice instead."""
    outcomes = outcomes_of([[1, 0.0]] * 4, [[0.04, 0.01]])
    wrong = estimates(outcomes, [[0.5, 0.75]] * 4, error=0.1)
    setting, chosen = parity(wrong, outcomes)
    assert (setting.quality_value_usd, chosen) == (np.inf, [0] * 4)
    assert setting.z >= 4


@pytest.mark.parametrize("cost", [[[NAN, NAN]], [[NAN, 0.01]]], ids=["none", "not its own"])
def test_parity_needs_the_references_cost(cost):
    """Where it is unknown what the safe choice costs, nothing can be called cheaper."""
    outcomes = outcomes_of([[1, 0.75]] * 4, cost)
    setting, _ = parity(estimates(outcomes), outcomes, keep_quality=0.5)
    assert setting.quality_value_usd == np.inf


def test_parity_leaves_unknown_outcomes_out():
    """A prompt the reference did not answer counts on neither side."""
    outcomes = outcomes_of([[1, 1], [NAN, 0], [1, 1]], [[0.04, 0.01]])
    assert parity(estimates(outcomes, np.ones((3, 2))), outcomes)[1] == [1] * 3


def test_a_given_guard_is_kept():
    """A user who named the loss ratio gets it at every value."""
    outcomes = outcomes_of(np.ones((4, 2)), [[0.04, 0.01]])
    assert parity(estimates(outcomes), outcomes, z=0.5)[0].z == 0.5
    wrong = estimates(outcomes_of([[1, 0.0]] * 4, [[0.04, 0.01]]), [[0.5, 0.75]] * 4)
    lost = outcomes_of([[1, 0.0]] * 4, [[0.04, 0.01]])
    assert parity(wrong, lost, z=0.5)[0] == Tradeoff(quality_value_usd=np.inf, z=0.5)


def test_the_guard_is_what_the_outcomes_ask_for():
    """An honest advantage needs no guard; one that is not there needs a large one."""
    outcomes = outcomes_of([[0.0, 1.0]] * 4)
    made = estimates(outcomes, [[0.5, 0.55]] * 4, error=0.06)
    known = {"reference": 0, "quality_value_usd": np.inf}
    assert at_value(made, outcomes, **known).z == 0.5
    assert at_value(made, outcomes_of([[1.0, 0.0]] * 4), **known).z == max(GUARDS)


def test_a_lucky_gain_is_no_gain():
    """One win in four, and a loss in another: the mean gain is below its own standard error."""
    outcomes = outcomes_of([[0, 1], [0, 1], [1, 0], [1, 1]])
    made = estimates(outcomes, [[0.5, 0.75]] * 4, error=0.25)
    setting = at_value(made, outcomes, reference=0, quality_value_usd=np.inf)
    assert choose_at(made, setting, reference=0).tolist() == [0] * 4


def test_worthless_quality_needs_no_guard():
    """Where only cost counts the cheapest model is taken."""
    outcomes = outcomes_of([[1, 0.0]] * 4, [[0.04, 0.01]])
    setting = at_value(estimates(outcomes), outcomes, reference=0, quality_value_usd=0.0)
    assert setting == Tradeoff(quality_value_usd=0.0, z=0.0)


def test_settings_go_from_the_safest_to_the_cheapest():
    """Guarded quality alone first, then falling values of quality; a given guard holds for all."""
    outcomes = outcomes_of([[1, 0.0]] * 4, [[0.04, 0.01]])
    made = estimates(outcomes)
    settings = settings_to_try(made, outcomes, reference=0)
    values = [setting.quality_value_usd for setting in settings]
    assert values == sorted(values, reverse=True)
    assert {setting.z for setting in settings[1:]} == {0.0}
    assert {s.z for s in settings_to_try(made, outcomes, reference=0, z=0.7)} == {0.7}


@given(grids, grids, st.permutations(range(6)))
def test_row_order_is_irrelevant(quality, guess, order):
    """Shuffled prompts settle on the same trade-off."""
    outcomes, order = outcomes_of(quality, [[0.04, 0.02, 0.01]]), np.array(order)
    made = estimates(outcomes, guess, error=0.25)
    shuffled = replace(made, quality=guess[order], standard_error=made.standard_error[order])
    for choose in (at_parity, lambda *a, **k: at_value(*a, quality_value_usd=np.inf, **k)):
        whole = choose(made, outcomes, reference=0)
        assert choose(shuffled, outcomes.rows(order), reference=0).z == whole.z


def test_quality_that_is_kept_by_luck_is_not_kept():
    """b wins one prompt and ties the rest: kept. b wins half and loses half: a coin flip is not."""
    quality = np.ones((100, 2))
    quality[0] = [0, 1]
    outcomes = outcomes_of(quality, [[0.04, 0.01]])
    flat = np.full((100, 2), 0.5)
    assert parity(estimates(outcomes, flat), outcomes)[1] == [1] * 100
    quality[:50], quality[50:] = [0, 1], [1, 0]
    outcomes = outcomes_of(quality, [[0.04, 0.01]])
    assert parity(estimates(outcomes, flat, error=0.5), outcomes)[1] == [0] * 100


def few_known(n_known, quality=1.0):
    """Return 40 prompts: a is right on 3 of 4, b costs a quarter and is known on a few."""
    known = np.full((40, 2), NAN)
    known[:, 0] = np.tile([1, 1, 1, 0], 10)
    known[:n_known, 1] = quality
    return outcomes_of(known, [[0.04, 0.01]])


@pytest.mark.parametrize("n_known", [0, 1, 3])
def test_a_handful_of_right_answers_proves_nothing(n_known):
    """b was never wrong, but hardly asked: the reference keeps every prompt it can lose."""
    outcomes = few_known(n_known)
    lucky = estimates(outcomes, [[0.75, 1.0]] * 40, error=0.5)
    assert parity(lucky, outcomes)[1] == [0] * 40


def test_half_of_the_answers_prove_something():
    """The same model, right on 20 of 20 where a was right on 15, is taken."""
    outcomes = few_known(20)
    assert parity(estimates(outcomes, [[0.75, 1.0]] * 40, error=0.1), outcomes)[1] == [1] * 40


def test_a_sure_gain_needs_answers():
    """Quality alone stays with the reference too where the other model was asked once."""
    outcomes = few_known(1)
    made = estimates(outcomes, [[0.75, 1.0]] * 40, error=0.5)
    setting = at_value(made, outcomes, reference=0, quality_value_usd=np.inf)
    assert choose_at(made, setting, reference=0).tolist() == [0] * 40
