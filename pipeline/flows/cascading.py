"""Replay a cascade on recorded outcomes: what asking a cheap model first would have done."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, bootstrap_interval
from pipeline.cascade import Cascade, Check, simulate_cascade
from pipeline.price import ListPrices, price_outcomes
from pipeline.split import hash_shares
from pipeline.store import Store
from profiles.errors import NotReadyError, UsageError
from profiles.outcomes import Outcomes, outcome_matrix
from profiles.tables import OUTCOMES

_GOOD_ENOUGH = 0.5


@dataclass(frozen=True, kw_only=True)
class CascadeScore:
    """A cascade beside its last model alone, on the same prompts."""

    check_accuracy: float
    """How often the check was right; 1 is a ceiling that no real check reaches."""
    n_prompts: int
    quality: float
    cost_usd: float
    """Mean for one prompt, all calls and checks included."""
    delta_points: Interval
    """100 x (quality − the last model's)."""
    cost_ratio: Interval
    """Cost over the last model's; NaN where that costs nothing."""
    escalated: float
    """Share of the prompts that reached the last model."""


def replay_cascade(
    store: Store,
    order: Sequence[str],
    *,
    check_accuracies: Sequence[float],
    check_usd: float,
    at: ListPrices | None = None,
) -> tuple[CascadeScore, ...]:
    """Replay a cascade with checks of several accuracies.

    The check is simulated: it accepts an answer of quality 0.5 or more and refuses the others,
    and errs on a share of the prompts that is drawn by their id. Replace it by a real one in
    `pipeline.cascade.simulate_cascade`.

    Parameters
    ----------
    order
        Model ids, the one to ask first first; the last one's answer is kept unchecked.
    check_usd
        Cost of checking one answer.
    at
        Take costs as tokens at these prices, wherever both are known.

    Raises
    ------
    NotReadyError
        If no prompt has a known quality and cost of all these models.
    UsageError
        If fewer than two models are named, one twice, or one that has no outcomes.
    """
    prompt_ids, outcomes = outcome_matrix(price_outcomes(store.read(OUTCOMES), at))
    unknown = sorted(set(order) - set(outcomes.model_ids))
    if unknown or len(order) < 2 or len(set(order)) < len(order):
        raise UsageError(
            f"A cascade needs two or more different models out of {', '.join(outcomes.model_ids)}; "
            f"found {', '.join(order)}."
        )
    part = outcomes.columns(tuple(order))
    known = np.flatnonzero(np.isfinite(part.quality + part.cost_usd).all(axis=1))
    if not len(known):
        raise NotReadyError(
            "No prompt has a known quality and cost of all these models. Import outcomes of them "
            "on the same prompts."
        )
    part, ids = part.rows(known), [prompt_ids[row] for row in known]
    return tuple(
        _score(
            simulate_cascade(order, part, _simulated_check(part, ids, share), check_usd=check_usd),
            part,
            order[-1],
            share,
        )
        for share in check_accuracies
    )


def _simulated_check(outcomes: Outcomes, prompt_ids: Sequence[str], accuracy: float) -> Check:
    is_good = outcomes.quality >= _GOOD_ENOUGH

    def passes(rows: NDArray[np.intp], column: int) -> NDArray[np.bool_]:
        errs = hash_shares(prompt_ids, seed=column)[rows] >= accuracy
        return is_good[rows, column] ^ errs

    return passes


def _score(cascade: Cascade, outcomes: Outcomes, last: str, accuracy: float) -> CascadeScore:
    column, n = outcomes.model_ids.index(last), len(outcomes.quality)
    rows = [np.arange(n)]
    quality = np.column_stack([cascade.quality, outcomes.quality[:, column]])
    cost = np.column_stack([cascade.cost_usd, outcomes.cost_usd[:, column]])
    return CascadeScore(
        check_accuracy=accuracy,
        n_prompts=n,
        quality=float(cascade.quality.mean()),
        cost_usd=float(cascade.cost_usd.mean()),
        delta_points=bootstrap_interval(
            [quality], rows, statistic=lambda m: 100.0 * (m[:, 0] - m[:, 1]), n_prompts=n
        ),
        cost_ratio=bootstrap_interval([cost], rows, statistic=_ratio, n_prompts=n),
        escalated=float(cascade.n_calls[column]) / n,
    )


def _ratio(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return means[:, 0] / np.where(means[:, 1] > 0.0, means[:, 1], np.nan)
