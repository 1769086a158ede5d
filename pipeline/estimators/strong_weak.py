"""Strong and weak: the chance that the strong model is better, and nothing of any other model.

After Ong et al. (2024), RouteLLM, arXiv 2406.18665: a win, a tie or a loss for each prompt, and a
classifier of the three. The expected gain is P(win)·(mean won) − P(loss)·(mean lost), which for 0/1
outcomes is P(win) − P(loss). A threshold on it is set by `pipeline.strong_weak.threshold_for`.
Both models are fitted together, so another pair is another fit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from pipeline.estimators.base import Estimates, Prompts, best_single, column_means
from profiles.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class StrongWeak:
    """Settings; by default the best single model against the cheapest other one."""

    strong: str | None = None
    weak: str | None = None
    inverse_regularisation: float = 10.0

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedStrongWeak":
        """Fit the chances of a win, a tie and a loss of the strong model.

        Raises
        ------
        ValueError
            If there is only one model, or no prompt that both answered.
        """
        strong, weak = self._columns(outcomes)
        gain = outcomes.quality[:, strong] - outcomes.quality[:, weak]
        known = np.isfinite(gain)
        if strong == weak or not known.any():
            raise ValueError("Strong and weak need two models that answered the same prompts.")
        result = (np.sign(gain[known]) + 1).astype(np.int64)
        coefficients, intercepts = _fit_classes(
            prompts.vectors[known].astype(np.float64), result, self.inverse_regularisation
        )
        sizes = np.bincount(result, weights=gain[known], minlength=3)
        return FittedStrongWeak(
            model_ids=outcomes.model_ids,
            strong=strong,
            weak=weak,
            coefficients=coefficients,
            intercepts=intercepts,
            sizes=sizes / np.maximum(np.bincount(result, minlength=3), 1),
            weak_quality=float(outcomes.quality[known, weak].mean()),
            cost_usd=column_means(outcomes.cost_usd),
        )

    def _columns(self, outcomes: Outcomes) -> tuple[int, int]:
        ids = outcomes.model_ids
        strong = best_single(outcomes) if self.strong is None else ids.index(self.strong)
        if self.weak is not None:
            return strong, ids.index(self.weak)
        cost = np.nan_to_num(column_means(outcomes.cost_usd), nan=np.inf)
        others = [j for j in range(len(ids)) if j != strong]
        return strong, min(others, key=lambda j: (cost[j], ids[j]), default=strong)


@dataclass(frozen=True, kw_only=True)
class FittedStrongWeak:
    """Chances of three results; every other model is unknown and never chosen."""

    model_ids: tuple[str, ...]
    strong: int
    weak: int
    coefficients: NDArray[np.float64]
    """Shape (n_dims, 3): loss, tie, win."""
    intercepts: NDArray[np.float64]
    """Shape (3,); −inf for a result that never came."""
    sizes: NDArray[np.float64]
    """Shape (3,): mean gain of each result."""
    weak_quality: float
    """Mean quality of the weak model, on all prompts alike: only the gain decides."""
    cost_usd: NDArray[np.float64]
    """Shape (n_models,): mean cost."""

    def estimate(self, prompts: Prompts) -> Estimates:
        """Expect the weak model's mean quality, and the strong model's gain on it."""
        scores = prompts.vectors.astype(np.float64) @ self.coefficients + self.intercepts
        chances = np.asarray(softmax(scores, axis=1))
        gain = chances @ self.sizes
        shape = (len(gain), len(self.model_ids))
        quality, cost = np.full(shape, np.nan), np.full(shape, np.nan)
        quality[:, self.weak], quality[:, self.strong] = self.weak_quality, self.weak_quality + gain
        cost[:, [self.strong, self.weak]] = self.cost_usd[[self.strong, self.weak]]
        error = np.zeros(shape)
        error[:, self.weak] = np.sqrt(np.maximum(chances @ self.sizes**2 - gain**2, 0.0))
        return Estimates(
            model_ids=self.model_ids, quality=quality, cost_usd=cost, standard_error=error
        )


def _fit_classes(
    vectors: NDArray[np.float64], result: NDArray[np.int64], inverse_regularisation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients and intercepts of the three results, in order."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to load

    seen = np.unique(result)
    coefficients = np.zeros((vectors.shape[1], 3))
    intercepts = np.full(3, -np.inf)
    intercepts[seen] = 0.0
    if len(seen) > 1:
        model = LogisticRegression(C=inverse_regularisation, max_iter=500)
        model.fit(vectors, result)
        slopes, offsets = model.coef_.T, np.asarray(model.intercept_)
        kept = seen[-slopes.shape[1] :]  # of two results, the second against the first
        coefficients[:, kept], intercepts[kept] = slopes, offsets
    return coefficients, intercepts
