"""Score routers on prompts they were not fitted on: one split at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.choices import Choice, choice_of, oracle_columns, random_choice, share
from pipeline.estimators.base import (
    Estimates,
    Estimator,
    HeldOutFit,
    Prompts,
    best_single,
    fit_with_held_out,
    relative_to,
)
from pipeline.frontier import (
    average_improvement,
    cost_to_reach,
    log_cost_improvement,
    means_of,
    quality_values,
    sweep_router,
)
from pipeline.strong_weak import Pair, PairTarget, threshold_for
from pipeline.tradeoff import at_parity, at_value, choose_at
from profiles.outcomes import Outcomes

KEPT_SHARES = (1.0, 0.98, 0.95)
"""Shares of the best single model's quality at which cost is reported; 1 is parity."""
_UNKNOWN = float("nan")


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
class PairGains:
    """What one router expects of the strong model on one split."""

    test: NDArray[np.float64]
    """Shape (n_test,): expected quality of the strong model minus the weak one's."""
    at_target: Choice
    """Strong where the gain reaches the threshold that was set on the training folds."""


@dataclass(frozen=True, kw_only=True)
class SplitScore:
    """One router on one split."""

    quality_first: Choice
    """Quality alone decides, under the guard chosen on the training folds."""
    kept: Mapping[float, Choice]
    """Cheapest trade-off that kept a share of the best single model's quality on the training
    folds, for each of `KEPT_SHARES`."""
    frontier_ratios: Mapping[float, float]
    """Lowest cost on the test frontier that reaches the share, over the best single model's."""
    aiq: float
    log_aiq: float
    gains: PairGains | None
    """Strong and weak; None without a pair."""


@dataclass(frozen=True, kw_only=True)
class PairQuestion:
    """Which two models are a strong and a weak one, and what a threshold is to reach."""

    pair: Pair
    target: PairTarget


@dataclass(frozen=True, kw_only=True)
class SplitBaselines:
    """What every router is compared with, on one split's test prompts."""

    reference: int
    """Column of the best single model, chosen on the training prompts."""
    reference_quality: NDArray[np.float64]
    reference_cost_usd: NDArray[np.float64]
    oracle: Choice
    zero_router_aiq: float
    zero_router_log_aiq: float
    labelling_usd: float
    """Known cost of all outcomes the routers were fitted on."""


def score_split(
    split: Split, estimators: Mapping[str, Estimator], *, question: PairQuestion | None = None
) -> tuple[SplitBaselines, dict[str, SplitScore]]:
    """Fit every router on the training part and score it on the test part."""
    baselines = _baselines(split)
    scores = {
        name: _score_router(split, baselines, estimator, question)
        for name, estimator in estimators.items()
    }
    return baselines, scores | _constant_scores(split, baselines)


def _baselines(split: Split) -> SplitBaselines:
    reference = best_single(split.train_outcomes)
    test = split.test_outcomes
    cost, quality = test.cost_usd.mean(axis=0), test.quality.mean(axis=0)
    ends = {"cheapest_usd": float(cost.min()), "dearest_usd": float(cost.max())}
    return SplitBaselines(
        reference=reference,
        reference_quality=test.quality[:, reference],
        reference_cost_usd=test.cost_usd[:, reference],
        oracle=choice_of(oracle_columns(test), test),
        zero_router_aiq=average_improvement(cost, quality, **ends),
        zero_router_log_aiq=log_cost_improvement(cost, quality, **ends),
        labelling_usd=_known_total(split.train_outcomes.cost_usd),
    )


def _score_router(
    split: Split, baselines: SplitBaselines, estimator: Estimator, question: PairQuestion | None
) -> SplitScore:
    outcomes, test = split.train_outcomes, split.test_outcomes
    reference = baselines.reference
    estimator = relative_to(estimator, outcomes.model_ids[reference])
    fit = fit_with_held_out(estimator, split.train, outcomes, split.train_folds)
    estimates = fit.estimator.estimate(split.test)
    first = at_value(fit.held_out, outcomes, reference=reference, quality_value_usd=np.inf)
    chosen = sweep_router(estimates, quality_values(outcomes)).chosen
    chosen[0] = choose_at(estimates, first, reference=reference)
    cost, quality = means_of(chosen, test)
    single_cost = test.cost_usd.mean(axis=0)
    ends = {"cheapest_usd": float(single_cost.min()), "dearest_usd": float(single_cost.max())}
    target, spent = baselines.reference_quality.mean(), baselines.reference_cost_usd.mean()
    return SplitScore(
        quality_first=choice_of(chosen[0], test),
        kept={
            kept: _choice_that_keeps(kept, fit, estimates, split, reference) for kept in KEPT_SHARES
        },
        frontier_ratios={
            kept: share(cost_to_reach(cost, quality, kept * float(target)), spent)
            for kept in KEPT_SHARES
        },
        aiq=average_improvement(cost, quality, **ends),
        log_aiq=log_cost_improvement(cost, quality, **ends),
        gains=None if question is None else _pair_gains(question, fit, estimates, split),
    )


def _choice_that_keeps(
    kept: float, fit: HeldOutFit, estimates: Estimates, split: Split, reference: int
) -> Choice:
    known = {"reference": reference, "keep_quality": kept}
    setting = at_parity(fit.held_out, split.train_outcomes, **known)
    return choice_of(choose_at(estimates, setting, reference=reference), split.test_outcomes)


def _pair_gains(
    question: PairQuestion, fit: HeldOutFit, estimates: Estimates, split: Split
) -> PairGains:
    pair = question.pair
    expected = fit.held_out.quality[:, pair.strong] - fit.held_out.quality[:, pair.weak]
    least = threshold_for(question.target, expected, split.train_outcomes, pair)
    gain = estimates.quality[:, pair.strong] - estimates.quality[:, pair.weak]
    chosen = np.where(gain >= least, pair.strong, pair.weak)
    return PairGains(test=gain, at_target=choice_of(chosen, split.test_outcomes))


def _constant_scores(split: Split, baselines: SplitBaselines) -> dict[str, SplitScore]:
    test, n_test = split.test_outcomes, len(split.test_outcomes.quality)
    cheapest = int(np.argmin(np.nan_to_num(split.train_outcomes.cost_usd, nan=0.0).mean(axis=0)))
    choices = {
        "best_single": choice_of(np.full(n_test, baselines.reference), test),
        "cheapest": choice_of(np.full(n_test, cheapest), test),
        "random": random_choice(test),
    }
    if not np.isfinite(test.cost_usd).any():
        del choices["cheapest"]
    return {
        name: SplitScore(
            quality_first=choice,
            kept=dict.fromkeys(KEPT_SHARES, choice),
            frontier_ratios=dict.fromkeys(KEPT_SHARES, _UNKNOWN),
            aiq=_UNKNOWN,
            log_aiq=_UNKNOWN,
            gains=None,
        )
        for name, choice in choices.items()
    }


def _known_total(values: NDArray[np.float64]) -> float:
    """Return the sum of the known values; NaN where none is known."""
    known = np.isfinite(values)
    return float(values[known].sum()) if known.any() else _UNKNOWN
