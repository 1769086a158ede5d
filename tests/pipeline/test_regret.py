import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.choices import choice_of, oracle_columns, random_choice
from pipeline.regret import regret_matrix
from tests.support import GRID, NAN, outcomes_of


def cells_of(quality, cost, chosen):
    outcomes = outcomes_of(quality, cost)
    return regret_matrix(
        [choice_of(np.array(chosen), outcomes)],
        [choice_of(oracle_columns(outcomes), outcomes)],
        outcomes.model_ids,
    )


def test_a_matrix_by_hand():
    """Twice `a` where `b` was better by .5 and 1; once `b`, which is as good as `a` and cheaper."""
    quality = [[0.5, 1.0], [0.0, 1.0], [1.0, 1.0]]
    worst, fine = cells_of(quality, [[0.03, 0.01]] * 3, [0, 0, 1])
    assert (worst.chosen, worst.best, worst.n, worst.regret) == ("a", "b", 2, 0.75)
    assert worst.overspend_usd == pytest.approx(0.02)
    assert (fine.chosen, fine.best, fine.n, fine.regret, fine.overspend_usd) == ("b", "b", 1, 0, 0)


def test_unknown_costs_leave_regret_known():
    """Money is NaN, quality is not."""
    [cell] = cells_of([[0.5, 1.0]], None, [0])
    assert cell.regret == 0.5
    assert np.isnan(cell.overspend_usd)


def test_a_random_choice_has_no_matrix():
    """Nothing was chosen, so nothing was chosen wrongly."""
    outcomes = outcomes_of([[0.5, 1.0]])
    assert regret_matrix([random_choice(outcomes)], [random_choice(outcomes)], ("a", "b")) == ()


@given(
    arrays(np.float64, (6, 3), elements=st.sampled_from(GRID)),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
)
def test_the_matrix_sums_up_to_the_mean_regret(quality, chosen):
    """Counts add up to the prompts, and no regret is negative."""
    cells = cells_of(quality, NAN * quality, chosen)
    mean = (quality.max(axis=1) - quality[np.arange(6), chosen]).mean()
    assert sum(cell.n for cell in cells) == 6
    assert sum(cell.n * cell.regret for cell in cells) / 6 == pytest.approx(mean)
    assert all(cell.regret >= 0 for cell in cells)
