"""Shrinkage and intervals for means of few trials."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

Z_95 = float(ndtri(0.975))


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """Means pulled towards a prior by their own uncertainty."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    """Posterior standard deviation; the prior's own where nothing was seen."""


def shrink_means(
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    n_effective: NDArray[np.float64],
    prior: NDArray[np.float64] | float,
) -> Shrunk:
    """Shrink group means towards a prior by empirical Bayes (normal–normal).

    Parameters
    ----------
    means
        Shape (n_groups,); NaN where `n_effective` is 0.
    variances
        Shape (n_groups,): variance of one observation in the group.
    n_effective
        Shape (n_groups,): effective number of observations, at least 0.
    prior
        What a group without observations is expected to be.

    Returns
    -------
    Shrunk
        μ = prior + B (mean − prior) with B = τ² / (τ² + v / n) and sd = √(B v / n), τ² by the
        moments of DerSimonian and Laird (1986). With τ² = 0 every group equals the prior.

    Notes
    -----
    Morris (1983), Parametric empirical Bayes inference, doi:10.1080/01621459.1983.10477920.
    """
    prior = np.broadcast_to(np.asarray(prior, dtype=np.float64), means.shape)
    seen = n_effective > 0
    error = np.where(seen, variances / np.maximum(n_effective, 1e-12), np.inf)
    between = _between_variance(means[seen], error[seen], prior[seen])
    gain = np.zeros_like(error)
    gain[seen] = between / np.maximum(between + error[seen], 1e-300)
    mean = prior + np.where(seen, gain * (np.where(seen, means, 0.0) - prior), 0.0)
    sd = np.full_like(mean, np.sqrt(between))
    sd[seen] = np.sqrt(gain[seen] * error[seen])
    return Shrunk(mean=mean, sd=sd)


def _between_variance(
    means: NDArray[np.float64], error: NDArray[np.float64], prior: NDArray[np.float64]
) -> float:
    if len(means) < 2:
        return 0.0
    weights = 1.0 / np.maximum(error, 1e-12)
    excess = float(np.sum(weights * (means - prior) ** 2)) - len(means)
    return max(0.0, excess / float(weights.sum()))


def shrink_towards(
    means: NDArray[np.float64], n: NDArray[np.float64], prior: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """Return (n · mean + weight · prior) / (n + weight); the prior where n is 0."""
    sums = np.where(n > 0, n * np.nan_to_num(means), 0.0)
    return (sums + weight * prior) / (n + weight)


def beta_interval(
    mean: NDArray[np.float64], n: NDArray[np.float64], *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a credible interval for a mean of values in [0, 1] worth `n` observations.

    The beta posterior with n·mean and n·(1 − mean) plus half an observation each: exact for 0/1
    outcomes, and wide rather than narrow for graded ones. NaN where the mean is NaN.
    """
    tail = (1.0 - level) / 2.0
    a, b = n * mean + 0.5, n * (1.0 - mean) + 0.5
    return betaincinv(a, b, tail), betaincinv(a, b, 1.0 - tail)
