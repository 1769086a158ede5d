"""Capability profiles: what each model did in each domain, with counts and intervals.

After InferenceDynamics (arXiv 2505.16303), with counts kept, means shrunk, and cost kept apart
from quality.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t as student

from profiles.interval import beta_interval

ALL = "all"
UNASSIGNED = "unassigned"
_DEFAULT_PSEUDO_COUNTS = 40.0
_PSEUDO_COUNT_RANGE = (1.0, 400.0)


def build_profile(outcomes: pl.DataFrame, elements: pl.DataFrame) -> pl.DataFrame:
    """Summarise outcomes per model and element.

    Parameters
    ----------
    outcomes
        The OUTCOMES table.
    elements
        Columns prompt_id and element: the domain of each prompt, or `unassigned`. A row for
        every prompt with an outcome; prompts not listed count for `all` only.

    Returns
    -------
    DataFrame
        The PROFILE_CELLS table without its profile_id: every model x every element, `all`
        included. A cell without an
        outcome has n = 0, the additive prior as quality, and null cost, tokens and latency.

    Notes
    -----
    The shrunk quality is (S + τπ) / (n + τ) with the additive prior π = mean + model + domain,
    clipped to [0, 1], and τ by moments, 40 where it cannot be estimated.
    """
    placed = outcomes.join(elements, on="prompt_id", how="inner")
    everything = outcomes.with_columns(element=pl.lit(ALL))
    cells = pl.concat([_summarise(placed), _summarise(everything)])
    grid = (
        cells.select("model_id")
        .unique()
        .join(cells.select("element").unique(), how="cross")
        .join(cells, on=["model_id", "element"], how="left")
        .with_columns(pl.col("n", "n_cost").fill_null(0))
        .sort("element", "model_id")
    )
    binary = bool(outcomes.select((pl.col("quality").is_in([0.0, 1.0])).all()).item())
    return _shrink(grid, binary=binary)


def _summarise(placed: pl.DataFrame) -> pl.DataFrame:
    return placed.group_by("element", "model_id").agg(
        n=pl.col("quality").count(),
        quality_raw=pl.col("quality").mean(),
        variance=pl.col("quality").var(ddof=0),
        n_cost=pl.col("cost_usd").count(),
        cost_usd=pl.col("cost_usd").mean(),
        n_tokens_in=pl.col("n_tokens_in").mean(),
        n_tokens_out=pl.col("n_tokens_out").mean(),
        latency_p50_s=pl.col("latency_s").quantile(0.5, "linear"),
        latency_p95_s=pl.col("latency_s").quantile(0.95, "linear"),
    )


def _shrink(grid: pl.DataFrame, *, binary: bool) -> pl.DataFrame:
    elements, models = grid["element"].unique().sort(), grid["model_id"].unique().sort()
    shape = (len(elements), len(models))
    n = grid["n"].to_numpy().reshape(shape).astype(np.float64)
    raw = grid["quality_raw"].fill_null(np.nan).to_numpy().reshape(shape)
    variance = grid["variance"].fill_null(np.nan).to_numpy().reshape(shape)
    whole = int(np.flatnonzero(elements.to_numpy() == ALL)[0])
    prior = _additive_prior(raw, n, whole)
    weight = _pseudo_counts(raw, variance, n, prior, whole)
    weight = np.where(np.arange(shape[0])[:, None] == whole, 0.0, weight[None, :])
    total = n + weight
    mean = (np.where(n > 0, n * np.nan_to_num(raw), 0.0) + weight * prior) / np.where(
        total > 0, total, np.nan
    )
    lo, hi = _interval(mean, total, variance[whole], binary=binary)
    return grid.drop("variance").with_columns(
        quality=pl.Series(mean.ravel()).fill_nan(None),
        quality_lo=pl.Series(lo.ravel()).fill_nan(None),
        quality_hi=pl.Series(hi.ravel()).fill_nan(None),
    )


def _additive_prior(
    raw: NDArray[np.float64], n: NDArray[np.float64], whole: int
) -> NDArray[np.float64]:
    """Return mean + model + domain effects, fitted by two weighted passes; NaN if all unknown."""
    model = raw[whole]
    filled = np.where(n > 0, raw - model, 0.0)
    weights = np.where(np.isfinite(filled), n, 0.0)
    domain = (weights * np.nan_to_num(filled)).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
    return np.clip(model[None, :] + domain[:, None], 0.0, 1.0)


def _pseudo_counts(
    raw: NDArray[np.float64],
    variance: NDArray[np.float64],
    n: NDArray[np.float64],
    prior: NDArray[np.float64],
    whole: int,
) -> NDArray[np.float64]:
    """Return τ for each model: its variance within cells over its variance between them."""
    inside = np.arange(len(raw)) != whole
    counts = np.where(n > 1, n, 0.0)[inside]
    within = np.nansum(counts * np.nan_to_num(variance[inside]), axis=0) / np.maximum(
        counts.sum(axis=0), 1.0
    )
    error = within / np.maximum(counts, 1.0)
    squared = np.where(counts > 0, (np.nan_to_num(raw[inside]) - prior[inside]) ** 2 - error, 0.0)
    between = (counts * squared).sum(axis=0) / np.maximum(counts.sum(axis=0), 1.0)
    estimable = ((counts > 0).sum(axis=0) >= 3) & (between > 0) & (within > 0)
    ratio = np.where(estimable, within / np.where(estimable, between, 1.0), _DEFAULT_PSEUDO_COUNTS)
    return np.clip(ratio, *_PSEUDO_COUNT_RANGE)


def _interval(
    mean: NDArray[np.float64],
    total: NDArray[np.float64],
    variance: NDArray[np.float64],
    *,
    binary: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if binary:
        return beta_interval(mean, total)
    spread = np.sqrt(np.nan_to_num(variance)[None, :] / np.maximum(total, 1.0))
    half = student.ppf(0.975, np.maximum(total - 1.0, 1.0)) * spread
    return np.clip(mean - half, 0.0, 1.0), np.clip(mean + half, 0.0, 1.0)
