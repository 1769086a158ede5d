"""Two models, a strong and a weak one: how well the strong one's calls are placed.

Ong et al. (2024), RouteLLM, arXiv 2406.18665. The *gap* is the strong model's mean quality minus
the weak one's; calling the strong model on a share of the prompts closes a part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import N_RESAMPLES, Interval, interval_of, resample_counts
from profiles.errors import UsageError
from profiles.outcomes import Outcomes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Columns of the two models."""

    strong: int
    weak: int


@dataclass(frozen=True, kw_only=True)
class Placement:
    """APGR and CPT, means over the splits with intervals over prompts; NaN without a gap."""

    apgr: Interval
    """Mean part of the gap that is closed, over all shares of strong calls; 0.5 is random."""
    cpt50: Interval
    """Share of strong calls, in [0, 1], that closes half of the gap."""
    cpt80: Interval
    """Share of strong calls, in [0, 1], that closes four fifths of the gap."""


@dataclass(frozen=True, kw_only=True)
class PairTarget:
    """What a threshold on the expected gain is to reach."""

    kind: Literal["share", "usd", "gap"]
    value: float
    """Share of strong calls, US dollars per prompt, or part of the gap to close."""


def gap_curve(gain: FloatArray, won: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give the strong model the prompts of largest expected gain, and read off what is closed.

    Parameters
    ----------
    gain
        Shape (n,): expected quality of the strong model minus the weak one's; ties in row order.
    won
        Shape (n,): the same of the recorded outcomes.

    Returns
    -------
    share, closed
        Shape (n + 1,): share of strong calls from 0 to 1, and the part of the gap it closes; NaN
        where the strong model is no better than the weak one.

    >>> share, closed = gap_curve(np.array([0.1, 0.9]), np.array([0.0, 1.0]))
    >>> share.tolist(), closed.tolist()
    ([0.0, 0.5, 1.0], [0.0, 1.0, 1.0])
    """
    return _curve(won[np.argsort(-gain, kind="stable")], np.ones(len(gain)))


def _curve(won: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the curve of prompts that are in order already, each counted by its weight."""
    share = np.concatenate([[0.0], np.cumsum(weights)]) / max(float(weights.sum()), 1e-12)
    closed = np.concatenate([[0.0], np.cumsum(weights * won)])
    return share, closed / closed[-1] if closed[-1] > 0.0 else np.full(len(closed), np.nan)


def average_gap_closed(share: FloatArray, closed: FloatArray) -> float:
    """Return APGR: the area under the curve."""
    return float(np.trapezoid(closed, share))


def calls_to_close(share: FloatArray, closed: FloatArray, part: float) -> float:
    """Return CPT: the least share of strong calls that closes a part of the gap; NaN: none does."""
    reached = closed >= part
    return float(share[np.argmax(reached)]) if reached.any() else float("nan")


def score_placement(
    gains: Sequence[FloatArray],
    won: Sequence[FloatArray],
    rows: Sequence[NDArray[np.intp]],
    *,
    n_prompts: int,
) -> Placement:
    """Score one router's expected gains on the test prompts of every split.

    Parameters
    ----------
    rows
        For each split, which prompts 0 … n_prompts - 1 its test rows are.
    """
    counts = resample_counts(n_prompts)
    plain, drawn = np.zeros(3), np.zeros((N_RESAMPLES, 3))
    for gain, difference, index in zip(gains, won, rows, strict=True):
        order = np.argsort(-gain, kind="stable")
        plain += _read_off(difference[order], np.ones(len(gain))) / len(gains)
        weights = counts[:, index[order]].astype(np.float64)
        drawn += np.stack([_read_off(difference[order], part) for part in weights]) / len(gains)
    apgr, cpt50, cpt80 = (interval_of(float(plain[k]), drawn[:, k]) for k in range(3))
    return Placement(apgr=apgr, cpt50=cpt50, cpt80=cpt80)


def _read_off(won: FloatArray, weights: FloatArray) -> FloatArray:
    share, closed = _curve(won, weights)
    return np.array(
        [
            average_gap_closed(share, closed),
            calls_to_close(share, closed, 0.5),
            calls_to_close(share, closed, 0.8),
        ]
    )


def read_target(text: str) -> PairTarget:
    """Read `share=0.3`, `usd=0.002` or `gap=0.8`.

    Raises
    ------
    UsageError
        If it is none of them, or a share or part lies outside [0, 1].
    """
    kind, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if kind == "share" and 0.0 <= value <= 1.0:
        return PairTarget(kind="share", value=value)
    if kind == "gap" and 0.0 <= value <= 1.0:
        return PairTarget(kind="gap", value=value)
    if kind == "usd" and value >= 0.0:
        return PairTarget(kind="usd", value=value)
    raise UsageError(
        f"Expected share=0…1, gap=0…1 or usd=AMOUNT per prompt, such as gap=0.8; found {text!r}."
    )


def threshold_for(target: PairTarget, gain: FloatArray, outcomes: Outcomes, pair: Pair) -> float:
    """Return the least expected gain at which the strong model is called.

    Parameters
    ----------
    gain
        Shape (n,): held-out estimates of training prompts.
    outcomes
        Of the same prompts, complete.

    Raises
    ------
    UsageError
        If the budget does not pay for the weak model alone, or costs are unknown.
    """
    order = np.argsort(-gain, kind="stable")
    if target.kind == "share":
        n_strong = round(target.value * len(gain))
    elif target.kind == "gap":
        won = outcomes.quality[:, pair.strong] - outcomes.quality[:, pair.weak]
        share, closed = gap_curve(gain, won)
        calls = calls_to_close(share, closed, target.value)
        n_strong = len(gain) if np.isnan(calls) else round(calls * len(gain))
    else:
        n_strong = _affordable(target.value, outcomes.rows(order), pair)
    return float(gain[order[n_strong - 1]]) if n_strong else float("inf")


def _affordable(budget_usd: float, outcomes: Outcomes, pair: Pair) -> int:
    """Return on how many of the first prompts the strong model can be called."""
    weak = outcomes.cost_usd[:, pair.weak]
    more = outcomes.cost_usd[:, pair.strong] - weak
    spent = (weak.sum() + np.concatenate([[0.0], np.cumsum(more)])) / len(weak)
    if not np.isfinite(spent).all():
        raise UsageError("A budget needs known costs of both models. Import them, or set a share.")
    if spent[0] > budget_usd:
        raise UsageError(
            f"{outcomes.model_ids[pair.weak]} alone costs ${spent[0]:.6f} a prompt, more than the "
            f"budget of ${budget_usd:g}. Allow at least that."
        )
    return int(np.flatnonzero(spent <= budget_usd).max())
