import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.errors import NotReadyError
from profiles.outcomes import complete_case, outcome_matrix
from profiles.tables import OUTCOMES
from tests.support import NAN, outcomes_of, outcomes_table, story_outcomes


def test_the_matrix_is_sorted_and_repeats_are_averaged():
    """Rows are prompts by id, columns models by id; repeats count by their mean."""
    ids, found = outcome_matrix(story_outcomes())
    assert ids == ("a1", "m1", "m2")
    assert found.model_ids == ("bad", "good")
    assert np.array_equal(found.quality, [[NAN, 1], [0.25, 1], [0, 0.5]], equal_nan=True)


def test_unknown_is_not_zero():
    """An unknown quality or cost is NaN in the matrix."""
    _, found = outcome_matrix(story_outcomes())
    assert np.array_equal(found.cost_usd, [[NAN, NAN], [NAN, 0.002], [NAN, 0.004]], equal_nan=True)


def test_a_repeat_without_a_value_does_not_count():
    """The mean of 1 and unknown is 1."""
    rows = [("p", "m", 1.0, None), ("p", "m", None, 0.5)]
    _, found = outcome_matrix(outcomes_table(rows))
    assert (found.quality.item(), found.cost_usd.item()) == (1.0, 0.5)


@given(st.permutations(range(7)))
def test_row_order_is_irrelevant(order):
    """The matrix does not depend on the order of the outcomes."""
    table = story_outcomes()
    ids, found = outcome_matrix(table[list(order)])
    expected_ids, expected = outcome_matrix(table)
    assert ids == expected_ids
    assert np.array_equal(found.quality, expected.quality, equal_nan=True)


def test_no_outcome_names_the_next_step():
    """Without outcomes the error says what to import."""
    with pytest.raises(NotReadyError, match="promptshed import FILE"):
        outcome_matrix(OUTCOMES.empty())


def test_rows_and_columns_are_picked():
    """A mask and positions pick the same rows; columns come sorted."""
    whole = outcomes_of([[0, 0.25, 0.5], [1, 1, 1]], [[1, 2, 3], [4, 5, 6]])
    assert whole.rows(np.array([False, True])).cost_usd.tolist() == [[4, 5, 6]]
    assert whole.rows(np.array([1])).quality.tolist() == [[1, 1, 1]]
    picked = whole.columns(("c", "a"))
    assert picked.model_ids == ("a", "c")
    assert picked.quality[0].tolist() == [0, 0.5]


def test_complete_cases_keep_prompts_that_all_models_answered():
    """A model known on half of the prompts is left out and named, not filled in."""
    quality = [[1, 0, NAN], [0, 1, 1], [1, 1, NAN], [0.5, 0, 1]]
    case = complete_case(outcomes_of(quality, np.ones((4, 3))))
    assert case.outcomes.model_ids == ("a", "b")
    assert case.left_out == {"c": "quality known on 50% of the prompts"}
    assert case.rows.tolist() == [0, 1, 2, 3]
    assert case.has_cost


def test_prompts_with_a_gap_are_left_out():
    """A prompt that one kept model did not answer is no complete case."""
    quality = [[1, 0], [NAN, 1], *[[1, 1]] * 8]
    case = complete_case(outcomes_of(quality, np.ones((10, 2))))
    assert case.rows.tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert case.n_gaps == 1
    assert np.isfinite(case.outcomes.quality).all()


def test_a_model_without_prices_is_left_out_where_others_have_them():
    """With two priced models, one of unknown cost is no candidate."""
    cost = [[1, 1, NAN]] * 3
    case = complete_case(outcomes_of(np.ones((3, 3)), cost))
    assert case.left_out == {"c": "cost unknown"}


@pytest.mark.parametrize("cost", [[[NAN, NAN]] * 3, [[1, NAN]] * 3])
def test_without_comparable_costs_all_are_unknown(cost):
    """Where fewer than two models have costs, every cost is NaN, never 0."""
    case = complete_case(outcomes_of(np.ones((3, 2)), cost))
    assert not case.has_cost
    assert np.isnan(case.outcomes.cost_usd).all()


@pytest.mark.parametrize(
    "quality",
    [np.zeros((0, 2)), np.full((2, 2), NAN), [[1], [0]], [[1, NAN], [NAN, 1]]],
    ids=["none", "all null", "one model", "never both"],
)
def test_nothing_to_compare_names_the_next_step(quality):
    """No prompt answered by two models is an error, not an empty score."""
    with pytest.raises(NotReadyError, match="Import outcomes of more models"):
        complete_case(outcomes_of(quality))
