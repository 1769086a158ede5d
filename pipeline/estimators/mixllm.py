"""MixLLM-style: for each model alone, a regression of quality and one of what a call costs.

After Wang et al. (2025), MixLLM, arXiv 2502.18482: light predictors of quality and of answer length
(here of cost, which is length times a price) for each model, and a penalty for a model whose queue
is longer than the user's patience. A new model joins without refitting another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, Prompts, best_single, column_means
from pipeline.smoothers.cost import CostRegressor, FittedCost
from pipeline.smoothers.solve import solve_ridge
from profiles.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class MixLlm:
    """Settings."""

    ridge: float = 30.0
    """Noise over signal variance of the quality regression."""
    waiting_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds that a call waits for each model at present; 0 for a model that is not named."""
    patience_s: float = 10.0
    """Seconds that nobody minds waiting."""

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedMixLlm":
        """Fit every model's quality and cost on vectors and memberships."""
        features = _features(prompts)
        solution = solve_ridge(features, outcomes.quality, ridge=self.ridge)
        reference = best_single(outcomes)
        error = outcomes.quality - solution.held_out
        difference = error - error[:, [reference]]
        known = np.isfinite(outcomes.quality).any(axis=0)
        waiting = np.array([self.waiting_s.get(model_id, 0.0) for model_id in outcomes.model_ids])
        return FittedMixLlm(
            model_ids=outcomes.model_ids,
            coefficients=solution.coefficients,
            intercepts=np.where(known, solution.intercepts, np.nan),
            penalty=load_penalty(waiting, self.patience_s),
            error=np.sqrt(column_means(difference**2) * solution.leverage.mean()),
            cost=CostRegressor().fit(prompts, outcomes.cost_usd)[0],
        )


@dataclass(frozen=True, kw_only=True)
class FittedMixLlm:
    """One column of everything for each model."""

    model_ids: tuple[str, ...]
    coefficients: NDArray[np.float64]
    """Shape (n_features, n_models)."""
    intercepts: NDArray[np.float64]
    """Shape (n_models,); NaN for a model without a known quality."""
    penalty: NDArray[np.float64]
    """Shape (n_models,), in units of quality."""
    error: NDArray[np.float64]
    """Shape (n_models,): standard error of the difference to the best single model."""
    cost: FittedCost

    def estimate(self, prompts: Prompts) -> Estimates:
        """Predict quality less the load penalty, and cost."""
        quality = _features(prompts) @ self.coefficients + self.intercepts - self.penalty
        return Estimates(
            model_ids=self.model_ids,
            quality=quality,
            cost_usd=self.cost.predict(prompts),
            standard_error=np.tile(self.error, (len(quality), 1)),
        )


def load_penalty(waiting_s: NDArray[np.float64], patience_s: float) -> NDArray[np.float64]:
    """Return 0 within the patience, then e^((waiting − patience)/patience) − 1, at most 1.

    A penalty of 1 is all quality there is: past 1.7 times the patience a model is avoided.

    >>> load_penalty(np.array([0.0, 10.0, 15.0, 60.0]), 10.0).round(3).tolist()
    [0.0, 0.0, 0.649, 1.0]
    """
    over = np.clip((waiting_s - patience_s) / patience_s, 0.0, 1.0)
    return np.minimum(np.expm1(over), 1.0)


def _features(prompts: Prompts) -> NDArray[np.float64]:
    return np.hstack([prompts.vectors.astype(np.float64), prompts.memberships])
