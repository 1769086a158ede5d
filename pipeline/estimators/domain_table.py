"""The domain table: paired advantages per domain, shrunk, mixed by soft membership."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, Prompts, best_single, column_means
from profiles.interval import shrink_means, shrink_towards
from profiles.outcomes import Outcomes

_VARIANCE_PSEUDO_COUNTS = 10.0
_MEAN_PSEUDO_COUNTS = 10.0
_QUALITY_PSEUDO_COUNTS = 10.0


@dataclass(frozen=True, kw_only=True)
class Cells:
    """One number per bucket (domain, or `unassigned` in the last row) and model."""

    model_ids: tuple[str, ...]
    reference: int
    """Column of the reference model, whose advantage is 0."""
    advantage: NDArray[np.float64]
    """Shape (n_buckets, n_models): shrunk quality minus the reference model's."""
    advantage_sd: NDArray[np.float64]
    quality: NDArray[np.float64]
    """Shape (n_buckets, n_models), in [0, 1]: the reference's shrunk quality plus the advantage."""
    cost_usd: NDArray[np.float64]
    """Shape (n_buckets, n_models); NaN where no cost of the model is known."""
    n_effective: NDArray[np.float64]
    """Shape (n_buckets, n_models): effective number of outcomes."""


@dataclass(frozen=True, kw_only=True)
class DomainTable:
    """Settings: `soft` mixes the buckets by membership, otherwise the likeliest one decides."""

    soft: bool = True
    reference_model_id: str | None = None

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedDomainTable":
        """Build the cells from held-out memberships."""
        if self.reference_model_id is None:
            reference = best_single(outcomes)
        else:
            reference = outcomes.model_ids.index(self.reference_model_id)
        memberships = prompts.memberships if self.soft else _harden(prompts.memberships)
        return FittedDomainTable(
            cells=build_cells(memberships, outcomes, reference), soft=self.soft
        )


@dataclass(frozen=True, kw_only=True)
class FittedDomainTable:
    """Cells, and how memberships pick among them."""

    cells: Cells
    soft: bool

    def estimate(self, prompts: Prompts) -> Estimates:
        """Mix the cells by each prompt's memberships."""
        weights = prompts.memberships if self.soft else _harden(prompts.memberships)
        return Estimates(
            model_ids=self.cells.model_ids,
            quality=weights @ self.cells.quality,
            cost_usd=weights @ self.cells.cost_usd,
            standard_error=weights @ self.cells.advantage_sd,  # errors share the reference's
        )


def build_cells(memberships: NDArray[np.float64], outcomes: Outcomes, reference: int) -> Cells:
    """Build the table from held-out memberships and outcomes.

    Parameters
    ----------
    memberships
        Shape (n, n_buckets), rows sum to 1.
    reference
        Column of the model to which all others are compared prompt by prompt, which removes the
        difficulty of the prompt. Where its outcome is unknown, its expected quality in the
        prompt's buckets stands in, so that logs with one model for each prompt still give a
        (wider) number.

    Notes
    -----
    With W the memberships and Δ the paired differences, each cell is ΣWΔ/ΣW, shrunk to the
    model's global paired mean by empirical Bayes; the variance within a cell is pooled with ten
    pseudo-observations of the global one.
    """
    reference_quality = shrunk_quality(memberships, outcomes.quality[:, reference])
    baseline = outcomes.quality[:, reference]
    baseline = np.where(np.isfinite(baseline), baseline, memberships @ reference_quality)
    columns = [
        _advantages(memberships, outcomes.quality[:, j] - baseline)
        for j in range(len(outcomes.model_ids))
    ]
    advantage, sd, n_effective = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    advantage[:, reference], sd[:, reference] = 0.0, 0.0
    return Cells(
        model_ids=outcomes.model_ids,
        reference=reference,
        advantage=advantage,
        advantage_sd=sd,
        quality=np.clip(reference_quality[:, None] + advantage, 0.0, 1.0),
        cost_usd=bucket_means(memberships, outcomes.cost_usd),
        n_effective=n_effective,
    )


def _advantages(
    memberships: NDArray[np.float64], difference: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    known = np.isfinite(difference)
    n_buckets = memberships.shape[1]
    if not known.any():
        return np.full(n_buckets, np.nan), np.full(n_buckets, np.nan), np.zeros(n_buckets)
    weights, values = memberships[known], difference[known]
    total = weights.sum(axis=0)
    n_effective = total**2 / np.maximum((weights**2).sum(axis=0), 1e-12)
    means = weights.T @ values / np.maximum(total, 1e-12)
    overall = float(values.mean())
    spread = float(np.mean((values - overall) ** 2))
    within = (weights.T @ values**2) / np.maximum(total, 1e-12) - means**2
    pooled = shrink_towards(
        within, n_effective, np.full(n_buckets, spread), _VARIANCE_PSEUDO_COUNTS
    )
    shrunk = shrink_means(means, pooled, n_effective, overall)
    return shrunk.mean, shrunk.sd, n_effective


def shrunk_quality(
    memberships: NDArray[np.float64], quality: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return one model's mean known quality in each bucket, shrunk to its overall mean."""
    known = np.isfinite(quality)
    total = memberships[known].sum(axis=0)
    means = memberships[known].T @ quality[known] / np.maximum(total, 1e-12)
    overall = np.full(memberships.shape[1], quality[known].mean())
    return shrink_towards(means, total, overall, _QUALITY_PSEUDO_COUNTS)


def bucket_means(
    memberships: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return mean known costs or latencies in each bucket, shrunk to each model's overall mean.

    Parameters
    ----------
    values
        Shape (n, n_models); NaN is unknown.

    Returns
    -------
    NDArray
        Shape (n_buckets, n_models); NaN for a model without a known value.
    """
    known = np.isfinite(values)
    total = memberships.T @ known
    means = (memberships.T @ np.where(known, values, 0.0)) / np.maximum(total, 1e-12)
    overall = np.broadcast_to(column_means(values), means.shape)
    return shrink_towards(means, total, overall, _MEAN_PSEUDO_COUNTS)


def _harden(memberships: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.eye(memberships.shape[1])[np.argmax(memberships, axis=1)]
