"""The unit mean vector of each group."""

import numpy as np
from numpy.typing import NDArray


def prototypes_of(
    vectors: NDArray[np.float32], groups: NDArray[np.int64], n_groups: int
) -> NDArray[np.float32]:
    """Return unit mean vectors, shape (n_groups, n_dims); zero for a group without a row.

    Parameters
    ----------
    groups
        Shape (n,): the group of each row of `vectors`; a negative one is in none.
    """
    sums = np.zeros((n_groups, vectors.shape[1]), dtype=np.float64)
    members = groups >= 0
    np.add.at(sums, groups[members], vectors[members].astype(np.float64))
    norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return (sums / norms).astype(np.float32)
