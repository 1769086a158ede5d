"""What models were chosen and what came of it, compared prompt by prompt."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, Statistic, bootstrap_intervals
from profiles.outcomes import Outcomes

_DEAREST = 1e300  # an unknown cost loses every tie


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one router chose on one split's test prompts at one trade-off."""

    columns: NDArray[np.int64] | None
    """Shape (n_test,): columns of the chosen models; None: every model alike, at random."""
    shares: NDArray[np.float64]
    """Shape (n_models,): share of calls."""
    quality: NDArray[np.float64]
    """Shape (n_test,): recorded quality of the chosen model."""
    cost_usd: NDArray[np.float64]
    """Shape (n_test,): recorded cost; NaN where costs are unknown."""


def choice_of(chosen: NDArray[np.int64], outcomes: Outcomes) -> Choice:
    """Look up what the chosen models did."""
    rows = np.arange(len(chosen))
    return Choice(
        columns=chosen,
        shares=np.bincount(chosen, minlength=len(outcomes.model_ids)) / len(chosen),
        quality=outcomes.quality[rows, chosen],
        cost_usd=outcomes.cost_usd[rows, chosen],
    )


def random_choice(outcomes: Outcomes) -> Choice:
    """Expect what a model drawn at random does."""
    n_models = len(outcomes.model_ids)
    return Choice(
        columns=None,
        shares=np.full(n_models, 1.0 / n_models),
        quality=outcomes.quality.mean(axis=1),
        cost_usd=outcomes.cost_usd.mean(axis=1),
    )


def oracle_columns(outcomes: Outcomes) -> NDArray[np.int64]:
    """Return the best outcome of each prompt, the cheapest on ties: knowable only afterwards."""
    best = outcomes.quality.max(axis=1, keepdims=True)
    cost = np.where(np.isfinite(outcomes.cost_usd), outcomes.cost_usd, _DEAREST)
    return np.argmin(np.where(outcomes.quality == best, cost, np.inf), axis=1)


@dataclass(frozen=True, kw_only=True)
class ChoiceScore:
    """One way of choosing models, scored on prompts nothing was fitted on."""

    name: str
    quality: float
    cost_usd: float
    """Mean for one prompt; NaN is unknown."""
    quality_share: float
    """Quality over the reference model's."""
    delta_points: Interval
    """100 x (quality − the reference model's)."""
    cost_ratio: Interval
    """Cost over the reference model's."""
    versus_points: Interval
    """100 x (quality − that of the choice all are compared with)."""
    versus_cost_ratio: Interval
    """Cost over that of the choice all are compared with."""
    calls: dict[str, float]


def score_choices(
    choices: Mapping[str, NDArray[np.int64]],
    outcomes: Outcomes,
    *,
    reference: int,
    versus: str | None = None,
) -> tuple[ChoiceScore, ...]:
    """Score several ways of choosing on the same prompts, with paired bootstrap intervals.

    Parameters
    ----------
    choices
        For each name, shape (n_prompts,): columns of the chosen models.
    outcomes
        Complete outcomes of the prompts.
    reference
        Column of the model everything is compared with.
    versus
        Name of the choice that everything is compared with besides; None: the reference model.
    """
    n_prompts = len(outcomes.quality)
    base = choice_of(np.full(n_prompts, reference), outcomes)
    other = base if versus is None else choice_of(choices[versus], outcomes)
    statistics = {
        "points": points_apart(0, 1),
        "cost": ratio_of(2, 3),
        "versus_points": points_apart(0, 4),
        "versus_cost": ratio_of(2, 5),
    }
    scores = []
    for name, chosen in choices.items():
        choice = choice_of(chosen, outcomes)
        parts = (base.quality, choice.cost_usd, base.cost_usd, other.quality, other.cost_usd)
        found = bootstrap_intervals(
            [np.column_stack([choice.quality, *parts])],
            [np.arange(n_prompts)],
            statistics=statistics,
            n_prompts=n_prompts,
        )
        scores.append(
            ChoiceScore(
                name=name,
                quality=float(choice.quality.mean()),
                cost_usd=float(choice.cost_usd.mean()),
                quality_share=share(choice.quality.mean(), base.quality.mean()),
                delta_points=found["points"],
                cost_ratio=found["cost"],
                versus_points=found["versus_points"],
                versus_cost_ratio=found["versus_cost"],
                calls=dict(zip(outcomes.model_ids, choice.shares.tolist(), strict=True)),
            )
        )
    return tuple(scores)


def points_apart(column: int, base: int) -> Statistic:
    """Return the statistic 100 x (mean of one column − mean of the base column)."""
    return lambda means: 100.0 * (means[:, column] - means[:, base])


def ratio_of(column: int, base: int) -> Statistic:
    """Return the statistic mean of one column / mean of the base column; NaN where that is 0."""
    return lambda means: means[:, column] / np.where(means[:, base] != 0.0, means[:, base], np.nan)


def share(part: float, whole: float) -> float:
    """Return the ratio; NaN of nothing, such as the cost of a free model."""
    return float(part / whole) if whole else float("nan")
