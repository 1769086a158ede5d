"""Paired bootstrap over prompts, for statistics averaged over several splits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over splits and its 95 % percentile interval over resampled prompts."""

    mean: float
    lo: float
    hi: float


Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Takes means, shape (n_resamples, n_columns); gives one number each, shape (n_resamples,)."""


def bootstrap_interval(
    values: list[NDArray[np.float64]],
    rows: list[NDArray[np.intp]],
    *,
    statistic: Statistic,
    n_prompts: int,
    seed: int = 0,
) -> Interval:
    """Resample prompts, the same ones in every split, and average the statistic over splits.

    Parameters
    ----------
    values
        For each split, shape (n_test, n_columns): numbers of its test prompts.
    rows
        For each split, which prompts 0 … n_prompts - 1 its test rows are.
    statistic
        A function of the resampled column means, such as a ratio of two of them.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    generator = np.random.default_rng(seed)
    drawn = np.zeros(N_RESAMPLES)
    plain = 0.0
    counts = generator.poisson(1.0, size=(N_RESAMPLES, n_prompts)).astype(np.float32)
    for part, index in zip(values, rows, strict=True):
        weights = counts[:, index].astype(np.float64)
        total = weights.sum(axis=1, keepdims=True)
        means = weights @ part / np.where(total > 0.0, total, np.nan)  # a draw may be empty
        drawn += statistic(means) / len(values)
        plain += float(statistic(part.mean(axis=0, keepdims=True))[0]) / len(values)
    if not np.isfinite(plain):
        return Interval(mean=float("nan"), lo=float("nan"), hi=float("nan"))
    lo, hi = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(mean=plain, lo=float(lo), hi=float(hi))
