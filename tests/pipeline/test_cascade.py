import numpy as np
import pytest

from pipeline.cascade import simulate_cascade
from profiles.outcomes import Outcomes

OUTCOMES = Outcomes(
    model_ids=("cheap", "dear", "middle"),
    quality=np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 0.5], [0.0, np.nan, 0.0]]),
    cost_usd=np.array([[1.0, 10.0, 3.0]] * 3),
)
GOOD = OUTCOMES.quality >= 0.5


def test_worked_example():
    """The first prompt stops at once, the second in the middle, the third goes all the way."""
    cascade = simulate_cascade(("cheap", "middle", "dear"), OUTCOMES, GOOD, check_usd=0.5)
    assert cascade.chosen.tolist() == [0, 2, 1]
    assert cascade.accepted.tolist() == [True, True, False]
    assert cascade.cost_usd.tolist() == [1.5, 5.0, 15.0]
    assert cascade.n_calls.tolist() == [3, 1, 2]
    np.testing.assert_equal(cascade.quality, [1.0, 0.5, np.nan])


def test_a_check_may_be_a_function():
    """It is asked about the prompts that are still waiting."""
    asked = []

    def check(rows, column):
        asked.append((rows.tolist(), column))
        return GOOD[rows, column]

    cascade = simulate_cascade(("cheap", "dear"), OUTCOMES, check)
    assert cascade.chosen.tolist() == [0, 1, 1]
    assert asked == [([0, 1, 2], 0), ([1, 2], 1)]


def test_a_cascade_of_one_model_is_that_model():
    """There is nothing to escalate to."""
    cascade = simulate_cascade(("dear",), OUTCOMES, GOOD)
    assert cascade.cost_usd.tolist() == [10.0] * 3
    assert cascade.n_calls.tolist() == [0, 3, 0]


@pytest.mark.parametrize("order", [(), ("cheap", "cheap"), ("cheap", "nobody")])
def test_an_order_names_different_known_models(order):
    """Anything else is an error that lists them."""
    with pytest.raises(ValueError, match="different models out of cheap, dear, middle"):
        simulate_cascade(order, OUTCOMES, GOOD)


def test_a_check_covers_every_answer():
    """An array of another shape is an error."""
    with pytest.raises(ValueError, match=r"shape \(3, 3\), got \(3, 2\)"):
        simulate_cascade(("cheap",), OUTCOMES, GOOD[:, :2])


def test_no_prompts():
    """Nothing is asked and nothing is paid."""
    none = np.empty(0, dtype=np.intp)
    cascade = simulate_cascade(("cheap", "dear"), OUTCOMES.rows(none), GOOD[none])
    assert cascade.n_calls.sum() == 0
    assert cascade.cost_usd.shape == (0,)
