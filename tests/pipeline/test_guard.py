import numpy as np
import pytest

from pipeline.estimators.base import Estimates
from pipeline.guard import guarded, z_for_loss_ratio
from pipeline.route import choose_by_utility


def estimates(quality, standard_error):
    quality = np.array(quality)
    return Estimates(
        model_ids=("a", "b"),
        quality=quality,
        cost_usd=np.ones_like(quality),
        standard_error=np.array(standard_error),
    )


def choices(table, z):
    return choose_by_utility(guarded(table, z, 0), quality_value_usd=np.inf).tolist()


def test_an_advantage_must_exceed_its_uncertainty():
    """An advantage of 0.1 is kept with an error of 0.08, not with one of 0.12, at z = 1."""
    table = estimates([[0.5, 0.6], [0.5, 0.6]], [[0.0, 0.08], [0.0, 0.12]])
    assert choices(table, 1.0) == [1, 0]
    assert choices(table, 0.0) == [1, 1]


def test_each_prompt_may_have_its_own_z():
    """A delicate domain asks for more."""
    table = estimates([[0.5, 0.6]] * 2, [[0.0, 0.08]] * 2)
    assert choices(table, np.array([2.0, 1.0])) == [0, 1]


def test_an_unknown_error_is_no_ground_to_leave():
    """Unless z is 0, which asks for no certainty."""
    table = estimates([[0.5, 0.6]], [[np.nan, np.nan]])
    assert choices(table, 0.5) == [0]
    assert choices(table, 0.0) == [1]


def test_no_prompts():
    """No prompt is not an error."""
    assert choices(estimates(np.empty((0, 2)), np.empty((0, 2))), np.empty(0)) == []


def test_z_rises_with_the_loss_ratio():
    """z is 0 at 1 : 1, about a half at the default of 2.2, and odd in the logarithm."""
    z = z_for_loss_ratio([0.5, 1.0, 2.0, 2.2])
    assert np.all(np.diff(z) > 0.0)
    assert np.isclose(z[0], -z[2])
    assert z[1] == 0.0
    assert 0.45 < z[3] < 0.5


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.nan, np.inf])
def test_a_ratio_is_finite_and_positive(ratio):
    """Anything else has no z."""
    with pytest.raises(ValueError, match="finite and positive"):
        z_for_loss_ratio(ratio)


def test_wrong_arguments():
    """A z of another length, and a column that is not there."""
    table = estimates([[0.5, 0.6]], [[0.0, 0.1]])
    with pytest.raises(ValueError, match="one finite number or 1 of them"):
        guarded(table, np.zeros(3), 0)
    with pytest.raises(ValueError, match="column from 0 to 1, got 2"):
        guarded(table, 0.0, 2)
