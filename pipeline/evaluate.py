"""Score routers on prompts they were not fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, bootstrap_interval
from pipeline.estimators.base import (
    Estimator,
    Prompts,
    best_single,
    fit_with_held_out,
    relative_to,
)
from pipeline.frontier import (
    average_improvement,
    cost_to_reach,
    means_of,
    quality_values,
    sweep_router,
)
from pipeline.tradeoff import at_parity, at_value, choose_at
from profiles.outcomes import Outcomes

_DEAREST = 1e300  # an unknown cost loses every tie


@dataclass(frozen=True, kw_only=True)
class Split:
    """Prompts to learn from and prompts to score on, without one in common."""

    train: Prompts
    """Memberships are held out: row i from a fit without prompt i."""
    train_outcomes: Outcomes
    train_folds: NDArray[np.int64]
    test: Prompts
    test_outcomes: Outcomes
    test_rows: NDArray[np.intp]
    """Which prompts of the whole evaluation the test prompts are."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one router chose on one split's test prompts at one trade-off."""

    shares: NDArray[np.float64]
    """Shape (n_models,): share of calls."""
    quality: NDArray[np.float64]
    """Shape (n_test,): recorded quality of the chosen model."""
    cost_usd: NDArray[np.float64]
    """Shape (n_test,): recorded cost; NaN where costs are unknown."""


@dataclass(frozen=True, kw_only=True)
class SplitScore:
    """One router on one split."""

    quality_first: Choice
    """Quality alone decides, under the guard chosen on the training folds."""
    at_parity: Choice
    """Cheapest trade-off that kept the best single model's quality on the training folds."""
    parity_value_usd: float
    aiq: float
    cost_ratio_frontier: float


@dataclass(frozen=True, kw_only=True)
class SplitBaselines:
    """What every router is compared with, on one split's test prompts."""

    reference: int
    """Column of the best single model, chosen on the training prompts."""
    reference_quality: NDArray[np.float64]
    reference_cost_usd: NDArray[np.float64]
    oracle: Choice
    zero_router_aiq: float


def score_split(
    split: Split, estimators: Mapping[str, Estimator]
) -> tuple[SplitBaselines, dict[str, SplitScore]]:
    """Fit every router on the training part and score it on the test part."""
    baselines = _baselines(split)
    scores = {
        name: _score_router(split, baselines, estimator) for name, estimator in estimators.items()
    }
    return baselines, scores | _constant_scores(split, baselines)


def choice_of(chosen: NDArray[np.int64], outcomes: Outcomes) -> Choice:
    """Look up what the chosen models did."""
    rows = np.arange(len(chosen))
    return Choice(
        shares=np.bincount(chosen, minlength=len(outcomes.model_ids)) / len(chosen),
        quality=outcomes.quality[rows, chosen],
        cost_usd=outcomes.cost_usd[rows, chosen],
    )


def oracle_columns(outcomes: Outcomes) -> NDArray[np.int64]:
    """Return the best outcome of each prompt, the cheapest on ties: knowable only afterwards."""
    best = outcomes.quality.max(axis=1, keepdims=True)
    cost = np.where(np.isfinite(outcomes.cost_usd), outcomes.cost_usd, _DEAREST)
    return np.argmin(np.where(outcomes.quality == best, cost, np.inf), axis=1)


def _baselines(split: Split) -> SplitBaselines:
    reference = best_single(split.train_outcomes)
    test = split.test_outcomes
    cost, quality = test.cost_usd.mean(axis=0), test.quality.mean(axis=0)
    return SplitBaselines(
        reference=reference,
        reference_quality=test.quality[:, reference],
        reference_cost_usd=test.cost_usd[:, reference],
        oracle=choice_of(oracle_columns(test), test),
        zero_router_aiq=average_improvement(
            cost, quality, cheapest_usd=float(cost.min()), dearest_usd=float(cost.max())
        ),
    )


def _score_router(split: Split, baselines: SplitBaselines, estimator: Estimator) -> SplitScore:
    train, outcomes = split.train, split.train_outcomes
    reference = baselines.reference
    estimator = relative_to(estimator, outcomes.model_ids[reference])
    fit = fit_with_held_out(estimator, train, outcomes, split.train_folds)
    first = at_value(fit.held_out, outcomes, reference=reference, quality_value_usd=np.inf)
    parity = at_parity(fit.held_out, outcomes, reference=reference)
    estimates = fit.estimator.estimate(split.test)
    chosen = sweep_router(estimates, quality_values(outcomes)).chosen
    chosen[0] = choose_at(estimates, first, reference=reference)
    cost, quality = means_of(chosen, split.test_outcomes)
    single_cost = split.test_outcomes.cost_usd.mean(axis=0)
    reach = cost_to_reach(cost, quality, float(baselines.reference_quality.mean()))
    at_ratio = choose_at(estimates, parity, reference=reference)
    return SplitScore(
        quality_first=choice_of(chosen[0], split.test_outcomes),
        at_parity=choice_of(at_ratio, split.test_outcomes),
        parity_value_usd=parity.quality_value_usd,
        aiq=average_improvement(
            cost,
            quality,
            cheapest_usd=float(single_cost.min()),
            dearest_usd=float(single_cost.max()),
        ),
        cost_ratio_frontier=_share(reach, baselines.reference_cost_usd.mean()),
    )


def _constant_scores(split: Split, baselines: SplitBaselines) -> dict[str, SplitScore]:
    test, n_test = split.test_outcomes, len(split.test_outcomes.quality)
    cheapest = int(np.argmin(np.nan_to_num(split.train_outcomes.cost_usd, nan=0.0).mean(axis=0)))
    random = Choice(
        shares=np.full(len(test.model_ids), 1.0 / len(test.model_ids)),
        quality=test.quality.mean(axis=1),
        cost_usd=test.cost_usd.mean(axis=1),
    )
    choices = {
        "best_single": choice_of(np.full(n_test, baselines.reference), test),
        "cheapest": choice_of(np.full(n_test, cheapest), test),
        "random": random,
    }
    if not np.isfinite(test.cost_usd).any():
        del choices["cheapest"]
    return {
        name: SplitScore(
            quality_first=choice,
            at_parity=choice,
            parity_value_usd=float("nan"),
            aiq=float("nan"),
            cost_ratio_frontier=float("nan"),
        )
        for name, choice in choices.items()
    }


@dataclass(frozen=True, kw_only=True)
class RouterScore:
    """One router over all splits. Points are hundredths of mean quality; NaN is unknown."""

    router: str
    quality: float
    cost_usd: float
    delta_points: Interval
    """Quality minus the best single model's, quality alone deciding."""
    parity_quality: float
    parity_cost_usd: float
    parity_delta_points: Interval
    """The same at the trade-off chosen on the training folds."""
    cost_ratio: Interval
    """Cost over the best single model's, at the trade-off chosen on the training folds."""
    cost_ratio_frontier: float
    """Lowest cost that reaches the best single model's quality on the test prompts themselves,
    over that model's cost; it flatters, since the trade-off is read off the test."""
    aiq: float
    gap_closed: float
    calls: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All routers on held-out prompts."""

    n_prompts: int
    model_ids: tuple[str, ...]
    n_seeds: int
    best_single: str
    best_single_quality: float
    best_single_cost_usd: float
    oracle_quality: float
    oracle_cost_usd: float
    zero_router_aiq: float
    routers: tuple[RouterScore, ...]


def evaluate_routers(
    splits: Sequence[Split], estimators: Mapping[str, Estimator], *, n_prompts: int
) -> Evaluation:
    """Score every router on every split and summarise, with paired bootstrap intervals."""
    scored = [score_split(split, estimators) for split in splits]
    baselines = [base for base, _ in scored]
    model_ids = splits[0].test_outcomes.model_ids
    rows = [split.test_rows for split in splits]
    picks = np.bincount([base.reference for base in baselines], minlength=len(model_ids))
    return Evaluation(
        n_prompts=n_prompts,
        model_ids=model_ids,
        n_seeds=len(splits),
        best_single=model_ids[int(np.argmax(picks))],
        best_single_quality=_mean([base.reference_quality.mean() for base in baselines]),
        best_single_cost_usd=_mean([base.reference_cost_usd.mean() for base in baselines]),
        oracle_quality=_mean([base.oracle.quality.mean() for base in baselines]),
        oracle_cost_usd=_mean([base.oracle.cost_usd.mean() for base in baselines]),
        zero_router_aiq=_mean([base.zero_router_aiq for base in baselines]),
        routers=tuple(
            _summarise(
                name, model_ids, baselines, [scores[name] for _, scores in scored], rows, n_prompts
            )
            for name in scored[0][1]
        ),
    )


def _summarise(
    name: str,
    model_ids: tuple[str, ...],
    baselines: list[SplitBaselines],
    scores: list[SplitScore],
    rows: list[NDArray[np.intp]],
    n_prompts: int,
) -> RouterScore:
    def points(choices: list[Choice]) -> Interval:
        values = [
            np.column_stack([choice.quality, base.reference_quality])
            for choice, base in zip(choices, baselines, strict=True)
        ]
        return bootstrap_interval(values, rows, statistic=_points_apart, n_prompts=n_prompts)

    first, parity = [s.quality_first for s in scores], [s.at_parity for s in scores]
    costs = [
        np.column_stack([choice.cost_usd, base.reference_cost_usd])
        for choice, base in zip(parity, baselines, strict=True)
    ]
    gaps = [
        (choice.quality.mean() - base.reference_quality.mean())
        / (base.oracle.quality.mean() - base.reference_quality.mean())
        for choice, base in zip(first, baselines, strict=True)
        if base.oracle.quality.mean() > base.reference_quality.mean()
    ]
    return RouterScore(
        router=name,
        quality=_mean([choice.quality.mean() for choice in first]),
        cost_usd=_mean([choice.cost_usd.mean() for choice in first]),
        delta_points=points(first),
        parity_quality=_mean([choice.quality.mean() for choice in parity]),
        parity_cost_usd=_mean([choice.cost_usd.mean() for choice in parity]),
        parity_delta_points=points(parity),
        cost_ratio=bootstrap_interval(costs, rows, statistic=_ratio, n_prompts=n_prompts),
        cost_ratio_frontier=_mean([score.cost_ratio_frontier for score in scores]),
        aiq=_mean([score.aiq for score in scores]),
        gap_closed=_mean(gaps),
        calls=dict(
            zip(model_ids, np.mean([c.shares for c in first], axis=0).tolist(), strict=True)
        ),
    )


def _mean(values: Sequence[float]) -> float:
    """Return the mean over splits; NaN if any split has none."""
    return float(np.mean(values)) if len(values) else float("nan")


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
    calls: dict[str, float]


def score_choices(
    choices: Mapping[str, NDArray[np.int64]], outcomes: Outcomes, *, reference: int
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
    """
    base = choice_of(np.full(len(outcomes.quality), reference), outcomes)
    rows = [np.arange(len(outcomes.quality))]
    scores = []
    for name, chosen in choices.items():
        choice = choice_of(chosen, outcomes)
        quality = np.column_stack([choice.quality, base.quality])
        cost = np.column_stack([choice.cost_usd, base.cost_usd])
        n_prompts = len(quality)
        scores.append(
            ChoiceScore(
                name=name,
                quality=float(choice.quality.mean()),
                cost_usd=float(choice.cost_usd.mean()),
                quality_share=_share(choice.quality.mean(), base.quality.mean()),
                delta_points=bootstrap_interval(
                    [quality], rows, statistic=_points_apart, n_prompts=n_prompts
                ),
                cost_ratio=bootstrap_interval([cost], rows, statistic=_ratio, n_prompts=n_prompts),
                calls=dict(zip(outcomes.model_ids, choice.shares.tolist(), strict=True)),
            )
        )
    return tuple(scores)


def _points_apart(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100.0 * (means[:, 0] - means[:, 1])


def _ratio(means: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.where(means[:, 1] != 0.0, means[:, 1], np.nan)
    return means[:, 0] / whole


def _share(part: float, whole: float) -> float:
    """Return the ratio; NaN of nothing, such as the cost of a free model."""
    return float(part / whole) if whole else float("nan")
