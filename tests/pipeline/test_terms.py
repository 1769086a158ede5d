from dataclasses import replace

import numpy as np
import pytest

from pipeline.estimators.base import Estimates
from pipeline.terms import Limits, Terms, require_feasible, weigh, within
from profiles.errors import InfeasibleError
from tests.support import NAN

ESTIMATES = Estimates(
    model_ids=("a", "b", "c"),
    quality=np.array([[0.9, 0.95, 0.5], [0.6, 0.3, 0.2]]),
    cost_usd=np.array([[0.3, 0.2, 0.1], [0.3, 0.2, 0.1]]),
    standard_error=np.array([[0.0, 0.1, 0.1], [0.0, 0.1, 0.1]]),
)
MEMBERSHIPS = np.array([[1.0, 0.0], [0.0, 1.0]])
"""The second prompt is unassigned."""
LATENCY = np.array([[3.0, 1.0, NAN], [3.0, 1.0, NAN]])
TERMS = Terms(
    reference=0,
    quality_value_usd=1.0,
    z=np.zeros(2),
    surcharge=np.zeros(3),
    limits=Limits(),
    locks=np.full(2, -1),
)


def utility(**changes):
    return weigh(ESTIMATES, MEMBERSHIPS, LATENCY, replace(TERMS, **changes)).utility


def test_without_terms_value_alone_decides():
    """Quality minus cost over the value of quality."""
    assert utility() == pytest.approx(ESTIMATES.quality - ESTIMATES.cost_usd)


def test_caution_and_surcharges_are_taken_off():
    """Two standard errors in the first bucket only, never for the reference; b is in demand."""
    found = utility(z=np.array([2.0, 0.0]), surcharge=np.array([0.0, 0.05, 0.0]))
    assert found[0] == pytest.approx([0.6, 0.75 - 0.2 - 0.05, 0.4 - 0.2])
    assert found[1] == pytest.approx([0.3, 0.1 - 0.05, 0.1])


def test_a_floor_and_a_cap_leave_models_out():
    """An unknown latency keeps no cap."""
    assert np.isfinite(utility(limits=Limits(min_quality=0.6))).tolist() == [
        [True, True, False],
        [True, False, False],
    ]
    assert (
        np.isfinite(utility(limits=Limits(max_latency_s=2.0))).tolist()
        == [[False, True, False]] * 2
    )


def test_a_lock_goes_before_limits_and_chains():
    """The dearest of poor models answers, and what would follow it is as without the lock."""
    limits = Limits(min_quality=0.55, fallback=(1,))
    locked = replace(TERMS, limits=limits, locks=np.array([2, 2]))
    found = weigh(ESTIMATES, MEMBERSHIPS, LATENCY, locked)
    assert np.isfinite(found.utility).tolist() == [[False, False, True]] * 2
    assert found.is_locked.all()
    assert not found.fell_back.any()
    free = weigh(ESTIMATES, MEMBERSHIPS, LATENCY, replace(TERMS, limits=limits))
    assert np.array_equal(found.unlocked, free.utility)


def test_a_lock_yields_to_a_rule_and_to_ignorance():
    """A model that a rule forbids, or of which nothing is known, is not locked to."""
    locked = replace(TERMS, locks=np.array([1, 2]))
    allowed = np.array([[True, False, True], [True, True, True]])
    found = weigh(ESTIMATES, MEMBERSHIPS, LATENCY, locked, allowed=allowed)
    assert found.is_locked.tolist() == [False, True]
    unknown = replace(ESTIMATES, quality=np.where(np.arange(3) == 2, NAN, ESTIMATES.quality))
    found = weigh(unknown, MEMBERSHIPS, LATENCY, locked)
    assert found.is_locked.tolist() == [True, False]


def test_a_prompt_beyond_every_limit_goes_to_the_reference():
    """Whatever it costs: something has to answer."""
    limits = Limits(min_quality=0.7)
    found = weigh(ESTIMATES, MEMBERSHIPS, LATENCY, replace(TERMS, limits=limits))
    assert found.fell_back.tolist() == [False, True]
    assert found.utility[1].tolist() == [0.0, -np.inf, -np.inf]
    assert np.isfinite(found.unlimited).all()


def test_a_chain_takes_the_unassigned_in_its_order():
    """Named models, first choice first; the first prompt is routed as ever."""
    limits = Limits(fallback=(2, 1))
    found = weigh(ESTIMATES, MEMBERSHIPS, LATENCY, replace(TERMS, limits=limits))
    assert found.fell_back.tolist() == [False, True]
    assert found.utility[1].tolist() == [-np.inf, -1.0, 0.0]


def test_an_unknown_quality_is_no_candidate():
    """Not even in a chain."""
    unknown = replace(ESTIMATES, quality=np.tile([0.5, NAN, 0.5], (2, 1)))
    terms = replace(TERMS, limits=Limits(fallback=(1, 2)))
    found = weigh(unknown, MEMBERSHIPS, LATENCY, terms).utility
    assert np.isneginf(found[:, 1]).all()
    assert found[1, 2] == -1.0


def test_limits_that_everyone_keeps_change_nothing():
    """All models pass where nothing is asked."""
    assert within(ESTIMATES.quality, LATENCY, Limits()).all()


def feasible(**limits):
    require_feasible(ESTIMATES.quality, LATENCY, Limits(**limits), ("maths", "art"))


def test_a_floor_nobody_reaches_is_an_error():
    """The message names the option, the domain and the nearest floor, which then passes."""
    with pytest.raises(
        InfeasibleError, match=r"--min-quality 0\.7 .*1 of 2.*'art'.* is 0\.6\."
    ) as e:
        feasible(min_quality=0.7)
    assert e.value.nearest == 0.6
    feasible(min_quality=0.6)


def test_a_floor_among_the_fast_models_is_the_one_that_binds():
    """Only b answers in time, and reaches 0.3 in art."""
    with pytest.raises(InfeasibleError, match=r"--min-quality") as found:
        feasible(min_quality=0.5, max_latency_s=2.0)
    assert found.value.nearest == 0.3


def test_a_cap_nobody_keeps_is_an_error():
    """The nearest cap is what the fastest model needs."""
    with pytest.raises(InfeasibleError, match=r"--max-latency-s 0\.5 .*everywhere is 1\.") as found:
        feasible(max_latency_s=0.5)
    assert found.value.nearest == 1.0


def test_a_cap_without_any_latency_says_what_to_import():
    """Unknown is not fast."""
    with pytest.raises(InfeasibleError, match="no latency is known there") as found:
        require_feasible(
            ESTIMATES.quality, np.full((2, 3), NAN), Limits(max_latency_s=9.0), ("maths", "art")
        )
    assert found.value.nearest is None


def test_a_named_fallback_makes_every_limit_feasible():
    """Then the chain answers."""
    feasible(min_quality=0.99, max_latency_s=0.1, fallback=(0,))


def chosen_under(allowed, **changes):
    weighed = weigh(ESTIMATES, MEMBERSHIPS, LATENCY, replace(TERMS, **changes), allowed=allowed)
    return weighed.utility.argmax(axis=1).tolist(), weighed.fell_back.tolist()


def test_rules_leave_models_out():
    """What a rule does not let pass is no candidate; other prompts are as before."""
    free = np.ones((2, 3), dtype=bool)
    assert chosen_under(free) == ([1, 0], [False, False])
    ruled = np.array([[True, False, True], [True, True, True]])
    assert chosen_under(ruled) == ([0, 0], [False, False])


def test_limits_yield_before_rules_do():
    """The only model within the rules takes the prompt although it is below the floor."""
    only_c = np.array([[False, False, True], [True, True, True]])
    assert chosen_under(only_c, limits=Limits(min_quality=0.6)) == ([2, 0], [True, False])
    chained = Limits(min_quality=0.6, fallback=(0, 2))
    assert chosen_under(only_c, limits=chained) == ([2, 0], [True, True])


def test_rules_that_leave_nobody_leave_the_reference():
    """Something has to answer even then."""
    nobody = np.zeros((2, 3), dtype=bool)
    assert chosen_under(nobody) == ([0, 0], [True, True])
