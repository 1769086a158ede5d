from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.candidates import Constraints, Facts
from pipeline.constraints import route_under
from pipeline.estimators.base import Estimates
from pipeline.route import choose_by_utility
from profiles.errors import InfeasibleError, UsageError

UNHURRIED = settings(deadline=None)  # a busy machine is no failure

GRID = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def table(quality, cost_usd):
    quality, cost_usd = np.array(quality, dtype=float), np.array(cost_usd, dtype=float)
    return Estimates(
        model_ids=tuple("abcdef"[: quality.shape[1]]),
        quality=quality,
        cost_usd=cost_usd,
        standard_error=np.zeros_like(quality),
    )


TWO = table([[0.5, 0.9], [0.6, 0.9], [0.8, 0.9]], [[1.0, 2.0]] * 3)
"""Model b is better and dearer, least so for the last prompt."""

TABLES = st.tuples(st.integers(1, 4), st.integers(1, 3)).flatmap(
    lambda shape: st.builds(
        table, arrays(float, shape, elements=GRID), arrays(float, shape, elements=GRID)
    )
)


@UNHURRIED
@given(TABLES, st.sampled_from([np.inf, 1.0, 0.5, 0.0]))
def test_without_constraints_it_routes_by_utility(estimates, value):
    """Choices and ties are those of `route_by_utility`."""
    decisions = route_under(estimates, Constraints(), quality_value_usd=value)
    assert np.array_equal(decisions.chosen, choose_by_utility(estimates, quality_value_usd=value))
    assert set(decisions.reason) <= {"best value"}
    assert decisions.shadow_price == 0.0
    assert decisions.gap == 0.0


@UNHURRIED
@given(TABLES, st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from([0.25, 1.0]))
def test_a_larger_budget_never_gives_lower_quality(estimates, slack, more):
    """And neither budget is exceeded."""
    least = estimates.cost_usd.min(axis=1).sum()
    small = route_under(estimates, Constraints(budget_usd=least + slack))
    large = route_under(estimates, Constraints(budget_usd=least + slack + more))
    assert small.cost_usd <= least + slack
    assert large.cost_usd <= least + slack + more
    assert large.quality >= small.quality


@UNHURRIED
@given(TABLES, st.sampled_from([None, 2.0]), st.randoms(use_true_random=False))
def test_the_order_of_prompts_is_irrelevant(estimates, budget, random):
    """Shuffled prompts reach the same totals, or the same error."""
    order = list(range(len(estimates.quality)))
    random.shuffle(order)
    shuffled = replace(
        estimates, quality=estimates.quality[order], cost_usd=estimates.cost_usd[order]
    )
    constraints = Constraints(budget_usd=budget, max_share={"a": 0.5})
    totals = []
    for each in (estimates, shuffled):
        try:
            totals.append(round(route_under(each, constraints).quality, 9))
        except InfeasibleError as error:
            totals.append(error.constraint)
    assert totals[0] == totals[1]


def test_a_budget_goes_where_quality_is_bought():
    """$4 leave one step, which the first prompt makes most of; the next would buy 0.3 for $1."""
    decisions = route_under(TWO, Constraints(budget_usd=4.0))
    assert decisions.chosen.tolist() == [1, 0, 0]
    assert decisions.reason.tolist() == ["best value", "budget", "budget"]
    assert np.isclose(decisions.shadow_price, 0.3)
    assert (decisions.quality, decisions.cost_usd) == (pytest.approx(2.3), 4.0)


def test_capacity_goes_where_it_is_worth_most():
    """One call to b, by count or by share."""
    for constraints in (Constraints(max_count={"b": 1}), Constraints(max_share={"b": 0.34})):
        decisions = route_under(TWO, constraints)
        assert decisions.chosen.tolist() == [1, 0, 0]
        assert decisions.reason.tolist() == ["best value", "capacity", "capacity"]
        assert 0.3 - 1e-9 <= decisions.capacity_price["b"] <= 0.4 + 1e-9


def test_budget_and_capacity_together():
    """Both limits hold, at the best total there is."""
    decisions = route_under(TWO, Constraints(budget_usd=5.0, max_count={"b": 1}))
    assert decisions.chosen.tolist() == [1, 0, 0]
    assert decisions.cost_usd <= 5.0


def test_each_limit_is_told_from_the_other():
    """The one call to b keeps the second prompt from it; the third cannot pay for c."""
    estimates = table([[0.5, 0.9, 0.5], [0.5, 0.85, 0.5], [0.5, 0.5, 0.9]], [[1.0, 2.0, 4.0]] * 3)
    decisions = route_under(estimates, Constraints(budget_usd=5.0, max_count={"b": 1}))
    assert decisions.chosen.tolist() == [1, 0, 0]
    assert decisions.reason.tolist() == ["best value", "capacity", "budget"]
    assert np.isclose(decisions.shadow_price, 0.4 / 3.0)


def test_reasons_name_the_constraint_that_moved_a_prompt():
    """Context, features and latency each keep one prompt from b; the floor lifts one to b."""
    facts = Facts(
        n_tokens_in=np.array([9_000, 10, 10]),
        context_tokens=np.array([32_000.0, 8_000.0]),
        required=[frozenset(), frozenset({"images"}), frozenset()],
        features=[frozenset({"images"}), frozenset()],
        latency_s=np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 3.0]]),
    )
    decisions = route_under(TWO, Constraints(max_latency_s=2.0), facts=facts)
    assert decisions.chosen.tolist() == [0, 0, 0]
    assert decisions.reason.tolist() == ["context", "features", "latency"]
    floor = route_under(TWO, Constraints(min_quality=0.7), quality_value_usd=0.0)
    assert floor.chosen.tolist() == [1, 1, 0]
    assert floor.reason.tolist() == ["floor", "floor", "best value"]


def test_a_floor_may_differ_by_prompt():
    """One delicate prompt, two others."""
    floor = np.array([0.0, 0.9, 0.0])
    decisions = route_under(TWO, Constraints(min_quality=floor), quality_value_usd=0.0)
    assert decisions.chosen.tolist() == [0, 1, 0]


def test_lists_name_the_candidates():
    """An allow list keeps, a deny list drops; the best of the rest is the best value."""
    for constraints in (Constraints(allow=("a",)), Constraints(deny=("b",))):
        decisions = route_under(TWO, constraints)
        assert decisions.chosen.tolist() == [0, 0, 0]
        assert set(decisions.reason) == {"best value"}


def test_the_fallback_chain_takes_what_nobody_can():
    """Its first possible model serves prompts below the floor, and unassigned ones."""
    constraints = Constraints(min_quality=0.85, deny=("b",), fallback=("b", "a"))
    decisions = route_under(TWO, constraints)
    assert decisions.chosen.tolist() == [0, 0, 0]
    facts = Facts(unassigned=np.array([True, False, False]))
    decisions = route_under(TWO, Constraints(fallback=("a",)), facts=facts)
    assert decisions.chosen.tolist() == [0, 1, 1]
    assert decisions.reason.tolist() == ["fallback", "best value", "best value"]


def test_unknown_cost_is_no_candidate_under_a_budget():
    """Without a budget, and with quality alone deciding, it is one."""
    estimates = table([[0.5, 0.9]], [[1.0, np.nan]])
    assert route_under(estimates, Constraints()).chosen.tolist() == [1]
    assert np.isnan(route_under(estimates, Constraints()).cost_usd)
    assert route_under(estimates, Constraints(budget_usd=9.0)).chosen.tolist() == [0]


@pytest.mark.parametrize(
    ("constraints", "facts", "message", "name", "nearest"),
    [
        (
            Constraints(budget_usd=1.0),
            Facts(),
            r"\$1 is below the cheapest possible \$3",
            "budget",
            3,
        ),
        (
            Constraints(min_quality=0.95),
            Facts(),
            r"floor 0.95 on 3 prompts, first at row 0; the highest feasible floor is 0.9\.",
            "floor",
            0.9,
        ),
        (
            Constraints(min_quality=np.array([0.5, 0.95, 0.5])),
            Facts(),
            "on 1 prompts, first at row 1; the largest shortfall is 0.05",
            "floor",
            0.05,
        ),
        (
            Constraints(max_latency_s=1.0),
            Facts(latency_s=np.array([[0.5, 0.5], [1.5, 2.0], [1.75, np.nan]])),
            "within 1 s on 2 prompts, first at row 1; the lowest feasible cap in seconds is 1.75",
            "latency",
            1.75,
        ),
        (
            Constraints(),
            Facts(n_tokens_in=np.array([1, 2, 9]), context_tokens=np.array([8.0, np.nan])),
            "on 1 prompts, first at row 2; the largest one in tokens is 8",
            "context",
            8,
        ),
        (
            Constraints(),
            Facts(required=[frozenset("x")] * 3, features=[frozenset(), frozenset("y")]),
            "required features on 3 prompts",
            "features",
            None,
        ),
        (Constraints(max_count={"a": 1, "b": 1}), Facts(), "leave 1 of 3", "capacity", 1),
        (Constraints(deny=("a", "b")), Facts(), "leave no model", "allow", None),
        (
            Constraints(min_quality=0.95, deny=("b",), fallback=("b",)),
            Facts(),
            "highest feasible floor is 0.5",
            "floor",
            0.5,
        ),
    ],
)
def test_infeasible_constraints_name_the_nearest_feasible_value(
    constraints, facts, message, name, nearest
):
    """Which constraint binds, where, and what would do."""
    with pytest.raises(InfeasibleError, match=message) as caught:
        route_under(TWO, constraints, facts=facts)
    assert caught.value.constraint == name
    assert caught.value.nearest == (nearest if nearest is None else pytest.approx(nearest))
    assert caught.value.exit_code == 2


def test_the_nearest_budget_works():
    """The number in the message can be typed back."""
    estimates = table([[1.0], [1.0]], [[0.66801], [0.669]])
    with pytest.raises(InfeasibleError, match=r"possible \$1.338\."):
        route_under(estimates, Constraints(budget_usd=1.0))
    assert route_under(estimates, Constraints(budget_usd=1.338)).cost_usd <= 1.338


def test_no_model_is_known():
    """A prompt without a known quality has no candidate."""
    with pytest.raises(InfeasibleError, match="known quality and cost can take 1 prompts"):
        route_under(table([[np.nan]], [[1.0]]), Constraints())


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (Constraints(budget_usd=np.nan), "budget_usd must be a number"),
        (Constraints(max_share={"a": 1.5}), "max_share of a must be from 0 to 1"),
        (Constraints(max_count={"a": -1}), "max_count of a must be at least 0"),
        (Constraints(max_latency_s=1.0), "needs latency estimates"),
        (Constraints(min_quality=np.zeros(2)), r"min_quality must have shape \(3,\), got \(2,\)"),
    ],
)
def test_senseless_constraints(constraints, message):
    """Numbers and shapes that mean nothing."""
    with pytest.raises(ValueError, match=message):
        route_under(TWO, constraints)


def test_features_list_every_prompt_and_model():
    """A list of another length is an error."""
    with pytest.raises(ValueError, match="must list 3 prompts and 2 models, got 1 and 0"):
        route_under(TWO, Constraints(), facts=Facts(required=[frozenset()]))


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(allow=("z",)),
        Constraints(deny=("z",)),
        Constraints(max_count={"z": 1}),
        Constraints(min_quality=0.95, fallback=("z",)),
    ],
)
def test_unknown_models(constraints):
    """A model that is no candidate is named, with those that are."""
    with pytest.raises(UsageError, match="no model 'z' among the candidates: a, b"):
        route_under(TWO, constraints)


def test_no_prompts():
    """Nothing to decide costs nothing, under any constraint."""
    none = table(np.empty((0, 2)), np.empty((0, 2)))
    decisions = route_under(none, Constraints(budget_usd=0.0, max_count={"a": 0}))
    assert decisions.chosen.shape == (0,)
    assert (decisions.quality, decisions.cost_usd, decisions.gap) == (0.0, 0.0, 0.0)


def test_one_prompt_one_model():
    """The only choice is the best value."""
    decisions = route_under(table([[0.5]], [[1.0]]), Constraints(budget_usd=1.0))
    assert decisions.chosen.tolist() == [0]
    assert decisions.reason.tolist() == ["best value"]
