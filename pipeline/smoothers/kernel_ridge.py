"""Kernel ridge on one kernel that adds meaning, words and shape.

k(x, y) = a exp(-|v_x - v_y|^2) + b <t_x, t_y> + c exp(-|s_x - s_y|^2), with v the sentence vector,
t the TF-IDF row and s the standardised shape. One strongly regularised fit on the sum beat stacks
of fits on the parts: with few prompts, stack weights cost more than they give.
Landmarks: Williams and Seeger (2001); subset of regressors, Smola and Bartlett (2001).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import FloatArray, PairedTargets, Smoothing
from pipeline.smoothers.landmarks import choose_landmarks
from pipeline.smoothers.solve import solve_ridge
from pipeline.smoothers.text_features import (
    ShapeScaler,
    Tfidf,
    TfidfConfig,
    learn_tfidf,
    measure_shape,
)


@dataclass(frozen=True, kw_only=True)
class KernelWeights:
    """Share of each kernel in the sum."""

    meaning: float = 1.0
    """Gaussian kernel of the vectors."""
    words: float = 1.0
    """Linear kernel of TF-IDF."""
    shape: float = 0.5
    """Gaussian kernel of the shape features."""


@dataclass(frozen=True, kw_only=True)
class LandmarkKernel:
    """The kernel against a fixed set of landmark prompts."""

    weights: KernelWeights
    """Share of each kernel."""
    vectors: NDArray[np.float32]
    """Shape (n_landmarks, d)."""
    terms: csr_matrix
    """Shape (n_landmarks, n_terms): their TF-IDF rows; no text is kept."""
    shapes: FloatArray
    """Shape (n_landmarks, n_shape), scaled."""
    tfidf: Tfidf
    """Vocabulary and weights."""
    scaler: ShapeScaler
    """Standardisation of the shape features."""

    def evaluate(self, prompts: Prompts) -> FloatArray:
        """Return kernel values, shape (n, n_landmarks)."""
        shapes = self.scaler.scale(measure_shape(prompts.texts))
        vectors = prompts.vectors.astype(np.float64)
        kernel = self.weights.meaning * gaussian(vectors, self.vectors.astype(np.float64))
        kernel += self.weights.words * self._shared_words(prompts.texts)
        kernel += self.weights.shape * gaussian(shapes, self.shapes)
        return kernel

    def _shared_words(self, texts: tuple[str, ...]) -> FloatArray:
        return (self.tfidf.transform(texts) @ self.terms.T).toarray()


@dataclass(frozen=True, kw_only=True)
class KernelMap:
    """Targets as a weighted sum of kernel values."""

    kernel: LandmarkKernel
    """Similarity to the landmarks."""
    coefficients: FloatArray
    """Shape (n_landmarks, m)."""
    intercepts: FloatArray
    """Shape (m,)."""
    mean_leverage: float
    """Variance factor, taken as the same for every prompt."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return expected targets, shape (n, m), and variance factors, shape (n,)."""
        values = self.kernel.evaluate(prompts) @ self.coefficients + self.intercepts
        return values, np.full(len(prompts.texts), self.mean_leverage)


@dataclass(frozen=True, kw_only=True)
class KernelRidge:
    """Ridge in the span of landmark kernels."""

    ridge: float = 30.0
    """Noise over signal variance; does not scale with n."""
    n_landmarks: int = 1500
    """Exact kernel ridge while there are no more training prompts than this."""
    weights: KernelWeights = field(default_factory=KernelWeights)
    """Share of each kernel."""
    features: TfidfConfig = field(default_factory=TfidfConfig)
    """How texts become TF-IDF rows."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        chosen = choose_landmarks(prompts.texts, n_landmarks=self.n_landmarks)
        tfidf = learn_tfidf(prompts.texts, self.features)
        raw_shapes = measure_shape(prompts.texts)
        scaler = ShapeScaler.learn(raw_shapes)
        kernel = LandmarkKernel(
            weights=self.weights,
            vectors=prompts.vectors[chosen],
            terms=tfidf.transform(prompts.texts)[chosen],
            shapes=scaler.scale(raw_shapes[chosen]),
            tfidf=tfidf,
            scaler=scaler,
        )
        values = kernel.evaluate(prompts)
        solution = solve_ridge(values, targets.values, ridge=self.ridge, penalty=values[chosen])
        smoother = KernelMap(
            kernel=kernel,
            coefficients=solution.coefficients,
            intercepts=solution.intercepts,
            mean_leverage=float(solution.leverage.mean()),
        )
        return Smoothing(
            smoother=smoother, held_out=solution.held_out, held_out_variance=solution.leverage
        )


def gaussian(left: FloatArray, right: FloatArray, *, width: float = 1.0) -> FloatArray:
    """Return exp(-width * squared distance) between rows, shape (n_left, n_right)."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
    return np.exp(-width * np.maximum(squares, 0.0))
