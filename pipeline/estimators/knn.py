"""k nearest neighbours: the mean outcome of the most similar training prompts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, Prompts, best_single, column_means
from profiles.outcomes import Outcomes

_BATCH = 2_048


@dataclass(frozen=True, kw_only=True)
class NearestNeighbours:
    """Settings; with several values, the one with the best leave-one-out routing is taken."""

    n_neighbours: tuple[int, ...] = (50, 100, 200)

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedNeighbours":
        """Choose the number of neighbours on the training prompts alone."""
        candidates = [
            FittedNeighbours(vectors=prompts.vectors, outcomes=outcomes, n_neighbours=k)
            for k in self.n_neighbours
        ]
        if len(candidates) == 1:
            return candidates[0]
        return max(candidates, key=lambda fitted: _leave_one_out_quality(fitted, prompts))


@dataclass(frozen=True, kw_only=True)
class FittedNeighbours:
    """Training vectors and outcomes."""

    vectors: NDArray[np.float32]
    outcomes: Outcomes
    n_neighbours: int

    def estimate(self, prompts: Prompts) -> Estimates:
        """Average the outcomes of the nearest training prompts by cosine."""
        return self._average(prompts, skip_nearest=0)

    def leave_one_out(self, prompts: Prompts) -> Estimates:
        """Estimate the training prompts themselves, each without its own outcome."""
        return self._average(prompts, skip_nearest=1)

    def _average(self, prompts: Prompts, *, skip_nearest: int) -> Estimates:
        quality = _filled(self.outcomes.quality)
        cost = _filled(self.outcomes.cost_usd)
        difference = quality - quality[:, [best_single(self.outcomes)]]
        count = min(self.n_neighbours, len(self.vectors) - skip_nearest)
        parts = []
        for start in range(0, len(prompts.texts), _BATCH):
            similarity = prompts.vectors[start : start + _BATCH] @ self.vectors.T
            nearest = _top(similarity, count + skip_nearest)[:, skip_nearest:]
            error = difference[nearest].std(axis=1) / np.sqrt(max(count, 1))
            parts.append((quality[nearest].mean(axis=1), cost[nearest].mean(axis=1), error))
        stacked = [np.concatenate(part) for part in zip(*parts, strict=True)]
        return Estimates(
            model_ids=self.outcomes.model_ids,
            quality=stacked[0],
            cost_usd=stacked[1],
            standard_error=stacked[2],
        )


def _leave_one_out_quality(fitted: FittedNeighbours, prompts: Prompts) -> float:
    """Return the mean quality of taking each prompt's best estimate."""
    chosen = fitted.leave_one_out(prompts).quality.argmax(axis=1)
    return float(_filled(fitted.outcomes.quality)[np.arange(len(chosen)), chosen].mean())


def _top(similarity: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return the columns of the largest entries, largest first."""
    part = np.argpartition(-similarity, min(count, similarity.shape[1]) - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(similarity, part, axis=1), axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1)


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put a model's mean where its outcome is unknown."""
    return np.where(np.isfinite(values), values, column_means(values))
