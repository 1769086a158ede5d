import numpy as np
import pytest

from pipeline.estimators.base import Prompts
from pipeline.estimators.inference_dynamics import InferenceDynamics, rank_weights
from tests.support import outcomes_of

MEMBERSHIPS = np.array([[0.8, 0.2, 0.0], [0.1, 0.9, 0.0]])
QUALITY = [[1.0, 0.0], [0.25, 0.5]]


def prompts(memberships=MEMBERSHIPS, texts=("one", "two")):
    vectors = np.eye(len(memberships), 4, dtype=np.float32)
    return Prompts(texts=texts, vectors=vectors, memberships=memberships)


def test_rank_weights_by_hand():
    """Half as much for each next rank, over their sum; ties to the first, nothing for 0."""
    amounts = np.array([[0.2, 0.5, 0.3], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    found = rank_weights(amounts, 0.5, 3)
    assert found == pytest.approx(np.array([[1 / 7, 4 / 7, 2 / 7], [2 / 3, 1 / 3, 0], [0, 0, 1]]))
    assert rank_weights(amounts, 0.5, 1).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_estimates_by_hand():
    """Ranks weigh 2/3 and 1/3, so domain 1 scores (2·1 + 1·.25)/3 for model a, and so on."""
    found = InferenceDynamics().fit(prompts(), outcomes_of(QUALITY)).estimate(prompts())
    first, second = (2 * 1.0 + 0.25) / 3, (1.0 + 2 * 0.25) / 3
    assert found.quality[0, 0] == pytest.approx((2 * first + second) / 3)
    assert found.quality[1, 0] == pytest.approx((first + 2 * second) / 3)


def test_rare_domains_are_not_small_ones():
    """A domain of one prompt among ten keeps its score: weights are divided out."""
    memberships = np.tile([1.0, 0.0], (10, 1))
    memberships[9] = [0.0, 1.0]
    quality = np.tile([0.5, 0.5], (10, 1))
    quality[9] = [0.0, 1.0]
    rare = prompts(memberships, ("t",) * 10)
    found = InferenceDynamics().fit(rare, outcomes_of(quality)).estimate(rare)
    assert found.quality[9].tolist() == [0.0, 1.0]


def test_capabilities_count_as_much_as_knowledge():
    """The estimate is the mean of both sides."""

    def learn(of):
        known = of.texts[0]
        return lambda asked: np.array(
            [[1.0, 0.0] if text == known else [0.0, 1.0] for text in asked.texts]
        )

    flat = prompts(np.ones((2, 1)))
    outcomes = outcomes_of(QUALITY)
    alone = InferenceDynamics().fit(flat, outcomes).estimate(flat)
    both = InferenceDynamics(capabilities=learn).fit(flat, outcomes).estimate(flat)
    assert alone.quality[0].tolist() == [0.625, 0.25]
    assert both.quality[0] == pytest.approx((np.array([0.625, 0.25]) + QUALITY[0]) / 2)


def test_a_new_model_changes_no_other():
    """Every model is fitted alone."""
    before = InferenceDynamics().fit(prompts(), outcomes_of(QUALITY)).estimate(prompts())
    wider = np.column_stack([QUALITY, [0.1, 0.9]])
    after = InferenceDynamics().fit(prompts(), outcomes_of(wider)).estimate(prompts())
    assert np.array_equal(after.quality[:, :2], before.quality)
