"""k nearest neighbours, plain and kernel weighted.

Hu et al. (2024), RouterBench, arXiv 2403.12031, and arXiv 2505.12601: a tuned kNN is hard to beat,
an untuned one (k = 5) is worse than the best single model.
"""

from dataclasses import dataclass

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import PairedTargets, Smoothing
from pipeline.smoothers.neighbours import smooth_neighbours


@dataclass(frozen=True, kw_only=True)
class PlainKnn:
    """Plain mean of the nearest prompts by cosine similarity."""

    n_neighbors: int = 100
    """Below 50 the noise of 0/1 outcomes beats what locality gains."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        return smooth_neighbours(
            prompts, targets.values, n_neighbors=self.n_neighbors, sharpness=0.0, n_prior=0.0
        )


@dataclass(frozen=True, kw_only=True)
class KernelKnn:
    """Neighbours weighted by exp(sharpness × (s − s_max)) in cosine similarity s."""

    n_neighbors: int = 200
    """Neighbours looked at; far ones weigh little."""
    sharpness: float = 12.0
    """Higher is more local."""
    n_prior: float = 10.0
    """Pseudo-neighbours at the global mean."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        return smooth_neighbours(
            prompts,
            targets.values,
            n_neighbors=self.n_neighbors,
            sharpness=self.sharpness,
            n_prior=self.n_prior,
        )
