"""k nearest neighbours: the mean outcome of the most similar training prompts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, Prompts, best_single, column_means
from profiles.outcomes import Outcomes

_BATCH = 2_048


@dataclass(frozen=True, kw_only=True)
class NearestNeighbours:
    """Settings; of several values, the one with the best leave-one-out routing is taken."""

    n_neighbours: tuple[int, ...] = (50, 100, 200)
    reference_model_id: str | None = None
    """The model standard errors compare with; None: the best single model."""

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedNeighbours":
        """Choose the number of neighbours on the training prompts alone."""
        quality = _filled(outcomes.quality)
        reference = best_single(outcomes, among=tuple(filter(None, [self.reference_model_id])))
        best = self.n_neighbours[0]
        if len(self.n_neighbours) > 1:
            candidates = np.where(np.isfinite(quality), quality, -np.inf)
            best = _best_count(self.n_neighbours, prompts.vectors, candidates)
        return FittedNeighbours(
            vectors=prompts.vectors,
            model_ids=outcomes.model_ids,
            quality=quality,
            cost_usd=_filled(outcomes.cost_usd),
            reference=reference,
            n_neighbours=best,
        )


@dataclass(frozen=True, kw_only=True)
class FittedNeighbours:
    """Training vectors and outcomes; a model's mean stands where its outcome is unknown."""

    vectors: NDArray[np.float32]
    model_ids: tuple[str, ...]
    quality: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    reference: int
    n_neighbours: int

    def estimate(self, prompts: Prompts) -> Estimates:
        """Average the outcomes of the nearest training prompts by cosine."""
        count = min(self.n_neighbours, len(self.vectors))
        difference = self.quality - self.quality[:, [self.reference]]
        parts = []
        for start in range(0, len(prompts.texts), _BATCH):
            nearest = _nearest(prompts.vectors[start : start + _BATCH], self.vectors, count)
            parts.append(
                (
                    self.quality[nearest].mean(axis=1),
                    self.cost_usd[nearest].mean(axis=1),
                    difference[nearest].std(axis=1) / np.sqrt(count),
                )
            )
        quality, cost_usd, error = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Estimates(
            model_ids=self.model_ids, quality=quality, cost_usd=cost_usd, standard_error=error
        )


def _best_count(
    counts: tuple[int, ...], vectors: NDArray[np.float32], quality: NDArray[np.float64]
) -> int:
    """Return the count whose best estimates, each prompt left out of its own, do best."""
    reached = np.zeros(len(counts))
    for start in range(0, len(vectors), _BATCH):
        part = vectors[start : start + _BATCH]
        own = np.arange(start, start + len(part))
        nearest = _nearest(part, vectors, min(max(counts) + 1, len(vectors)))
        others = np.where(nearest == own[:, None], -1, nearest)
        for position, count in enumerate(counts):
            picked = _without_own(others, count)
            chosen = quality[picked].mean(axis=1).argmax(axis=1)
            reached[position] += quality[own, chosen].sum()
    return counts[int(np.argmax(reached))]


def _without_own(nearest: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return the first `count` columns that are not -1, in order."""
    order = np.argsort(nearest < 0, axis=1, kind="stable")
    kept = np.take_along_axis(nearest, order, axis=1)
    n_known = int((nearest >= 0).sum(axis=1).min())
    return kept[:, : max(min(count, n_known), 1)]


def _nearest(
    vectors: NDArray[np.float32], among: NDArray[np.float32], count: int
) -> NDArray[np.intp]:
    """Return the rows of the most similar vectors, most similar first; ties by row."""
    similarity = vectors @ among.T
    part = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    order = np.lexsort((part, -np.take_along_axis(similarity, part, axis=1)), axis=1)
    return np.take_along_axis(part, order, axis=1)


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, column_means(values))
