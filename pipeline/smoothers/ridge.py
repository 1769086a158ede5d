"""Ridge regression on the sentence vectors."""

from dataclasses import dataclass

import numpy as np

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import FloatArray, PairedTargets, Smoothing
from pipeline.smoothers.solve import solve_ridge


@dataclass(frozen=True, kw_only=True)
class LinearMap:
    """Targets as a linear function of the vector."""

    coefficients: FloatArray
    """Shape (d, m)."""
    intercepts: FloatArray
    """Shape (m,)."""
    mean_leverage: float
    """Variance factor, taken as the same for every prompt."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return expected targets, shape (n, m), and variance factors, shape (n,)."""
        values = prompts.vectors.astype(np.float64) @ self.coefficients + self.intercepts
        return values, np.full(len(prompts.texts), self.mean_leverage)


@dataclass(frozen=True, kw_only=True)
class VectorRidge:
    """Ridge on unit vectors; a known-good range for `ridge` is 10 to 100."""

    ridge: float = 30.0
    """Noise over signal variance; does not scale with n."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        solution = solve_ridge(prompts.vectors.astype(np.float64), targets.values, ridge=self.ridge)
        smoother = LinearMap(
            coefficients=solution.coefficients,
            intercepts=solution.intercepts,
            mean_leverage=float(solution.leverage.mean()),
        )
        return Smoothing(
            smoother=smoother, held_out=solution.held_out, held_out_variance=solution.leverage
        )
