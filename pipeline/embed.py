"""Texts to unit vectors."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from profiles.errors import EncoderError


class Encoder(Protocol):
    """Turns texts into vectors; the same id always gives the same vectors."""

    @property
    def encoder_id(self) -> str:
        """What the vectors depend on; those of two ids never mix.

        Name, digest of the weights, pooling, normalisation, and what is read of a long text.
        """
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (n_texts, n_dims)."""
        ...


def check_vectors(vectors: NDArray[np.float32], n_texts: int) -> NDArray[np.float32]:
    """Return the vectors scaled to length 1.

    Raises
    ------
    EncoderError
        If the shape is wrong or an entry is not finite.
    """
    if vectors.ndim != 2 or len(vectors) != n_texts or not np.isfinite(vectors).all():
        raise EncoderError(
            f"The encoder must return one finite vector for each of {n_texts} texts, got shape "
            f"{vectors.shape}. Check the model that --encoder names."
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
