"""What every estimator takes and gives."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from profiles.outcomes import Outcomes, RowIndex


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """What an estimator may look at: never an outcome."""

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]
    """Shape (n, n_dims), unit rows."""
    memberships: NDArray[np.float64]
    """Shape (n, n_domains + 1), rows sum to 1; the last column is `unassigned`. Held out for
    training prompts. Without domains: one column of ones."""

    def rows(self, index: RowIndex) -> "Prompts":
        """Return some of the prompts."""
        positions = np.arange(len(self.texts))[index]
        return Prompts(
            texts=tuple(self.texts[i] for i in positions),
            vectors=self.vectors[index],
            memberships=self.memberships[index],
        )


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """Expected quality and cost of each model on each prompt."""

    model_ids: tuple[str, ...]
    quality: NDArray[np.float64]
    """Shape (n, n_models)."""
    cost_usd: NDArray[np.float64]
    """Shape (n, n_models); NaN is unknown."""
    standard_error: NDArray[np.float64]
    """Shape (n, n_models): of the advantage over the reference model; 0 for that model."""


class FittedEstimator(Protocol):
    """An estimator that has seen training outcomes."""

    def estimate(self, prompts: Prompts) -> Estimates:
        """Return what each model is expected to do on unseen prompts."""
        ...


class Estimator(Protocol):
    """Settings of an estimator."""

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> FittedEstimator:
        """Learn from training prompts and their outcomes; row i of both is one prompt."""
        ...


Fitted_co = TypeVar("Fitted_co", bound=FittedEstimator, covariant=True)


@dataclass(frozen=True, kw_only=True)
class HeldOutFit(Generic[Fitted_co]):
    """A fitted estimator and its honest estimates of its own training prompts."""

    estimator: Fitted_co
    """For unseen prompts."""
    held_out: Estimates
    """Row i comes from a fit that did not use the outcomes of row i: choose trade-offs on these."""


@runtime_checkable
class HeldOutEstimator(Protocol):
    """An estimator that gives held-out estimates with one fit."""

    def fit_held_out(self, prompts: Prompts, outcomes: Outcomes) -> HeldOutFit[FittedEstimator]:
        """Learn from training prompts, and estimate each of them without its own outcomes."""
        ...


def fit_with_held_out(
    estimator: Estimator, prompts: Prompts, outcomes: Outcomes, folds: NDArray[np.int64]
) -> HeldOutFit[FittedEstimator]:
    """Fit, with held-out estimates: the estimator's own, or by leaving out one fold at a time."""
    if isinstance(estimator, HeldOutEstimator):
        return estimator.fit_held_out(prompts, outcomes)
    held_out = cross_estimate(estimator, prompts, outcomes, folds)
    return HeldOutFit(estimator=estimator.fit(prompts, outcomes), held_out=held_out)


def relative_to(estimator: Estimator, model_id: str) -> Estimator:
    """Return the estimator with its comparisons, and standard errors, against one model.

    An estimator without the knob `reference_model_id` is returned as it is.
    """
    if not hasattr(estimator, "reference_model_id"):
        return estimator
    return replace(estimator, reference_model_id=model_id)  # pyright: ignore[reportArgumentType]


def cross_estimate(
    estimator: Estimator, prompts: Prompts, outcomes: Outcomes, folds: NDArray[np.int64]
) -> Estimates:
    """Estimate each training prompt by a fit without its fold."""
    parts: list[tuple[NDArray[np.intp], Estimates]] = []
    for fold in np.unique(folds):
        fitted = estimator.fit(prompts.rows(folds != fold), outcomes.rows(folds != fold))
        parts.append((np.flatnonzero(folds == fold), fitted.estimate(prompts.rows(folds == fold))))

    def gather(part_of: Callable[[Estimates], NDArray[np.float64]]) -> NDArray[np.float64]:
        whole = np.empty_like(outcomes.quality)
        for index, part in parts:
            whole[index] = part_of(part)
        return whole

    return Estimates(
        model_ids=outcomes.model_ids,
        quality=gather(lambda part: part.quality),
        cost_usd=gather(lambda part: part.cost_usd),
        standard_error=gather(lambda part: part.standard_error),
    )


def best_single(outcomes: Outcomes, *, among: tuple[str, ...] = ()) -> int:
    """Return the column of the model with the highest mean quality.

    Ties go to the cheaper model, then to the smaller id. Models that are not `known_well` are
    passed over.

    Raises
    ------
    ValueError
        If no model has a known quality.
    """
    n_known = np.isfinite(outcomes.quality).sum(axis=0)
    allowed = [
        j
        for j, model_id in enumerate(outcomes.model_ids)
        if (not among or model_id in among) and n_known[j] > 0
    ]
    if not allowed:
        raise ValueError("No model has a known quality.")
    quality = column_means(outcomes.quality)
    cost = np.nan_to_num(column_means(outcomes.cost_usd), nan=np.inf)
    is_known = known_well(outcomes.columns(tuple(outcomes.model_ids[j] for j in allowed)))
    well = [j for j, enough in zip(allowed, is_known, strict=True) if enough]
    return min(well, key=lambda j: (-quality[j], cost[j], outcomes.model_ids[j]))


def known_well(outcomes: Outcomes) -> NDArray[np.bool_]:
    """Tell which models have a quality on a tenth as many prompts as the best known one.

    A handful of lucky answers is no evidence. Shape (n_models,); all where none is known at all.
    """
    n_known = np.isfinite(outcomes.quality).sum(axis=0)
    return n_known >= n_known.max(initial=0) / 10.0


def column_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return column means over known values; NaN where none is known."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
