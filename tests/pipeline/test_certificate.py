import numpy as np
import pytest

from pipeline.certificate import certify, paired_losses
from profiles.outcomes import Outcomes

STEADY = np.tile([0.0, 0.0, 1.0, -1.0] + [0.0] * 16, 50)
"""1,000 prompts, a tenth discordant, no loss."""
LOSSY = np.tile([1.0, 0.0, 0.0, 0.0, 0.0], 200)
"""1,000 prompts, a fifth lost."""


def run(losses, **knobs):
    losses = np.atleast_2d(losses)
    knobs = {"delta": 0.05, **knobs}
    cost = np.arange(len(losses), 0.0, -1.0)[:, None] * np.ones_like(losses)
    return certify(
        losses,
        list(range(len(losses), 0, -1)),
        cost_usd=cost,
        reference_cost_usd=np.full(losses.shape[1], 4.0),
        **knobs,
    )


def test_the_cheapest_one_that_passed_is_certified():
    """The walk stops at the first failure, even where a later one would pass."""
    certificate = run([np.zeros(1_000), STEADY, LOSSY, STEADY])
    assert certificate.n_passed == 2
    assert len(certificate.steps) == 3
    assert certificate.certified == certificate.steps[1]
    assert certificate.certified.value_usd == 3.0
    assert certificate.certified.cost_ratio == 0.75
    assert certificate.certified.mean_loss == 0.0
    assert certificate.certified.bound <= 0.05 < certificate.steps[2].bound
    assert certificate.n_needed is None  # it truly seems to lose too much
    assert certificate.method == "discordant"


def test_worked_example():
    """With no discordant pair, a tenth of alpha and 1 − 0.005^(1/n) rule out a loss of delta.

    At delta = .0175 the share's upper limit for 300 prompts, 1 − .005^(1/300) = .0175, ends it.
    """
    assert run(np.zeros(300), delta=0.0176).n_passed == 1
    assert run(np.zeros(100), delta=0.0176).n_passed == 0


def test_all_pass():
    """Nothing more is needed."""
    certificate = run([np.zeros(500), np.zeros(500)])
    assert (certificate.n_passed, certificate.n_needed) == (2, 0)


def test_none_passes():
    """Not even the safest: there is no certificate, and its bound is shown."""
    certificate = run(LOSSY)
    assert certificate.certified is None
    assert certificate.steps[0].bound > 0.2
    assert certificate.n_needed is None


@pytest.mark.parametrize("method", ["discordant", "betting", "normal"])
def test_the_number_needed_is_enough(method):
    """As many more prompts of the same mix pass, and clearly fewer do not."""
    few = np.resize(STEADY, 60)
    certificate = run(few, delta=0.03, method=method)
    assert certificate.n_passed == 0
    needed = certificate.n_needed
    assert run(np.resize(few, 60 + needed), delta=0.03, method=method).n_passed == 1
    assert run(np.resize(few, 60 + needed // 2), delta=0.03, method=method).n_passed == 0


def test_a_looser_delta_never_certifies_less():
    """Nor do more prompts."""
    losses = np.stack([np.zeros(1_000), STEADY, 0.5 * LOSSY, LOSSY])
    passed = [run(losses, delta=delta).n_passed for delta in (0.0, 0.02, 0.05, 0.15, 0.3)]
    assert passed == sorted(passed)
    assert passed[-1] == 4
    grown = [run(np.tile(losses, times), delta=0.03).n_passed for times in (1, 2, 4)]
    assert grown == sorted(grown)


def test_graded_losses_are_bet_on():
    """The exact method needs losses of −1, 0 and 1."""
    assert run(0.5 * STEADY).method == "betting"


def test_no_prompts():
    """Nothing is shown, and how much would be needed is unknown."""
    certificate = run(np.empty((2, 0)))
    assert certificate.certified is None
    assert certificate.steps[0].bound == 1.0
    assert np.isnan(certificate.steps[0].mean_loss)
    assert np.isnan(certificate.steps[0].cost_ratio)
    assert certificate.n_needed is None


def test_losses_are_paired():
    """Reference quality minus chosen quality; unknown stays unknown."""
    outcomes = Outcomes(
        model_ids=("a", "b"),
        quality=np.array([[1.0, 0.25], [0.5, np.nan]]),
        cost_usd=np.ones((2, 2)),
    )
    chosen = np.array([[0, 0], [1, 1]])
    losses = paired_losses(chosen, outcomes, reference=0)
    np.testing.assert_equal(losses, [[0.0, 0.0], [0.75, np.nan]])


@pytest.mark.parametrize(
    ("losses", "knobs", "message"),
    [
        (np.array([0.0, np.nan]), {}, "must be known"),
        (np.array([0.0, 1.5]), {}, r"in \[−1, 1\]"),
        (np.zeros(3), {"delta": 1.0}, r"delta must be in \[0, 1\)"),
        (np.zeros(3), {"alpha": 0.0}, r"alpha in \(0, 1\), got 0.05 and 0.0"),
        (np.zeros(3), {"method": "magic"}, "one of discordant, betting, normal, got 'magic'"),
        (np.array([0.0, 0.5]), {"method": "discordant"}, "needs losses of −1, 0 or 1"),
        (np.empty((0, 3)), {}, "one row per value"),
    ],
)
def test_senseless_input(losses, knobs, message):
    """Each error says what was expected."""
    with pytest.raises(ValueError, match=message):
        run(losses, **knobs)


def test_values_must_not_rise():
    """And every array has its shape."""
    losses, cost = np.zeros((2, 3)), np.ones(3)
    with pytest.raises(ValueError, match="safest trade-off comes first"):
        certify(losses, [1.0, 2.0], cost_usd=losses, reference_cost_usd=cost, delta=0.1)
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(3,\)"):
        certify(losses, [2.0, 1.0], cost_usd=cost, reference_cost_usd=cost, delta=0.1)
