import numpy as np
import pytest

from pipeline.bootstrap import Interval
from pipeline.estimators.domain_table import DomainTable
from pipeline.estimators.knn import NearestNeighbours
from pipeline.evaluate import PairQuestion
from pipeline.onboarding import onboarding_curve
from pipeline.strong_weak import Pair, PairTarget
from pipeline.summarise import break_even, evaluate_routers
from tests.pipeline.test_evaluate import COST, QUALITY, N, split
from tests.support import NAN

ROUTERS = {"table": DomainTable(), "near": NearestNeighbours(n_neighbours=(3,))}
HALF_GAP = PairQuestion(pair=Pair(strong=0, weak=1), target=PairTarget(kind="gap", value=0.5))


def saving(mean, lo, hi):
    return Interval(mean=mean, lo=lo, hi=hi)


def test_break_even_by_hand():
    """Ten dollars at two cents a prompt are 500 prompts; the interval turns round."""
    assert break_even(10.0, saving(0.02, 0.01, 0.04)) == saving(500.0, 250.0, 1000.0)


def test_a_saving_that_may_be_none_has_no_upper_end():
    """It is infinite, which JSON shows as null."""
    assert break_even(10.0, saving(0.02, -0.01, 0.04)).hi == np.inf


@pytest.mark.parametrize(
    ("cost", "saved"), [(10.0, saving(-0.1, -0.2, 0.1)), (NAN, saving(1, 1, 1)),
                        (10.0, saving(NAN, NAN, NAN))],
)  # fmt: skip
def test_without_a_saving_nothing_breaks_even(cost, saved):
    """No saving and unknown costs are both NaN."""
    assert np.isnan(break_even(cost, saved).mean)


def test_scores_agree_with_each_other():
    """Parity is the kept share 1; regret is oracle minus quality; the first is 0 from itself."""
    found = evaluate_routers([split()], ROUTERS, n_prompts=N)
    table, near = found.routers[:2]
    assert table.kept[1.0].cost_ratio == table.cost_ratio
    assert table.regret == pytest.approx(found.oracle_quality - table.quality)
    assert table.versus.delta_points == saving(0, 0, 0)
    assert table.versus.parity_cost_ratio.mean == 1
    difference = 100 * (near.quality - table.quality)
    assert near.versus.delta_points.mean == pytest.approx(difference)
    assert found.labelling_usd == pytest.approx(COST[:12].sum())
    assert sum(cell.n for cell in table.parity_regret_cells) == 12


def test_less_quality_to_keep_costs_no_more():
    """The frontier falls with the share that is kept."""
    table = evaluate_routers([split()], ROUTERS, n_prompts=N).routers[0]
    ratios = [table.kept[share].cost_ratio_frontier for share in (1.0, 0.98, 0.95)]
    assert ratios == sorted(ratios, reverse=True)


def test_break_even_counts_the_training_outcomes():
    """What the 12 training prompts cost with both models, over what one routed prompt saves."""
    found = evaluate_routers([split()], ROUTERS, n_prompts=N)
    table = found.routers[0]
    saved = found.best_single_cost_usd - table.parity_cost_usd
    assert table.break_even_prompts.mean == pytest.approx(found.labelling_usd / saved)


def test_a_pair_by_hand():
    """Gains are known exactly: a third of the prompts, the ones `a` wins by 1, close the gap."""
    found = evaluate_routers([split()], ROUTERS, n_prompts=N, question=HALF_GAP)
    pair = found.routers[0].pair
    assert pair is not None
    assert pair.placement.cpt50.mean == pytest.approx(1 / 6)
    assert pair.placement.apgr.mean > 0.5
    assert pair.gap_closed >= 0.5
    assert pair.calls <= 1 / 3 + 1e-9
    best_single = next(score for score in found.routers if score.router == "best_single")
    assert best_single.pair is None


def test_unknown_costs_leave_quality_known():
    """Points and regret are numbers; everything about money is NaN."""
    found = evaluate_routers([split(cost=NAN * COST)], ROUTERS, n_prompts=N)
    table = found.routers[0]
    assert np.isfinite(
        [table.regret, table.delta_points.mean, table.versus.delta_points.mean]
    ).all()
    assert np.isnan([table.log_aiq, table.break_even_prompts.mean, found.labelling_usd]).all()


def test_onboarding_by_hand():
    """Without `b` all goes to `a`; with it the second domain gains .25 on a third: 8.33 points."""
    points = onboarding_curve([split()], DomainTable(), model_id="b", n_prompts=N, shares=(0, 1))
    none, full = points
    assert (none.n_labelled, none.gain_points.mean, none.calls) == (0, 0, 0)
    assert none.quality == pytest.approx(QUALITY[:3, 0].mean())
    assert full.n_labelled == 12
    assert full.gain_points.mean == pytest.approx(100 * 0.25 / 3)
    assert full.share_of_gain.mean == 1
    assert full.calls > 0


def test_a_model_that_gains_nothing_has_no_share_of_gain():
    """0 of 0 is unknown."""
    quality = np.column_stack([np.ones(N), np.zeros(N)])
    points = onboarding_curve(
        [split(quality)], DomainTable(), model_id="b", n_prompts=N, shares=(0, 1)
    )
    assert points[-1].gain_points.mean == 0
    assert np.isnan(points[-1].share_of_gain.mean)
