"""Paired bootstrap over prompts, for statistics averaged over several splits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 1_000
_MOST_REMEMBERED = 12_000  # prompts whose weights are kept for the next call: 96 MB


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over splits and its 95 % percentile interval over resampled prompts."""

    mean: float
    lo: float
    hi: float


UNKNOWN = Interval(mean=float("nan"), lo=float("nan"), hi=float("nan"))

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
    """Return the interval of one statistic; see `bootstrap_intervals`."""
    return bootstrap_intervals(
        values, rows, statistics={"only": statistic}, n_prompts=n_prompts, seed=seed
    )["only"]


def bootstrap_intervals(
    values: list[NDArray[np.float64]],
    rows: list[NDArray[np.intp]],
    *,
    statistics: Mapping[str, Statistic],
    n_prompts: int,
    seed: int = 0,
) -> dict[str, Interval]:
    """Resample prompts, the same ones in every split, and average each statistic over splits.

    Parameters
    ----------
    values
        For each split, shape (n_test, n_columns): numbers of its test prompts.
    rows
        For each split, which prompts 0 … n_prompts - 1 its test rows are.
    statistics
        Functions of the resampled column means, such as a ratio of two of them.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    drawn = {name: np.zeros(N_RESAMPLES) for name in statistics}
    plain = dict.fromkeys(statistics, 0.0)
    for part, index in zip(values, rows, strict=True):
        weights = _weights(index, n_prompts, seed)
        total = weights.sum(axis=1, keepdims=True)
        means = weights @ part / np.where(total > 0.0, total, np.nan)  # a draw may be empty
        for name, statistic in statistics.items():
            drawn[name] += statistic(means) / len(values)
            plain[name] += float(statistic(part.mean(axis=0, keepdims=True))[0]) / len(values)
    return {name: interval_of(plain[name], drawn[name]) for name in statistics}


def _weights(index: NDArray[np.intp], n_prompts: int, seed: int) -> NDArray[np.float64]:
    """Return how often each resample draws the prompts of these rows."""
    everything = n_prompts <= _MOST_REMEMBERED and np.array_equal(index, np.arange(n_prompts))
    if everything:
        return _all_weights(n_prompts, seed=seed)
    return resample_counts(n_prompts, seed=seed)[:, index].astype(np.float64)


@lru_cache(maxsize=1)
def _all_weights(n_prompts: int, *, seed: int) -> NDArray[np.float64]:
    return resample_counts(n_prompts, seed=seed)[:, np.arange(n_prompts)].astype(np.float64)


@lru_cache(maxsize=1)
def resample_counts(n_prompts: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return how often each resample draws each prompt, shape (N_RESAMPLES, n_prompts)."""
    counts = np.random.default_rng(seed).poisson(1.0, size=(N_RESAMPLES, n_prompts))
    counts = counts.astype(np.float32)
    counts.flags.writeable = False  # one array serves every caller
    return counts


def interval_of(plain: float, drawn: NDArray[np.float64]) -> Interval:
    """Return the plain value with the 95 % percentiles of the drawn ones; NaN if it is unknown."""
    if not np.isfinite(plain):
        return UNKNOWN
    lo, hi = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(mean=plain, lo=float(lo), hi=float(hi))
