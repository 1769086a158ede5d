import numpy as np
import pytest

from pipeline.smoothers.solve import solve_ridge


def refit_without(features, targets, row, *, ridge, penalty=None):
    """Return the prediction for `row` by ridge regression on the other rows, solved directly."""
    kept = np.arange(len(features)) != row
    centre, mean = features[kept].mean(axis=0), targets[kept].mean(axis=0)
    used = features[kept] - centre
    base = np.eye(features.shape[1]) if penalty is None else penalty
    beta = np.linalg.solve(used.T @ used + ridge * base, used.T @ (targets[kept] - mean))
    return (features[row] - centre) @ beta + mean


@pytest.mark.parametrize("kernel", [False, True])
def test_held_out_predictions_equal_those_of_a_refit_without_the_row(kernel):
    """The closed form leaves each row out exactly, also with a kernel between landmarks."""
    generator = np.random.default_rng(1)
    features = generator.normal(size=(30, 6))
    targets = generator.choice([0.0, 0.5, 1.0], size=(30, 2))
    penalty = None
    if kernel:
        distances = ((features[:, None] - features[None, :8]) ** 2).sum(axis=2)
        features = np.exp(-distances)
        penalty = features[:8]
    solution = solve_ridge(features, targets, ridge=2.0, penalty=penalty)
    expected = [
        refit_without(features, targets, row, ridge=2.0, penalty=penalty) for row in range(30)
    ]
    np.testing.assert_allclose(solution.held_out, expected, atol=1e-5)


def test_a_column_is_fit_on_its_own_known_rows():
    """Other columns' gaps and a joining column leave a column's coefficients alone."""
    generator = np.random.default_rng(2)
    features = generator.normal(size=(20, 3))
    targets = generator.normal(size=(20, 3))
    targets[::2, 1] = np.nan
    targets[:, 2] = np.nan
    together = solve_ridge(features, targets, ridge=1.0)
    for column in (0, 1):
        alone = solve_ridge(features, targets[:, [column]], ridge=1.0)
        np.testing.assert_allclose(
            together.coefficients[:, column], alone.coefficients[:, 0], atol=1e-12
        )
    known = np.isfinite(targets[:, 1])
    direct = solve_ridge(features[known], targets[known][:, [1]], ridge=1.0)
    np.testing.assert_allclose(together.coefficients[:, [1]], direct.coefficients, atol=1e-12)
    assert together.coefficients[:, 2].tolist() == [0.0, 0.0, 0.0]


def test_a_target_known_once_is_predicted_by_itself():
    """One known value cannot be left out; it is the mean, and nothing fails."""
    targets = np.array([[0.5], [np.nan], [np.nan]])
    solution = solve_ridge(np.eye(3), targets, ridge=1.0)
    assert solution.held_out.tolist() == [[0.5], [0.5], [0.5]]
