"""InferenceDynamics: what a model knows (ranked domains) and can do (ranked capabilities).

Each prompt has a ranking of elements, and each next rank weighs `decay` times the one before it. A
model's score on an element is the weight-normalised mean of its quality on the training prompts
that have the element, and a prompt's estimate is the rank-weighted mean of those scores. As in
arXiv 2505.16303, with two repairs: scores are divided by their weights, so that rare elements are
not small ones, and cost is kept apart. Every model is fitted alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, Prompts, best_single, column_means
from profiles.outcomes import Outcomes

Elements = Callable[[Prompts], NDArray[np.float64]]
"""Takes prompts; gives how much each has of each element, shape (n, n_elements), ranked by size."""

LearnElements = Callable[[Prompts], Elements]
"""Learns from training prompts, which say nothing of outcomes, how to tell elements."""


def domains_of(prompts: Prompts) -> NDArray[np.float64]:
    """Return the memberships: the elements of knowledge."""
    return prompts.memberships


@dataclass(frozen=True, kw_only=True)
class InferenceDynamics:
    """Settings."""

    decay: float = 0.5
    """Weight of a rank over that of the one before it, in (0, 1]."""
    n_ranks: int = 3
    """Elements that count for a prompt."""
    capabilities: LearnElements | None = None
    """Learns how much of each capability a prompt needs; None: knowledge alone."""

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedInferenceDynamics":
        """Score every model on every element."""
        learned = () if self.capabilities is None else (self.capabilities(prompts),)
        sides = (domains_of, *learned)
        weights = [rank_weights(side(prompts), self.decay, self.n_ranks) for side in sides]
        reference = best_single(outcomes)
        difference = outcomes.quality - outcomes.quality[:, [reference]]
        return FittedInferenceDynamics(
            settings=self,
            model_ids=outcomes.model_ids,
            sides=sides,
            quality=tuple(_element_means(part, outcomes.quality) for part in weights),
            cost_usd=tuple(_element_means(part, outcomes.cost_usd) for part in weights),
            spread=np.sqrt(column_means((difference - column_means(difference)) ** 2)),
            n_known=tuple(part.T @ np.isfinite(difference) for part in weights),
        )


@dataclass(frozen=True, kw_only=True)
class FittedInferenceDynamics:
    """Scores; knowledge first, then capabilities if there are any, and their plain mean."""

    settings: InferenceDynamics
    model_ids: tuple[str, ...]
    sides: tuple[Elements, ...]
    quality: tuple[NDArray[np.float64], ...]
    """For each side, shape (n_elements, n_models); NaN for a model that is known nowhere."""
    cost_usd: tuple[NDArray[np.float64], ...]
    spread: NDArray[np.float64]
    """Shape (n_models,): standard deviation of the paired difference to the best single model."""
    n_known: tuple[NDArray[np.float64], ...]
    """For each side, shape (n_elements, n_models): weight of the known outcomes."""

    def estimate(self, prompts: Prompts) -> Estimates:
        """Mix the elements' scores by rank."""
        weights = [
            rank_weights(side(prompts), self.settings.decay, self.settings.n_ranks)
            for side in self.sides
        ]
        error = [
            np.sqrt((part**2) @ (self.spread**2 / np.maximum(n_known, 1.0)))
            for part, n_known in zip(weights, self.n_known, strict=True)
        ]
        return Estimates(
            model_ids=self.model_ids,
            quality=_mix(weights, self.quality),
            cost_usd=_mix(weights, self.cost_usd),
            standard_error=np.mean(error, axis=0),
        )


def rank_weights(amounts: NDArray[np.float64], decay: float, n_ranks: int) -> NDArray[np.float64]:
    """Return decay^(j − 1) at the element of rank j, over their sum; shape of `amounts`.

    It is 0 past the last rank. Elements that a prompt has nothing of get no rank; ties go to the
    first element.

    >>> rank_weights(np.array([[0.1, 0.9, 0.0]]), 0.5, 3).round(3).tolist()
    [[0.333, 0.667, 0.0]]
    """
    rank = np.argsort(np.argsort(-amounts, axis=1, kind="stable"), axis=1)
    weights = np.where((rank < n_ranks) & (amounts > 0.0), decay ** rank.astype(np.float64), 0.0)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)


def _element_means(
    weights: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return weighted means of the known values; a model's plain mean where it has none."""
    known = np.isfinite(values)
    total = weights.T @ known
    means = (weights.T @ np.where(known, values, 0.0)) / np.maximum(total, 1e-300)
    return np.where(total > 0.0, means, column_means(values))


def _mix(
    weights: list[NDArray[np.float64]], scores: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float64]:
    return np.mean([part @ score for part, score in zip(weights, scores, strict=True)], axis=0)
