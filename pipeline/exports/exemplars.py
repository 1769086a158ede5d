"""Prompts that stand for a domain: near the centres of its parts, so that each part has one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N_EXEMPLARS = 10


def exemplar_rows(
    vectors: NDArray[np.float32], domain_of: NDArray[np.int64], *, n_exemplars: int = N_EXEMPLARS
) -> list[NDArray[np.int64]]:
    """Return, for each domain, the rows of its examples, in order.

    Parameters
    ----------
    vectors
        Shape (n, n_dims), unit rows.
    domain_of
        Shape (n,): row of the domain; -1 for none.
    """
    n_domains = int(domain_of.max(initial=-1)) + 1
    return [_spread(vectors, np.flatnonzero(domain_of == k), n_exemplars) for k in range(n_domains)]


def least_likeness(
    vectors: NDArray[np.float32],
    domain_of: NDArray[np.int64],
    exemplars: Sequence[NDArray[np.int64]],
    *,
    rejected_share: float,
) -> list[float]:
    """Return, for each domain, the cosine to its nearest example that all but a share reach.

    Of its own prompts, the examples themselves left out; where there is no other, 0.
    """
    found = []
    for number, rows in enumerate(exemplars):
        others = np.setdiff1d(np.flatnonzero(domain_of == number), rows)
        nearest = (vectors[others] @ vectors[rows].T).max(axis=1) if len(others) else np.zeros(1)
        found.append(max(float(np.quantile(nearest, rejected_share)), 0.0))
    return found


def _spread(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], n_exemplars: int
) -> NDArray[np.int64]:
    """Return the members nearest to the centres of k-means."""
    if len(rows) <= n_exemplars:
        return rows
    from sklearn.cluster import KMeans  # noqa: PLC0415 - only this needs it

    centres = KMeans(n_exemplars, random_state=0).fit(vectors[rows]).cluster_centers_
    return rows[np.unique((vectors[rows] @ centres.T).argmax(axis=0))]
