"""Capability profiles: what each model did in each domain, with counts and intervals.

After InferenceDynamics (arXiv 2505.16303), with counts kept, means shrunk, and cost kept apart
from quality.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from profiles.interval import beta_interval

ALL = "all"
UNASSIGNED = "unassigned"
CAPABILITY = "capability:"
"""What the element of a capability begins with, where that of a domain is its id."""
_DEFAULT_PSEUDO_COUNTS = 40.0
_PSEUDO_COUNT_RANGE = (1.0, 400.0)
_EFFECT_PSEUDO_COUNTS = 10.0
_N_TURNS = 50
_TOKENS = ("n_tokens_in", "n_tokens_out")


def build_profile(outcomes: pl.DataFrame, elements: pl.DataFrame) -> pl.DataFrame:
    """Summarise outcomes per model and element.

    Parameters
    ----------
    outcomes
        The OUTCOMES table.
    elements
        Columns prompt_id and element: the domain of each prompt, or `unassigned`; or its
        capabilities, each with the column weight in (0, 1], which is 1 where it is left out.
        Prompts not listed count for `all` only.

    Returns
    -------
    DataFrame
        The PROFILE_CELLS table without its profile_id: every model x every element, `all`
        included. A cell without an
        outcome has n = 0, the additive prior as quality, and null cost, tokens and latency. Means
        are weighted, and shrunk by their effective number of outcomes (ΣW)² / ΣW² (Kish 1965);
        n counts outcomes and the latency quantiles take each once.

    Notes
    -----
    The shrunk quality is (S + τπ) / (n + τ) with the additive prior π = model + domain effect,
    clipped to [0, 1], and τ by moments, 40 where it cannot be estimated. The interval is of the
    beta (0/1 outcomes) or Student's t (graded ones) and covers that prior and τ are estimates.
    """
    if "weight" not in elements.columns:
        elements = elements.with_columns(weight=pl.lit(1.0))
    placed = outcomes.join(elements, on="prompt_id", how="inner")
    everything = outcomes.with_columns(element=pl.lit(ALL), weight=pl.lit(1.0))
    cells = pl.concat([_summarise(placed.select(everything.columns)), _summarise(everything)])
    grid = (
        cells.select("model_id")
        .unique()
        .join(cells.select("element").unique(), how="cross")
        .join(cells, on=["model_id", "element"], how="left")
        .with_columns(pl.col("n", "n_effective", "n_cost").fill_null(0))
        .sort("element", "model_id")
    )
    binary = bool(outcomes.select((pl.col("quality").is_in([0.0, 1.0])).all()).item())
    return _shrink(grid, binary=binary)


def _summarise(placed: pl.DataFrame) -> pl.DataFrame:
    mean = _weighted_mean(pl.col("quality"))
    weights = pl.col("weight").filter(pl.col("quality").is_not_null())
    return placed.group_by("element", "model_id").agg(
        n=pl.col("quality").count(),
        n_effective=weights.sum() ** 2 / (weights**2).sum(),
        quality_raw=mean,
        variance=_weighted_mean((pl.col("quality") - mean) ** 2),
        n_cost=pl.col("cost_usd").count(),
        **{name: _weighted_mean(pl.col(name)) for name in ("cost_usd", *_TOKENS)},
        latency_p50_s=pl.col("latency_s").quantile(0.5, "linear"),
        latency_p95_s=pl.col("latency_s").quantile(0.95, "linear"),
    )


def _weighted_mean(value: pl.Expr) -> pl.Expr:
    """Return the mean over known values; null where none is known."""
    total = pl.col("weight").filter(value.is_not_null()).sum()
    return pl.when(total > 0).then((pl.col("weight") * value).sum() / total)


def _shrink(grid: pl.DataFrame, *, binary: bool) -> pl.DataFrame:
    elements, models = grid["element"].unique().sort(), grid["model_id"].unique().sort()
    shape = (len(elements), len(models))
    n = grid["n_effective"].fill_nan(0.0).to_numpy().reshape(shape)
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
    worth = _worth(raw, n, weight, prior, variance[whole], whole)
    lo, hi = _interval(mean, worth, variance[whole], binary=binary)
    return grid.drop("variance", "n_effective").with_columns(
        quality=pl.Series(mean.ravel()).fill_nan(None),
        quality_lo=pl.Series(lo.ravel()).fill_nan(None),
        quality_hi=pl.Series(hi.ravel()).fill_nan(None),
    )


def _additive_prior(
    raw: NDArray[np.float64], n: NDArray[np.float64], whole: int
) -> NDArray[np.float64]:
    """Return model + domain effects, in [0, 1]; NaN for a model of which nothing is known.

    Weighted least squares by turns, so that a model which met the harder domains is not held to
    be worse for it; domain effects are shrunk by ten pseudo-observations.
    """
    counts = np.where(np.isfinite(raw), n, 0.0)
    counts[whole] = 0.0
    known = np.nan_to_num(raw)
    model, seen = known[whole], counts.sum(axis=0)
    domain = np.zeros(len(raw))
    for _ in range(_N_TURNS):
        off = (counts * (known - model)).sum(axis=1)
        domain = off / (counts.sum(axis=1) + _EFFECT_PSEUDO_COUNTS)
        fitted = (counts * (known - domain[:, None])).sum(axis=0) / np.maximum(seen, 1e-12)
        model = np.where(seen > 0, fitted, known[whole])
    prior = np.clip(model[None, :] + domain[:, None], 0.0, 1.0)
    return np.where(np.isfinite(raw[whole])[None, :], prior, np.nan)


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


def _worth(
    raw: NDArray[np.float64],
    n: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: NDArray[np.float64],
    variance: NDArray[np.float64],
    whole: int,
) -> NDArray[np.float64]:
    """Return how many observations each shrunk mean is worth, at least its own.

    The variance of (S + τπ) / (n + τ), with that of the prior's effects and of τ itself (Morris
    1983, doi:10.1080/01621459.1983.10477920), in units of the variance of one observation.
    """
    inside = np.where(np.arange(len(n))[:, None] == whole, 0.0, n)
    share = weight / np.maximum(n + weight, 1e-12)
    effects = 1.0 / np.maximum(inside.sum(axis=0), 1.0)[None, :]
    effects = effects + 1.0 / (inside.sum(axis=1) + _EFFECT_PSEUDO_COUNTS)[:, None]
    n_cells = (inside > 0).sum(axis=0)
    off = np.where(n > 0, (np.nan_to_num(raw) - prior) ** 2, 0.0)
    doubt = off * 2.0 / np.maximum(n_cells - 3, 1) / np.maximum(np.nan_to_num(variance), 1e-12)
    unsure = 1.0 / np.maximum(n + weight, 1e-12) + share**2 * (effects + doubt)
    return np.maximum(1.0 / unsure, n)


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
    half = stdtrit(np.maximum(total - 1.0, 1.0), 0.975) * spread
    return np.clip(mean - half, 0.0, 1.0), np.clip(mean + half, 0.0, 1.0)
