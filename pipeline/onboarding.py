"""How many labelled prompts a new model needs until routing gains what it will gain from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, Statistic, bootstrap_intervals
from pipeline.choices import points_apart
from pipeline.estimators.base import Estimator
from pipeline.evaluate import Split
from pipeline.route import choose_by_utility
from pipeline.split import hash_shares

LABELLED_SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class OnboardingPoint:
    """Routing quality with the new model known on some of the training prompts."""

    share: float
    """Of the training prompts, in [0, 1]."""
    n_labelled: float
    """Training prompts with an outcome of the new model, mean over splits."""
    quality: float
    """Mean on the test prompts, quality alone deciding."""
    gain_points: Interval
    """100 x (quality − quality without the new model)."""
    share_of_gain: Interval
    """Gain over the gain with all labels; NaN where the new model gains nothing."""
    calls: float
    """Share of the test prompts that go to the new model."""


def onboarding_curve(
    splits: Sequence[Split],
    estimator: Estimator,
    *,
    model_id: str,
    n_prompts: int,
    shares: tuple[float, ...] = LABELLED_SHARES,
) -> tuple[OnboardingPoint, ...]:
    """Fit with the new model known on growing parts of the training prompts; others unchanged.

    Parameters
    ----------
    shares
        Rising from 0 to 1. Prompts labelled at a share stay labelled at larger ones.
    """
    column = splits[0].test_outcomes.model_ids.index(model_id)
    labelled = [[_labelled(split, share) for share in shares] for split in splits]
    chosen = [
        [_choose(split, estimator, column, known) for known in knowns]
        for split, knowns in zip(splits, labelled, strict=True)
    ]
    quality = [
        np.column_stack([_quality(split, columns) for columns in choices])
        for split, choices in zip(splits, chosen, strict=True)
    ]
    statistics: dict[str, Statistic] = {}
    for place in range(len(shares)):
        statistics[f"gain {place}"] = points_apart(place, 0)
        statistics[f"share {place}"] = _share_of_gain(place)
    found = bootstrap_intervals(
        quality, [split.test_rows for split in splits], statistics=statistics, n_prompts=n_prompts
    )
    return tuple(
        OnboardingPoint(
            share=share,
            n_labelled=float(np.mean([knowns[place].sum() for knowns in labelled])),
            quality=float(np.mean([part[:, place].mean() for part in quality])),
            gain_points=found[f"gain {place}"],
            share_of_gain=found[f"share {place}"],
            calls=float(np.mean([(choices[place] == column).mean() for choices in chosen])),
        )
        for place, share in enumerate(shares)
    )


def _labelled(split: Split, share: float) -> NDArray[np.bool_]:
    return hash_shares(split.train.texts, seed=0) < share


def _choose(
    split: Split, estimator: Estimator, column: int, labelled: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the test prompts' choices when the model is known on some training prompts only."""
    quality, cost = split.train_outcomes.quality.copy(), split.train_outcomes.cost_usd.copy()
    quality[~labelled, column], cost[~labelled, column] = np.nan, np.nan
    seen = replace(split.train_outcomes, quality=quality, cost_usd=cost)
    estimates = estimator.fit(split.train, seen).estimate(split.test)
    return choose_by_utility(estimates, quality_value_usd=float("inf"))


def _quality(split: Split, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    return split.test_outcomes.quality[np.arange(len(chosen)), chosen]


def _share_of_gain(place: int) -> Statistic:
    def share(means: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = means[:, -1] - means[:, 0]
        return (means[:, place] - means[:, 0]) / np.where(whole > 0.0, whole, np.nan)

    return share
