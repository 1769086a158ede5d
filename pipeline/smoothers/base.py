"""What every smoother reads and returns, and the pairing all of them share.

Smoothers smooth *paired targets*: the reference model's own quality, and for every other model the
difference to the reference on the same prompt. Pairing removes prompt difficulty and keeps a model
that is known on hard prompts only from looking weak. Every smoother is fit column by column, so a
model that joins later changes nothing for the others.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Prompts

FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PairedTargets:
    """Quality written as reference quality and paired differences."""

    reference: int
    """Column of the reference model."""
    values: FloatArray
    """Shape (n, m): reference quality in its own column, differences to it elsewhere; NaN is
    unknown."""


class Smoother(Protocol):
    """A fitted map from prompts to expected targets."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return expected targets and variance factors.

        Returns
        -------
        values
            Shape (n, m), never NaN.
        variance
            Shape (n,): variance of an estimate over the variance of one target.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """A smoother and what it says of its own training prompts when each is held out."""

    smoother: Smoother
    """For unseen prompts."""
    held_out: FloatArray
    """Shape (n, m): prediction for row i by a fit that did not use the targets of row i."""
    held_out_variance: FloatArray
    """Shape (n,): variance factor of `held_out`."""


class SmootherConfig(Protocol):
    """Knobs of a smoother."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        ...


def known_means(values: FloatArray) -> FloatArray:
    """Return the mean known value per column, 0 for a column without any, shape (m,)."""
    known = np.isfinite(values)
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def pair_targets(
    quality: FloatArray, *, reference: int, reference_quality: FloatArray
) -> PairedTargets:
    """Write quality as the reference model's quality and paired differences to it.

    Parameters
    ----------
    quality
        Shape (n, m), in [0, 1], NaN unknown.
    reference
        Column of the reference model.
    reference_quality
        Shape (n,): stands in where the reference's outcome is unknown, so that logs with one
        model for each prompt still say something.
    """
    own = quality[:, reference]
    values = quality - np.where(np.isfinite(own), own, reference_quality)[:, None]
    values[:, reference] = own
    return PairedTargets(reference=reference, values=values)


def unpair(values: FloatArray, reference: int) -> FloatArray:
    """Return quality, shape (n, m), from smoothed paired targets."""
    quality = values + values[:, [reference]]
    quality[:, reference] = values[:, reference]
    return quality


def paired_spread(targets: PairedTargets, held_out: FloatArray) -> FloatArray:
    """Return the held-out standard deviation of the paired differences per model, shape (m,).

    0 for the reference, NaN for a model without a known difference; a model with one known
    difference gets the largest of the rest.
    """
    residual = targets.values - held_out
    known = np.isfinite(residual)
    n_known = known.sum(axis=0)
    spread = np.sqrt((np.where(known, residual, 0.0) ** 2).sum(axis=0) / np.maximum(n_known, 1))
    spread = np.where(n_known >= 2, spread, spread.max(initial=0.0))
    spread = np.where(n_known >= 1, spread, np.nan)
    spread[targets.reference] = 0.0
    return spread
