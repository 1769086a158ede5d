import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.estimators.base import Prompts
from pipeline.estimators.domain_table import DomainTable, build_cells
from tests.support import GRID, NAN, outcomes_of

HARD = np.repeat(np.eye(3)[:2], 4, axis=0)
"""Eight prompts: four in each of two domains, none unassigned."""


def prompts(memberships):
    n = len(memberships)
    return Prompts(
        texts=("",) * n, vectors=np.zeros((n, 2), np.float32), memberships=np.array(memberships)
    )


def quality_of(advantages):
    """Return outcomes: model a always 0.5, model b better by the advantage of each domain."""
    b = 0.5 + np.repeat(advantages, 4) + np.tile([-0.25, 0.25], 4)
    return outcomes_of(np.column_stack([np.full(8, 0.5), b]), [[1.0, 2.0]])


def test_cells_by_hand():
    """Advantages ±0.25 are shrunk to their mean 0 by B = tau² / (tau² + v / 4).

    Within a domain the variance is 1/16, over all 1/8; pooled with ten pseudo-observations
    v = (4/16 + 10/8) / 14 = 3/28 and v/4 = 3/112; tau² = 1/16 − 3/112 = 1/28; B = 4/7.
    """
    cells = build_cells(HARD, quality_of([0.25, -0.25]), 0)
    assert cells.advantage[:2, 1] == pytest.approx([1 / 7, -1 / 7])
    assert cells.advantage_sd[:2, 1] == pytest.approx([np.sqrt(4 / 7 * 3 / 112)] * 2)
    assert cells.quality[:2, 1] == pytest.approx([0.5 + 1 / 7, 0.5 - 1 / 7])
    assert cells.quality[:, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert cells.n_effective[:, 1].tolist() == [4, 4, 0]


def test_the_reference_has_no_advantage_and_no_doubt():
    """Its column is 0 with standard error 0, also in an empty bucket."""
    cells = build_cells(HARD, quality_of([0.25, 0.0]), 0)
    assert not cells.advantage[:, 0].any()
    assert not cells.advantage_sd[:, 0].any()


def test_an_empty_bucket_gets_the_overall_means():
    """`unassigned` without training prompts expects what all prompts had."""
    cells = build_cells(HARD, quality_of([0.25, -0.25]), 0)
    assert cells.quality[2] == pytest.approx([0.5, 0.5])
    assert cells.cost_usd[2] == pytest.approx([1, 2])


def test_costs_are_shrunk_by_ten_pseudo_counts():
    """Costs 0 and 3 in two domains of four around 1.5: (4·0 + 10·1.5) / 14."""
    cost = np.repeat([[0.0, 1.0], [3.0, 1.0]], 4, axis=0)
    cells = build_cells(HARD, outcomes_of(np.ones((8, 2)), cost), 0)
    assert cells.cost_usd[:, 0] == pytest.approx([15 / 14, 27 / 14, 1.5])


def test_a_cost_known_once_is_not_diluted_by_unknown_ones():
    """Unknown costs neither count as 0 nor as observations."""
    cost = np.full((8, 2), NAN)
    cost[0, 0] = 3.0
    cells = build_cells(HARD, outcomes_of(np.ones((8, 2)), cost), 0)
    assert cells.cost_usd[:, 0] == pytest.approx([3, 3, 3])
    assert np.isnan(cells.cost_usd[:, 1]).all()


def test_quality_stays_in_bounds():
    """The reference's quality is shrunk towards 1/2 while the advantage is ±1: clipped."""
    quality = np.repeat([[0.0, 1.0], [1.0, 0.0]], 4, axis=0)
    cells = build_cells(HARD, outcomes_of(quality), 0)
    assert (cells.quality[:, :1] + cells.advantage).max() > 1
    assert cells.quality[0, 1] == 1.0
    assert cells.quality[1, 1] == 0.0


def test_pairing_removes_the_difficulty_of_prompts():
    """A model always 0.25 better than the reference is so without doubt, easy prompts or hard."""
    reference = np.tile([0.0, 0.5, 0.25, 0.75], 2)
    cells = build_cells(HARD, outcomes_of(np.column_stack([reference, reference + 0.25])), 0)
    assert cells.advantage[:, 1] == pytest.approx([0.25] * 3)
    assert cells.advantage_sd[:, 1] == pytest.approx([0, 0, 0])


def test_logs_of_one_model_each_still_compare():
    """Where the reference did not answer, its expected quality stands in."""
    quality = np.full((8, 2), NAN)
    quality[::2, 0], quality[1::2, 1] = 0.5, 1.0
    cells = build_cells(HARD, outcomes_of(quality), 0)
    assert cells.advantage[:, 1] == pytest.approx([0.5] * 3)


def test_soft_and_hard_mixing():
    """Soft mixes by membership, hard takes the likeliest bucket."""
    outcomes = quality_of([0.25, -0.25])
    half = prompts([[0.5, 0.5, 0.0], [0.75, 0.25, 0.0]])
    soft = DomainTable(reference_model_id="a").fit(prompts(HARD), outcomes).estimate(half)
    hard = DomainTable(soft=False, reference_model_id="a").fit(prompts(HARD), outcomes)
    assert soft.quality[:, 1] == pytest.approx([0.5, 0.5 + 1 / 14])
    assert hard.estimate(half).quality[:, 1] == pytest.approx([0.5 + 1 / 7] * 2)
    error = np.sqrt(4 / 7 * 3 / 112)
    assert soft.standard_error[:, 1] == pytest.approx([error] * 2)  # errors do not average out
    assert not soft.standard_error[:, 0].any()


def test_without_domains_one_bucket_holds_all():
    """One column of ones gives the overall means to every prompt."""
    found = DomainTable().fit(prompts(np.ones((8, 1))), quality_of([0.25, 0.0]))
    assert found.cells.quality.shape == (1, 2)
    assert found.estimate(prompts(np.ones((3, 1)))).quality[:, 1] == pytest.approx([0.625] * 3)


def test_the_reference_is_the_best_single_model_unless_named():
    """`a` is better here; naming `b` turns the signs."""
    outcomes = quality_of([-0.25, -0.25])
    assert DomainTable().fit(prompts(HARD), outcomes).cells.reference == 0
    named = DomainTable(reference_model_id="b").fit(prompts(HARD), outcomes).cells
    assert named.reference == 1
    assert named.advantage[:, 0] == pytest.approx([0.25] * 3)


def test_an_unknown_reference_is_refused():
    """A model that is not there cannot be the reference."""
    with pytest.raises(ValueError, match="not in tuple"):
        DomainTable(reference_model_id="z").fit(prompts(HARD), quality_of([0, 0]))


@given(arrays(np.float64, (8, 3), elements=st.sampled_from([*GRID, NAN])))
def test_cells_are_complete_and_in_bounds(quality):
    """Every bucket of a known model has a quality in [0, 1]; a model without any has none."""
    quality[0, 0] = 0.5
    cells = build_cells(HARD, outcomes_of(quality, quality), 0)
    known = np.isfinite(quality).any(axis=0)
    assert np.isnan(cells.quality[:, ~known]).all()
    assert ((cells.quality[:, known] >= 0) & (cells.quality[:, known] <= 1)).all()
    assert (cells.advantage_sd[:, known] >= 0).all()
    assert (cells.n_effective >= 0).all()
