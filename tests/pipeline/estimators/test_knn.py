import numpy as np
import pytest

from pipeline.estimators.base import Prompts
from pipeline.estimators.knn import NearestNeighbours
from tests.support import NAN, outcomes_of


def prompts(angles):
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    n = len(angles)
    return Prompts(texts=("",) * n, vectors=vectors, memberships=np.ones((n, 1)))


TRAIN = prompts([0.0, 0.1, 0.2, 1.5, 1.6])
OUTCOMES = outcomes_of(
    [[1, 0], [1, 0.5], [0, 0.25], [0, 1], [0.5, 1]], np.arange(10.0).reshape(5, 2)
)


def test_two_neighbours_by_hand():
    """At 0.06 the two nearest are rows 1 and 0: means 1 and 0.25, costs 1 and 2."""
    found = NearestNeighbours(n_neighbours=(2,)).fit(TRAIN, OUTCOMES).estimate(prompts([0.06]))
    assert found.quality.tolist() == [[1, 0.25]]
    assert found.cost_usd.tolist() == [[1, 2]]


def test_the_standard_error_is_that_of_the_paired_difference():
    """Against b (the best single): differences 1 and 0.5, standard deviation 0.25 / √2."""
    found = NearestNeighbours(n_neighbours=(2,)).fit(TRAIN, OUTCOMES).estimate(prompts([0.06]))
    assert found.standard_error[0] == pytest.approx([0.25 / np.sqrt(2), 0])


def test_more_neighbours_than_prompts_are_all_of_them():
    """The mean over everything is the end of the line."""
    found = NearestNeighbours(n_neighbours=(50,)).fit(TRAIN, OUTCOMES).estimate(prompts([0.0, 3.0]))
    assert found.quality == pytest.approx(np.tile([0.5, 0.55], (2, 1)))


def test_an_unknown_outcome_is_the_models_mean():
    """Among neighbours 1 and unknown, the unknown counts as the mean of the known."""
    quality = [[NAN, 0], [1, 0], [0, 0], [0, 0], [0, 0]]
    found = NearestNeighbours(n_neighbours=(2,)).fit(TRAIN, outcomes_of(quality))
    assert found.estimate(prompts([0.06])).quality[0, 0] == pytest.approx((1 + 0.25) / 2)


def test_the_count_is_chosen_by_leaving_each_prompt_out():
    """Two tight groups that prefer other models are told apart by few neighbours."""
    angles = np.concatenate([np.linspace(0, 0.1, 6), np.linspace(1.4, 1.5, 6)])
    quality = np.repeat([[1.0, 0.0], [0.0, 1.0]], 6, axis=0)
    fitted = NearestNeighbours(n_neighbours=(12, 3)).fit(prompts(angles), outcomes_of(quality))
    assert fitted.n_neighbours == 3


def test_a_copy_is_no_excuse_for_looking_at_oneself():
    """With every vector equal, no count is better than another and the first is kept."""
    quality = np.eye(2)[np.arange(10) % 2]
    equal = prompts(np.zeros(10))
    fitted = NearestNeighbours(n_neighbours=(9, 1)).fit(equal, outcomes_of(quality))
    assert fitted.estimate(equal).quality.shape == (10, 2)
    assert np.isfinite(fitted.estimate(equal).quality).all()


def test_a_model_of_unknown_quality_does_not_choose_the_count():
    """It is never the best estimate when counts are compared."""
    angles = np.concatenate([np.linspace(0, 0.1, 6), np.linspace(1.4, 1.5, 6)])
    quality = np.repeat([[1.0, 0.0], [0.0, 1.0]], 6, axis=0)
    quality = np.column_stack([np.full(12, NAN), quality])
    fitted = NearestNeighbours(n_neighbours=(12, 3)).fit(prompts(angles), outcomes_of(quality))
    assert fitted.n_neighbours == 3


def test_many_prompts_are_estimated_in_parts():
    """More prompts than fit one batch get the same estimates as one by one."""
    fitted = NearestNeighbours(n_neighbours=(2,)).fit(TRAIN, OUTCOMES)
    many = prompts(np.linspace(0, 3, 2_100))
    found = fitted.estimate(many)
    for row in (0, 2_047, 2_048, 2_099):
        one = fitted.estimate(many.rows(np.array([row])))
        assert np.array_equal(one.quality[0], found.quality[row])
