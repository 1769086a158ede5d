"""How close a prompt is to a domain, and how close it has to be.

Decision: closeness is the cosine to the domain's mean after directions in which all domains spread
alike are shrunk (Fisher 1936, with the covariance of Ledoit and Wolf 2004). As cheap as the cosine
to the mean itself: a vector for each domain. Held-out strangers are refused more often at the same
share of refused members: `tests/benchmarks/assignment.py` has both. Cosines to several centres of
a domain or to its nearest members, the largest logit and distances by the whole covariance were no
better on the same prompts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NO_SPREAD = 1e-9
_N_PRIOR = 4.0
"""Members that the deviation common to all domains counts for, where a domain's own is taken."""


@dataclass(frozen=True, kw_only=True)
class Members:
    """The prompts of all domains, with what can be summed up fold by fold."""

    vectors: NDArray[np.float32]
    """Shape (n_members, n_dims), unit rows."""
    domains: NDArray[np.int64]
    """Shape (n_members,): 0 … n_domains - 1, none empty."""
    folds: NDArray[np.int64]
    """Shape (n_members,)."""
    products: Mapping[int, Floats]
    """By fold: the sum of the outer products of its vectors, shape (n_dims, n_dims)."""

    @classmethod
    def of(
        cls, vectors: NDArray[np.float32], domains: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> "Members":
        """Take the prompts that are in a domain; the others have -1."""
        own, of_fold = vectors[domains >= 0], folds[domains >= 0]
        parts = {int(fold): own[of_fold == fold].astype(np.float64) for fold in np.unique(of_fold)}
        products = {fold: part.T @ part for fold, part in parts.items()}
        return cls(vectors=own, domains=domains[domains >= 0], folds=of_fold, products=products)

    def prototypes(self, *, without: int | None = None) -> Floats:
        """Return a unit vector for each domain, shape (n_domains, n_dims).

        The mean of the members times the inverse of their covariance about their means; zero for a
        domain that has no member outside the fold it is made without.
        """
        kept = (
            self.folds != without
            if without is not None
            else np.full(len(self.folds), fill_value=True)
        )
        vectors, domains = self.vectors[kept], self.domains[kept]
        counts = np.bincount(domains, minlength=int(self.domains.max()) + 1)
        sums = np.zeros((len(counts), vectors.shape[1]))
        np.add.at(sums, domains, vectors.astype(np.float64))
        means = sums / np.maximum(counts, 1)[:, None]
        products = sum(part for fold, part in self.products.items() if fold != without)
        covariance = (products - sums.T @ means) / max(len(vectors), 1)
        along = (vectors @ means.T)[np.arange(len(vectors)), domains]
        squares = 1.0 - 2.0 * along + np.square(means).sum(axis=1)[domains]
        if squares.sum() > _NO_SPREAD * len(squares):
            means = np.linalg.solve(_shrunk(covariance, squares), means.T).T
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def held_out_similarity(
    members: Members, vectors: NDArray[np.float32], folds: NDArray[np.int64]
) -> Floats:
    """Return the cosine of each prompt to the prototypes made without its fold."""
    similarity = np.zeros((len(vectors), int(members.domains.max()) + 1))
    for fold in np.unique(folds):
        rows = folds == fold
        similarity[rows] = vectors[rows] @ members.prototypes(without=int(fold)).T
    return similarity


def _shrunk(covariance: Floats, squares: Floats) -> Floats:
    """Mix a covariance with a sphere, as much as the squared norms of the residuals tell."""
    n, n_dims = len(squares), len(covariance)
    variance = np.trace(covariance) / n_dims
    size = np.square(covariance).sum()
    uncertain = (np.square(squares).mean() - size) / n
    share = min(uncertain / max(size - n_dims * variance**2, 1e-300), 1.0)
    return (1.0 - share) * covariance + share * variance * np.eye(n_dims)


def radii_of(own: Floats, domains: NDArray[np.int64], *, rejected_share: float) -> Floats:
    """Return the least closeness of each domain, shape (n_domains,).

    Conformal (Vovk et al. 2005), domain by domain: a new member is below the k-th lowest of n
    held-out ones with a chance of k / (n + 1), which is to be `rejected_share`; between two of them
    lies their weighted mean. Where the lowest one is too high already, all members' deviations from
    their domain's mean, over its standard deviation, are taken together; where these are too few as
    well, and of a single member, nothing is refused: -1.

    Parameters
    ----------
    own
        Shape (n_members,): closeness to the own domain, held out.
    domains
        Shape (n_members,): the domain of each, 0 … n_domains - 1, none empty.
    """
    counts = np.bincount(domains)
    means = np.bincount(domains, weights=own) / counts
    known = counts[domains] > 1
    within, n = domains[known], np.maximum(counts, 2)
    deviations = (own[known] - means[within]) * np.sqrt(n / (n - 1.0))[within]
    squares = np.square(deviations)
    common = _N_PRIOR * squares.mean() if len(squares) else 0.0
    sums = np.bincount(within, weights=squares, minlength=len(counts))
    scales = np.sqrt((sums + common) / (counts + _N_PRIOR))
    lowest = _lowest_kept(deviations / np.maximum(scales[within], 1e-12), rejected_share)
    radii = np.full(len(counts), -1.0)
    if np.isfinite(lowest):
        radii = np.where(counts > 1, means + lowest * scales * np.sqrt(1.0 + 1.0 / counts), -1.0)
    for k in range(len(counts)):
        own_lowest = _lowest_kept(own[domains == k], rejected_share)
        radii[k] = radii[k] if np.isinf(own_lowest) else own_lowest
    return np.maximum(radii, -1.0)


def _lowest_kept(scores: Floats, rejected_share: float) -> float:
    if rejected_share * (len(scores) + 1) < 1.0:
        return -np.inf
    return float(np.quantile(scores, rejected_share, method="weibull"))
