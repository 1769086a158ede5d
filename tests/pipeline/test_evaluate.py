from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.choices import choice_of, oracle_columns, score_choices
from pipeline.estimators.base import Estimates, Prompts
from pipeline.estimators.domain_table import DomainTable
from pipeline.evaluate import Split, score_split
from pipeline.frontier import average_improvement, means_of, quality_values, sweep_router
from pipeline.summarise import evaluate_routers
from tests.support import GRID, NAN, outcomes_of

N, HALF = 24, 12
QUALITY = np.tile([[1.0, 0.0], [0.25, 0.5], [1.0, 1.0]], (8, 1))
COST = np.tile([[0.04, 0.01]], (N, 1))
qualities = arrays(np.float64, (N, 2), elements=st.sampled_from(GRID))


def split(quality=QUALITY, cost=COST):
    """Return a split of N prompts in turn from three domains; the second half is tested."""
    memberships = np.zeros((N, 4))
    memberships[np.arange(N), np.arange(N) % 3] = 1.0
    vectors = np.eye(3, dtype=np.float32)[np.arange(N) % 3]
    prompts = Prompts(texts=("",) * N, vectors=vectors, memberships=memberships)
    outcomes = outcomes_of(quality, cost)
    train, test = np.arange(HALF), np.arange(HALF, N)
    return Split(
        train=prompts.rows(train),
        train_outcomes=outcomes.rows(train),
        train_folds=np.arange(HALF) % 4,
        test=prompts.rows(test),
        test_outcomes=outcomes.rows(test),
        test_rows=test,
    )


def evaluate(*splits, estimators=None):
    found = evaluate_routers(splits, estimators or {"table": DomainTable()}, n_prompts=N)
    return found, {score.router: score for score in found.routers}


def exact(outcomes):
    """Return estimates that equal the outcomes."""
    return Estimates(
        model_ids=outcomes.model_ids,
        quality=outcomes.quality,
        cost_usd=outcomes.cost_usd,
        standard_error=np.zeros_like(outcomes.quality),
    )


class Cheat:
    """An estimator that was told every outcome: the best any router can do."""

    def __init__(self, outcomes):
        self.outcomes = outcomes

    def fit(self, _prompts, _outcomes):
        return self

    def estimate(self, prompts):
        return exact(self.outcomes.rows(np.arange(len(prompts.texts)) % 3))


def test_baselines_by_hand():
    """Over 12 test prompts a has 2.25/3, b 1.5/3, the oracle 2.5/3 at 0.02 USD."""
    found, scores = evaluate(split())
    assert found.best_single == "a"
    assert found.best_single_quality == pytest.approx(0.75)
    assert found.best_single_cost_usd == pytest.approx(0.04)
    assert found.oracle_quality == pytest.approx(2.5 / 3)
    assert found.oracle_cost_usd == pytest.approx((0.04 + 0.01 + 0.01) / 3)
    assert scores["cheapest"].quality == pytest.approx(0.5)
    assert scores["random"].quality == pytest.approx(0.625)
    assert scores["random"].calls == {"a": 0.5, "b": 0.5}
    assert found.zero_router_aiq == pytest.approx(0.625)


def test_the_best_single_router_by_hand():
    """It is 0 points from itself, at cost ratio 1, and closes nothing of the gap."""
    best = evaluate(split())[1]["best_single"]
    assert (best.delta_points.mean, best.cost_ratio.mean, best.gap_closed) == (0, 1, 0)
    assert best.delta_points.lo == best.delta_points.hi == 0
    assert np.isnan(best.aiq)


def test_a_router_that_knows_everything_closes_the_gap():
    """Its quality is the oracle's: 100 % of the gap, 8.33 points, at half the cost."""
    cheat = Cheat(outcomes_of(QUALITY[:3], COST[:3]))
    score = evaluate(split(), estimators={"cheat": cheat})[1]["cheat"]
    assert score.gap_closed == pytest.approx(1.0)
    assert score.delta_points.mean == pytest.approx(100 * (2.5 / 3 - 0.75))
    assert score.cost_ratio.mean == pytest.approx(0.5)
    assert score.cost_ratio_frontier <= score.cost_ratio.mean


def test_a_table_learns_what_each_domain_needs():
    """The first domain goes to a; at parity the third goes to the cheaper b."""
    found, scores = evaluate(split())
    assert scores["table"].quality == pytest.approx(found.oracle_quality)
    assert scores["table"].cost_ratio.mean < 1
    assert scores["table"].aiq > found.zero_router_aiq


def test_scores_are_read_on_the_test_part():
    """Other test outcomes change the score; the choices stay, for they come from training."""
    quality = QUALITY.copy()
    quality[HALF:] = 1 - quality[HALF:]
    base, turned = evaluate(split())[1]["table"], evaluate(split(quality))[1]["table"]
    assert turned.calls == base.calls
    assert turned.quality != base.quality
    assert evaluate(split(quality))[0].best_single == "a"


def test_the_best_single_model_is_chosen_on_training_prompts():
    """A model that is better on the test prompts alone is not the reference."""
    quality = np.tile([[0.5, 0.25]], (N, 1))
    quality[HALF:] = [0.5, 1.0]
    assert evaluate(split(quality))[0].best_single == "a"


@settings(deadline=None, max_examples=25)
@given(qualities, st.permutations(range(HALF)))
def test_row_order_is_irrelevant(quality, order):
    """Shuffled training and test prompts give the same evaluation."""
    whole, order = split(quality), np.array(order)
    shuffled = Split(
        train=whole.train.rows(order),
        train_outcomes=whole.train_outcomes.rows(order),
        train_folds=whole.train_folds[order],
        test=whole.test.rows(order),
        test_outcomes=whole.test_outcomes.rows(order),
        test_rows=whole.test_rows[order],
    )
    first, second = (evaluate(part)[1]["table"] for part in (whole, shuffled))
    assert second.quality == pytest.approx(first.quality)
    assert second.parity_cost_usd == pytest.approx(first.parity_cost_usd)
    assert second.delta_points.lo == pytest.approx(first.delta_points.lo)


@settings(deadline=None, max_examples=25)
@given(qualities)
def test_regret_is_never_negative(quality):
    """No router is better than the oracle, and the gap closed is at most all of it."""
    found, scores = evaluate(split(quality))
    for score in scores.values():
        assert score.quality <= found.oracle_quality + 1e-12
        assert score.parity_quality <= found.oracle_quality + 1e-12
        assert np.isnan(score.gap_closed) or score.gap_closed <= 1 + 1e-12
        assert sum(score.calls.values()) == pytest.approx(1)


@settings(deadline=None, max_examples=25)
@given(qualities)
def test_aiq_lies_between_the_least_and_the_best_quality(quality):
    """Of single models for the zero router; of outcomes for a table."""
    found, scores = evaluate(split(quality))
    single = quality[HALF:].mean(axis=0)
    assert single.min() - 1e-9 <= found.zero_router_aiq <= single.max() + 1e-9
    assert quality[HALF:].min() - 1e-9 <= scores["table"].aiq <= found.oracle_quality + 1e-9


@given(qualities)
def test_the_zero_routers_own_points_have_its_aiq(quality):
    """Estimates equal for all prompts sweep through single models: the same hull, but for ties."""
    outcomes = outcomes_of(quality, COST)
    constant = np.tile(quality.mean(axis=0), (N, 1))
    estimates = replace(exact(outcomes), quality=constant)
    sweep = sweep_router(estimates, quality_values(outcomes))
    ends = {"cheapest_usd": 0.01, "dearest_usd": 0.04}
    own = average_improvement(*means_of(sweep.chosen, outcomes), **ends)
    assert own == pytest.approx(
        average_improvement(COST[0], quality.mean(axis=0), **ends), abs=1e-9
    )


@settings(deadline=None, max_examples=15)
@given(qualities, st.sampled_from([0.5, 4.0]))
def test_scaling_prices_scales_costs_alone(quality, factor):
    """Ratios, AIQ and choices have no currency."""
    once, scaled = (evaluate(split(quality, f * COST))[1]["table"] for f in (1, factor))
    assert scaled.calls == once.calls
    assert scaled.parity_cost_usd == pytest.approx(factor * once.parity_cost_usd)
    assert scaled.cost_ratio.mean == pytest.approx(once.cost_ratio.mean)
    assert scaled.aiq == pytest.approx(once.aiq)


def test_unknown_costs_stay_unknown():
    """Without costs there is quality, but neither AIQ nor a cost ratio nor a cheapest model."""
    found, scores = evaluate(split(cost=np.full((N, 2), NAN)))
    assert "cheapest" not in scores
    assert np.isnan(
        [found.best_single_cost_usd, found.oracle_cost_usd, found.zero_router_aiq]
    ).all()
    table = scores["table"]
    numbers = [table.cost_usd, table.aiq, table.cost_ratio_frontier, table.cost_ratio.mean]
    assert np.isnan([*numbers, table.cost_ratio.lo, table.parity_cost_usd]).all()
    assert table.quality == pytest.approx(found.oracle_quality)


@pytest.mark.parametrize("quality", [0.0, 0.5, 1.0])
def test_equal_outcomes_leave_no_gap(quality):
    """Where all models are equal the gap closed is unknown, and points are 0."""
    _, scores = evaluate(split(np.full((N, 2), quality)))
    assert np.isnan(scores["table"].gap_closed)
    assert scores["table"].delta_points.mean == 0
    assert scores["table"].calls == {"a": 0.0, "b": 1.0}


def test_free_models_have_no_cost_ratio():
    """Models that cost nothing are scored on quality; a ratio to nothing is unknown."""
    found, scores = evaluate(split(cost=np.zeros((N, 2))))
    assert scores["table"].quality == pytest.approx(found.oracle_quality)
    assert scores["table"].cost_usd == 0
    assert np.isnan([scores["table"].cost_ratio.mean, scores["table"].cost_ratio_frontier]).all()


def test_splits_are_averaged():
    """Two equal splits give the numbers of one, with the number of seeds counted."""
    one, two = evaluate(split()), evaluate(split(), split())
    assert two[0].n_seeds == 2
    assert two[1]["table"].quality == one[1]["table"].quality
    assert two[1]["table"].delta_points == one[1]["table"].delta_points


def test_a_split_names_its_routers():
    """Every estimator and every baseline has a score."""
    _, scores = score_split(split(), {"table": DomainTable()})
    assert set(scores) == {"table", "best_single", "cheapest", "random"}


def test_the_oracle_takes_the_cheapest_of_the_best():
    """Ties in quality go to the lower cost."""
    found = oracle_columns(outcomes_of([[1, 1, 0], [0, 0.5, 0.25]], [[2, 1, 0]]))
    assert found.tolist() == [1, 1]


def test_the_oracle_takes_no_unknown_cost_for_a_low_one():
    """Of two best models, the one whose cost is known is taken; unknown ones still may be best."""
    assert oracle_columns(outcomes_of([[1, 1], [1, 0]], [[NAN, 9]])).tolist() == [1, 0]
    assert oracle_columns(outcomes_of([[0, 1]])).tolist() == [1]


def test_choices_by_hand():
    """a, a, b: quality (1 + 0 + 1)/3 against a's 1/3, cost 0.03 against 0.04."""
    outcomes = outcomes_of([[1, 0], [0, 1], [0, 1]], [[0.04, 0.01]])
    (score,) = score_choices({"mine": np.array([0, 0, 1])}, outcomes, reference=0)
    assert score.quality == pytest.approx(2 / 3)
    assert score.quality_share == pytest.approx(2)
    assert score.delta_points.mean == pytest.approx(100 / 3)
    assert score.cost_ratio.mean == pytest.approx(0.75)
    assert score.calls == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}


def test_choices_against_nothing_have_no_share():
    """A reference that is never right and never paid gives unknown ratios."""
    outcomes = outcomes_of([[0, 1]] * 3, [[0.0, 1.0]])
    (score,) = score_choices({"mine": np.ones(3, dtype=int)}, outcomes, reference=0)
    assert np.isnan([score.quality_share, score.cost_ratio.mean]).all()
    assert (score.quality, score.cost_usd, score.delta_points.mean) == (1, 1, 100)


def test_a_choice_is_looked_up():
    """Shares, quality and cost of the chosen columns; unknown stays unknown."""
    choice = choice_of(np.array([0, 1, 1]), outcomes_of(QUALITY[:3], [[1, NAN]]))
    assert choice.shares == pytest.approx([1 / 3, 2 / 3])
    assert choice.quality.tolist() == [1, 0.5, 1]
    assert np.array_equal(choice.cost_usd, [1, NAN, NAN], equal_nan=True)
