"""Ridge regression on TF-IDF: words, where vectors blur them."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.estimators.base import Prompts
from pipeline.smoothers.base import FloatArray, PairedTargets, Smoothing
from pipeline.smoothers.landmarks import choose_landmarks
from pipeline.smoothers.solve import solve_ridge
from pipeline.smoothers.text_features import Tfidf, TfidfConfig, learn_tfidf


@dataclass(frozen=True, kw_only=True)
class TermMap:
    """Targets as a linear function of TF-IDF."""

    tfidf: Tfidf
    """Vocabulary and weights."""
    coefficients: FloatArray
    """Shape (n_terms, m)."""
    intercepts: FloatArray
    """Shape (m,)."""
    mean_leverage: float
    """Variance factor, taken as the same for every prompt."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return expected targets, shape (n, m), and variance factors, shape (n,)."""
        values = self.tfidf.transform(prompts.texts) @ self.coefficients + self.intercepts
        return values, np.full(len(prompts.texts), self.mean_leverage)


@dataclass(frozen=True, kw_only=True)
class TfidfRidge:
    """Ridge on TF-IDF, its coefficients spanned by landmark prompts to bound the cost."""

    ridge: float = 30.0
    """Noise over signal variance; does not scale with n."""
    n_landmarks: int = 1500
    """Exact ridge while there are no more training prompts than this."""
    features: TfidfConfig = field(default_factory=TfidfConfig)
    """How texts become vectors."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to targets of shape (n, m), NaN unknown."""
        tfidf = learn_tfidf(prompts.texts, self.features)
        rows = tfidf.transform(prompts.texts)
        landmarks = rows[choose_landmarks(prompts.texts, n_landmarks=self.n_landmarks)]
        solution = solve_ridge(
            (rows @ landmarks.T).toarray(),
            targets.values,
            ridge=self.ridge,
            penalty=(landmarks @ landmarks.T).toarray(),
        )
        smoother = TermMap(
            tfidf=tfidf,
            coefficients=landmarks.T @ solution.coefficients,
            intercepts=solution.intercepts,
            mean_leverage=float(solution.leverage.mean()),
        )
        return Smoothing(
            smoother=smoother, held_out=solution.held_out, held_out_variance=solution.leverage
        )
