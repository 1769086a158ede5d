"""Capability table: what each model really gains on the prompts sent to each domain.

Cells are paired differences weighted by out-of-fold membership, so a cell says what happens to the
prompts the assigner *sends* there, and are shrunk to the model's mean by empirical Bayes
(InferenceDynamics, arXiv 2505.16303, with the counts and the shrinkage it lacks).
"""

from dataclasses import dataclass

import numpy as np

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import FloatArray, PairedTargets, Smoothing, known_means

N_POOLED = 10.0
"""Pseudo-prompts of the global variance mixed into each cell's own."""
BLOCK_CELLS = 4_000_000
"""Prompt x domain x model cells held at once when leaving prompts out."""


@dataclass(frozen=True, kw_only=True)
class CellSums:
    """Weighted sums per domain and model. All have shape (n_domains, m)."""

    weight: FloatArray
    """Sum of memberships of prompts with a known target."""
    weight_squared: FloatArray
    """Sum of their squares."""
    total: FloatArray
    """Sum of membership times deviation from the model's mean."""
    square: FloatArray
    """Sum of membership times squared deviation."""


@dataclass(frozen=True, kw_only=True)
class MembershipTable:
    """Shrunk cells and the rule that reads them."""

    cells: FloatArray
    """Shape (n_domains, m): shrunk mean deviation from `prior`."""
    prior: FloatArray
    """Shape (m,): mean known target."""
    cell_variance: FloatArray
    """Shape (n_domains,): variance factor of a cell, mean over models."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return expected targets and variance factors; the prior for a prompt in no domain."""
        memberships = _domains_only(prompts)
        return self.prior + memberships @ self.cells, memberships @ self.cell_variance


@dataclass(frozen=True, kw_only=True)
class SoftTable:
    """Cells mixed by membership, since hard predicted labels lost up to 8.9 points."""

    fallback_n_prior: float = 40.0
    """Pseudo-prompts of shrinkage where the spread between domains cannot be estimated."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        memberships = _domains_only(prompts)
        prior = known_means(targets.values)
        known = np.isfinite(targets.values)
        deviations = np.where(known, targets.values - prior, 0.0)
        sums = _sum_cells(memberships, deviations, known)
        n_prior = _estimate_n_prior(sums, fallback=self.fallback_n_prior)
        cells, variance = _shrink(sums.total, sums.weight, sums.weight_squared, n_prior)
        smoother = MembershipTable(cells=cells, prior=prior, cell_variance=variance.mean(axis=1))
        held_out = prior + _leave_out(memberships, deviations, known, sums=sums, n_prior=n_prior)
        return Smoothing(
            smoother=smoother,
            held_out=held_out,
            held_out_variance=memberships @ smoother.cell_variance,
        )


def _domains_only(prompts: Prompts) -> FloatArray:
    """Return memberships without the last column: a refused prompt is in no domain."""
    return prompts.memberships[:, :-1]


def _sum_cells(memberships: FloatArray, deviations: FloatArray, known: FloatArray) -> CellSums:
    """Sum memberships and deviations per domain and model."""
    return CellSums(
        weight=memberships.T @ known,
        weight_squared=(memberships**2).T @ known,
        total=memberships.T @ deviations,
        square=memberships.T @ deviations**2,
    )


def _estimate_n_prior(sums: CellSums, *, fallback: float) -> FloatArray:
    """Return pseudo-prompts of shrinkage per cell: variance inside over variance between domains.

    Moments: the spread of cell means minus what sampling alone gives them, per model.
    """
    weight = np.maximum(sums.weight, 1e-12)
    means = sums.total / weight
    inside = np.maximum(sums.square / weight - means**2, 0.0)
    total_weight = np.maximum(sums.weight.sum(axis=0), 1e-12)
    pooled = (sums.weight * inside).sum(axis=0) / total_weight
    inside = (sums.weight * inside + N_POOLED * pooled) / (sums.weight + N_POOLED)
    n_effective = sums.weight**2 / np.maximum(sums.weight_squared, 1e-12)
    sampling = inside / np.maximum(n_effective, 1.0)
    spread = (sums.weight * (means**2 - sampling)).sum(axis=0) / total_weight
    floor = 1e-3 * np.maximum(pooled, 1e-12)
    estimated = inside / np.maximum(spread, floor)
    return np.where(sums.weight.sum(axis=0) > N_POOLED, estimated, fallback)


def _shrink(
    total: FloatArray, weight: FloatArray, weight_squared: FloatArray, n_prior: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return shrunk cell means and their variance factors."""
    n_effective = weight**2 / np.maximum(weight_squared, 1e-12)
    kept = n_effective / (n_effective + n_prior)
    return kept * total / np.maximum(weight, 1e-12), kept / np.maximum(n_effective, 1.0)


def _leave_out(
    memberships: FloatArray,
    deviations: FloatArray,
    known: FloatArray,
    *,
    sums: CellSums,
    n_prior: FloatArray,
) -> FloatArray:
    """Return each prompt's deviation from cells that do not contain it, shape (n, m)."""
    values = np.empty_like(deviations)
    step = max(1, BLOCK_CELLS // max(1, sums.weight.size))
    for start in range(0, len(values), step):
        rows = slice(start, start + step)
        own = memberships[rows, :, None] * known[rows, None, :]
        cells, _ = _shrink(
            sums.total - own * deviations[rows, None, :],
            np.maximum(sums.weight - own, 0.0),
            np.maximum(sums.weight_squared - own**2, 0.0),
            n_prior,
        )
        values[rows] = np.einsum("nd,ndm->nm", memberships[rows], cells)
    return values
