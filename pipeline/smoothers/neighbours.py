"""Weighted means over the most similar training prompts, each training prompt without itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import FloatArray, Smoothing, known_means

BLOCK_ROWS = 1024
"""Prompts compared at once: bounds memory at BLOCK_ROWS x n_train similarities."""


@dataclass(frozen=True, kw_only=True)
class NeighbourMean:
    """Weighted means over the most similar training prompts."""

    vectors: NDArray[np.float32]
    """Shape (n, d): training vectors."""
    targets: FloatArray
    """Shape (n, m), NaN unknown."""
    prior: FloatArray
    """Shape (m,): mean known target."""
    n_neighbors: int
    """Neighbours looked at."""
    sharpness: float
    """Weight is exp(sharpness * (s - s_max)) in cosine similarity s; 0 weighs all alike."""
    n_prior: float
    """Pseudo-neighbours that pull an estimate to the prior."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return shrunk neighbour means and one over the effective number of neighbours."""
        return self._smooth(prompts.vectors, held_out=False)

    def predict_training(self) -> tuple[FloatArray, FloatArray]:
        """Return means and variance factors of the training prompts, each without itself."""
        return self._smooth(self.vectors, held_out=True)

    def _smooth(
        self, vectors: NDArray[np.float32], *, held_out: bool
    ) -> tuple[FloatArray, FloatArray]:
        values = np.empty((len(vectors), self.targets.shape[1]))
        variance = np.empty(len(vectors))
        for start in range(0, len(vectors), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(vectors)))
            similarity = (vectors[rows] @ self.vectors.T).astype(np.float64)
            if held_out:
                own = np.arange(rows.start, rows.stop)
                similarity[own - rows.start, own] = -np.inf
            values[rows], variance[rows] = self._smooth_block(similarity)
        return values, variance

    def _smooth_block(self, similarity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Average targets over the nearest columns of one block of similarities."""
        n_neighbors = min(self.n_neighbors, similarity.shape[1] - 1)
        if n_neighbors < 1:
            return np.tile(self.prior, (len(similarity), 1)), np.ones(len(similarity))
        nearest = np.argpartition(-similarity, n_neighbors - 1, axis=1)[:, :n_neighbors]
        nearest.sort(axis=1)
        near = np.take_along_axis(similarity, nearest, axis=1)
        weights = np.exp(self.sharpness * (near - near.max(axis=1, keepdims=True)))
        known = np.isfinite(self.targets)
        deviations = np.where(known, self.targets - self.prior, 0.0)[nearest]
        totals = np.einsum("nk,nkm->nm", weights, known[nearest].astype(np.float64))
        squares = np.einsum("nk,nkm->nm", weights**2, known[nearest].astype(np.float64))
        sums = np.einsum("nk,nkm->nm", weights, deviations)
        n_effective = totals**2 / np.maximum(squares, 1e-300)
        kept = n_effective / (n_effective + self.n_prior + 1e-300)
        values = self.prior + kept * sums / np.maximum(totals, 1e-300)
        spread = (weights**2).sum(axis=1) / weights.sum(axis=1) ** 2
        return values, spread


def smooth_neighbours(
    prompts: Prompts, targets: FloatArray, *, n_neighbors: int, sharpness: float, n_prior: float
) -> Smoothing:
    """Keep the training prompts and predict each of them from the others."""
    smoother = NeighbourMean(
        vectors=prompts.vectors,
        targets=targets,
        prior=known_means(targets),
        n_neighbors=n_neighbors,
        sharpness=sharpness,
        n_prior=n_prior,
    )
    held_out, variance = smoother.predict_training()
    return Smoothing(smoother=smoother, held_out=held_out, held_out_variance=variance)
