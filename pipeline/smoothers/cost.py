"""Cost per prompt and model before the call.

What a call costs hangs on the prompt's length and on how long the answer will be; both show in the
prompt. Knowing it per prompt lets a router spend on the dear model where it is cheap to ask, which
was worth +.003 AIQ on MMLU-Pro. Half of the estimate is a log-linear model, half the mean cost of
the nearest prompts: bills have tails that a logarithm flattens and neighbours keep.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import FloatArray, known_means
from pipeline.smoothers.neighbours import NeighbourMean
from pipeline.smoothers.solve import solve_ridge
from pipeline.smoothers.text_features import ShapeScaler, measure_shape

SMALLEST_COST_USD = 1e-9
"""Free calls are moved here before the logarithm."""


@dataclass(frozen=True, kw_only=True)
class FittedCost:
    """Mean of a log-linear model and of neighbours' costs, one column per model."""

    scaler: ShapeScaler
    """Standardisation of the shape features."""
    coefficients: FloatArray
    """Shape (2 * n_shape + d, m)."""
    intercepts: FloatArray
    """Shape (m,), natural log of USD."""
    corrections: FloatArray
    """Shape (m,), positive: mean cost over mean of exponentiated predictions (Duan's smearing)."""
    bounds: FloatArray
    """Shape (2, m): smallest and largest known log cost; log-linear estimates stay inside."""
    neighbours: NeighbourMean
    """Training prompts with their costs in USD."""

    def predict(self, prompts: Prompts) -> FloatArray:
        """Return expected USD per call, shape (n, m); NaN for a model without any known cost."""
        features = _features(prompts, self.scaler)
        logs = np.clip(features @ self.coefficients + self.intercepts, *self.bounds)
        near, _ = self.neighbours.predict(prompts)
        return (np.exp(logs) * self.corrections + near) / 2.0


@dataclass(frozen=True, kw_only=True)
class CostRegressor:
    """Ridge regression of log cost on shape and vector, averaged with neighbours' costs."""

    ridge: float = 10.0
    """Noise over signal variance of the ridge; does not scale with n."""
    n_neighbors: int = 100
    """Neighbours whose costs are averaged."""

    def fit(self, prompts: Prompts, cost_usd: FloatArray) -> tuple[FittedCost, FloatArray]:
        """Fit, and return the leave-one-out estimates of the training prompts beside the fit.

        Parameters
        ----------
        prompts
            Training prompts.
        cost_usd
            Shape (n, m), USD per call, NaN unknown.
        """
        scaler = ShapeScaler.learn(measure_shape(prompts.texts))
        logs = np.log(np.maximum(cost_usd, SMALLEST_COST_USD))
        solution = solve_ridge(_features(prompts, scaler), logs, ridge=self.ridge)
        bounds = _known_range(logs)
        smooth = np.exp(np.clip(solution.held_out, *bounds))
        corrections = _match_totals(cost_usd, smooth)
        neighbours = NeighbourMean(
            vectors=prompts.vectors,
            targets=cost_usd,
            prior=known_means(cost_usd),
            n_neighbors=self.n_neighbors,
            sharpness=0.0,
            n_prior=0.0,
        )
        fitted = FittedCost(
            scaler=scaler,
            coefficients=solution.coefficients,
            intercepts=solution.intercepts,
            corrections=corrections,
            bounds=bounds,
            neighbours=neighbours,
        )
        near, _ = neighbours.predict_training()
        return fitted, (smooth * corrections + near) / 2.0


def _known_range(logs: FloatArray) -> FloatArray:
    """Return the smallest and largest known value per column, shape (2, m); 0 where none is."""
    known = np.isfinite(logs)
    low = np.where(known, logs, np.inf).min(axis=0)
    high = np.where(known, logs, -np.inf).max(axis=0)
    return np.where(known.any(axis=0), np.stack([low, high]), 0.0)


def _match_totals(cost_usd: FloatArray, smooth: FloatArray) -> FloatArray:
    """Return known spend over predicted spend per model, shape (m,); NaN where none is known."""
    known = np.isfinite(cost_usd)
    spent = np.where(known, cost_usd, 0.0).sum(axis=0)
    predicted = np.where(known, smooth, 0.0).sum(axis=0)
    ratio = spent / np.maximum(predicted, SMALLEST_COST_USD)
    return np.where(known.any(axis=0), ratio, np.nan)


def _features(prompts: Prompts, scaler: ShapeScaler) -> FloatArray:
    """Return shape, squared shape and vectors: log cost bends with log length."""
    shape = scaler.scale(measure_shape(prompts.texts)) * np.sqrt(len(scaler.means))
    return np.hstack([shape, shape**2 / 4.0, prompts.vectors.astype(np.float64)])
