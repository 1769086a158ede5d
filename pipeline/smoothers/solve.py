"""One ridge solver for every linear member, with exact leave-one-out predictions.

Leave-one-out costs one triangular solve, needs no folds (so nothing hangs on row order or a seed)
and describes the fit that is used, not one on four fifths of the prompts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from pipeline.smoothers.base import FloatArray, known_means

JITTER = 1e-8
"""Added to the diagonal, as a share of its mean: duplicated prompts make the matrix singular."""


@dataclass(frozen=True, kw_only=True)
class RidgeSolution:
    """Coefficients of a ridge regression with one column per target."""

    coefficients: FloatArray
    """Shape (p, m)."""
    intercepts: FloatArray
    """Shape (m,)."""
    held_out: FloatArray
    """Shape (n, m): leave-one-out predictions; plain ones where the target is unknown."""
    leverage: FloatArray
    """Shape (n,), in [0, 1]: weight of a prompt's own target in its fitted value, mean over
    columns."""


def missing_patterns(values: FloatArray) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Group columns known on the same rows, as (row mask, column indices) in column order."""
    groups: dict[bytes, list[int]] = {}
    known = np.isfinite(values)
    for column in range(values.shape[1]):
        groups.setdefault(known[:, column].tobytes(), []).append(column)
    return [(known[:, columns[0]], np.array(columns, dtype=np.intp)) for columns in groups.values()]


def solve_ridge(
    features: FloatArray, targets: FloatArray, *, ridge: float, penalty: FloatArray | None = None
) -> RidgeSolution:
    """Minimise squared error plus ``ridge * b' penalty b``, with a free intercept.

    Parameters
    ----------
    features
        Shape (n, p).
    targets
        Shape (n, m), NaN unknown: each column is fit on its own known rows.
    ridge
        Positive; the ratio of noise to signal variance, so it does not scale with n.
    penalty
        Shape (p, p), symmetric; identity when omitted. A kernel between landmarks gives the
        Nystroem (subset of regressors) form of kernel ridge.

    Notes
    -----
    With hat matrix H, the leave-one-out error is (y - Hy)_i / (1 - H_ii): Allen (1974).
    """
    n_prompts, n_columns = targets.shape
    coefficients = np.zeros((features.shape[1], n_columns))
    intercepts = known_means(targets)
    held_out = np.tile(intercepts, (n_prompts, 1))
    leverage = np.zeros(n_prompts)
    base = np.eye(features.shape[1]) if penalty is None else penalty
    for rows, columns in missing_patterns(targets):
        if rows.sum() < 2:  # a mean of one cannot be left out
            continue
        beta, bias, held, hat = _solve_complete(
            features, targets[np.ix_(rows, columns)], rows=rows, penalty=ridge * base
        )
        coefficients[:, columns], intercepts[columns], held_out[:, columns] = beta, bias, held
        leverage += hat * len(columns) / n_columns
    return RidgeSolution(
        coefficients=coefficients, intercepts=intercepts, held_out=held_out, leverage=leverage
    )


def _solve_complete(
    features: FloatArray, known: FloatArray, *, rows: NDArray[np.bool_], penalty: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Solve for columns known on the same rows; predict all rows, leaving known ones out."""
    used = features[rows]
    centre, means = used.mean(axis=0), known.mean(axis=0)
    used = used - centre
    system = used.T @ used + penalty
    system[np.diag_indices_from(system)] += JITTER * np.trace(system) / len(system)
    lower, _ = factor = cho_factor(system, lower=True)
    beta = cho_solve(factor, used.T @ (known - means))
    bias = means - centre @ beta
    predicted = features @ beta + bias
    scaled = solve_triangular(lower, (features - centre).T, lower=True)
    hat = np.clip((scaled**2).sum(axis=0) + 1.0 / len(used), 0.0, 1.0 - 1e-6)
    residual = (known - predicted[rows]) / (1.0 - hat[rows])[:, None]
    predicted[rows] = known - residual
    return beta, bias, predicted, hat
