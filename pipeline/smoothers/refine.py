"""Smooth again in the space of expected outcomes.

A prompt's predicted outcomes say how hard it is and for whom. What one model gains over another is
not linear in that (two models differ most on prompts of middling difficulty, as in item response
theory), so a second, small kernel ridge learns targets from the leading factors of the first fit's
predictions. Training prompts enter by held-out predictions, which keeps the second fit honest.
"""

from dataclasses import dataclass, field

import numpy as np

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import (
    FloatArray,
    PairedTargets,
    Smoother,
    SmootherConfig,
    Smoothing,
    unpair,
)
from pipeline.smoothers.kernel_ridge import KernelRidge, gaussian
from pipeline.smoothers.landmarks import choose_landmarks
from pipeline.smoothers.solve import solve_ridge


@dataclass(frozen=True, kw_only=True)
class OutcomeFactors:
    """Leading factors of predicted quality, scaled to unit variance and unit total width."""

    reference: int
    """Column of the reference model in the paired predictions."""
    centre: FloatArray
    """Shape (m,): mean predicted quality."""
    basis: FloatArray
    """Shape (m, n_factors)."""

    @classmethod
    def learn(cls, values: FloatArray, *, reference: int, n_factors: int) -> "OutcomeFactors":
        """Learn factors from held-out paired predictions of shape (n, m)."""
        quality = unpair(values, reference)
        centre = quality.mean(axis=0)
        _, sizes, axes = np.linalg.svd(quality - centre, full_matrices=False)
        kept = int((sizes[:n_factors] > 1e-9).sum())
        scales = sizes[:kept] / np.sqrt(len(quality)) * np.sqrt(max(kept, 1))
        return cls(reference=reference, centre=centre, basis=axes[:kept].T / scales)

    def locate(self, values: FloatArray) -> FloatArray:
        """Return coordinates, shape (n, n_factors), of paired predictions."""
        return (unpair(values, self.reference) - self.centre) @ self.basis


@dataclass(frozen=True, kw_only=True)
class RefinedMap:
    """Mean of a first fit and a second one on its predictions."""

    base: Smoother
    """First fit."""
    factors: OutcomeFactors
    """Coordinates of its predictions."""
    landmarks: FloatArray
    """Shape (n_landmarks, n_factors)."""
    coefficients: FloatArray
    """Shape (n_landmarks, m)."""
    intercepts: FloatArray
    """Shape (m,)."""
    width: float
    """Factor on squared distances."""
    share: float
    """Weight of the second fit, in [0, 1]."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return expected targets, shape (n, m), and the first fit's variance factors."""
        first, variance = self.base.predict(prompts)
        place = self.factors.locate(first)
        kernel = gaussian(place, self.landmarks, width=self.width)
        second = kernel @ self.coefficients + self.intercepts
        return (1.0 - self.share) * first + self.share * second, variance


@dataclass(frozen=True, kw_only=True)
class Refined:
    """A smoother averaged with a kernel ridge on its own predicted outcomes."""

    base: SmootherConfig = field(default_factory=KernelRidge)
    """First fit."""
    n_factors: int = 8
    """Leading factors of predicted quality."""
    n_landmarks: int = 600
    """Prompts that span the second fit."""
    width: float = 0.5
    """Factor on squared distances in factor space."""
    ridge: float = 10.0
    """Noise over signal variance of the second fit."""
    share: float = 0.5
    """Weight of the second fit."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        base = self.base.smooth(prompts, targets)
        factors = OutcomeFactors.learn(
            base.held_out, reference=targets.reference, n_factors=self.n_factors
        )
        place = factors.locate(base.held_out)
        chosen = choose_landmarks(prompts.texts, n_landmarks=self.n_landmarks)
        kernel = gaussian(place, place[chosen], width=self.width)
        second = solve_ridge(kernel, targets.values, ridge=self.ridge, penalty=kernel[chosen])
        smoother = RefinedMap(
            base=base.smoother,
            factors=factors,
            landmarks=place[chosen],
            coefficients=second.coefficients,
            intercepts=second.intercepts,
            width=self.width,
            share=self.share,
        )
        return Smoothing(
            smoother=smoother,
            held_out=(1.0 - self.share) * base.held_out + self.share * second.held_out,
            held_out_variance=base.held_out_variance,
        )
