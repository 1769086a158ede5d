"""What routing would gain from the clusters of each granularity.

Decision: read on held-out folds, with one row of a table for each cluster, the unclustered being
one too. Which granularity routes best differs from data to data, and differences between two of
them are mostly within their intervals: so it is shown beside the rule that chooses, and does not
choose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import best_single
from profiles.interval import Z_95, shrink_means, shrink_towards
from profiles.outcomes import Outcomes

_PSEUDO_COUNTS = 10.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Mean quality over the best single model, in hundredths, on prompts not learned from."""

    points: float
    lo: float
    """Of a 95 % interval, paired over prompts."""
    hi: float
    n_prompts: int


def routing_gain(
    cluster_ids: NDArray[np.int64], outcomes: Outcomes, folds: NDArray[np.int64]
) -> Gain | None:
    """Route each fold by a table that was learned on the others, one row for each cluster.

    Parameters
    ----------
    cluster_ids
        Shape (n_prompts,): 0 … n_clusters - 1, or -1.
    outcomes
        Of the same prompts, all known: else those would count that a table leaves as they are.
    folds
        Shape (n_prompts,).

    Returns
    -------
    Gain or None
        None where all prompts are in one fold.

    Notes
    -----
    The table is that of `pipeline.estimators.domain_table`, by clusters: paired differences to the
    best single model of the training folds, shrunk to their mean by empirical Bayes.
    """
    if len(np.unique(folds)) < 2:
        return None
    gains = np.zeros(len(cluster_ids))
    for fold in np.unique(folds):
        held = folds == fold
        learned = outcomes.rows(~held)
        reference = best_single(learned)
        chosen = _best_of_clusters(
            cluster_ids[~held] + 1, learned.quality, reference, int(cluster_ids.max()) + 2
        )[cluster_ids[held] + 1]
        quality = outcomes.quality[held]
        gains[held] = quality[np.arange(len(quality)), chosen] - quality[:, reference]
    mean = 100.0 * float(gains.mean())
    half = 100.0 * float(Z_95 * gains.std(ddof=1) / np.sqrt(len(gains)))
    return Gain(points=mean, lo=mean - half, hi=mean + half, n_prompts=len(gains))


def routing_gains(
    groupings: Sequence[NDArray[np.int64]], outcomes: Outcomes, folds: NDArray[np.int64]
) -> list[Gain | None]:
    """Do as `routing_gain` for several groupings of the same prompts."""
    return [routing_gain(cluster_ids, outcomes, folds) for cluster_ids in groupings]


def _best_of_clusters(
    buckets: NDArray[np.int64], quality: Floats, reference: int, n_buckets: int
) -> NDArray[np.int64]:
    """Return the column to choose in each bucket, shape (n_buckets,)."""
    advantage = np.stack(
        [_shrunk(buckets, column - quality[:, reference], n_buckets) for column in quality.T],
        axis=1,
    )
    advantage[:, reference] = 0.0
    best = np.argmax(advantage, axis=1)
    return np.where(advantage[np.arange(n_buckets), best] > 0.0, best, reference)


def _shrunk(buckets: NDArray[np.int64], values: Floats, n_buckets: int) -> Floats:
    n = np.bincount(buckets, minlength=n_buckets).astype(np.float64)
    seen = np.maximum(n, 1.0)
    means = np.bincount(buckets, values, n_buckets) / seen
    within = np.bincount(buckets, values**2, n_buckets) / seen - means**2
    overall = float(values.mean())
    spread = np.full(n_buckets, float(np.mean((values - overall) ** 2)))
    variances = shrink_towards(within, n, spread, _PSEUDO_COUNTS)
    return shrink_means(means, variances, n, overall).mean
