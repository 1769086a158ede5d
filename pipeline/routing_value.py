"""What a row of its own in the routing table would gain for a group of prompts."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.study import Study, choose_by
from pipeline.terms import Terms
from profiles.interval import Z_95

Floats = NDArray[np.float64]

VALUES = pl.Schema(
    {
        "group": pl.Int64,
        "n": pl.Int64,  # prompts of the group on which everything needed is known
        "points": pl.Float64,  # mean gain on these, in hundredths of quality
        "points_lo": pl.Float64,  # 95 % interval
        "points_hi": pl.Float64,
        "total": pl.Float64,  # what it adds to the mean of all prompts of the study
    }
)


def row_values(study: Study, terms: Terms, groups: Mapping[int, NDArray[np.intp]]) -> pl.DataFrame:
    """Estimate for each group of prompts what one model for all of them would gain.

    Parameters
    ----------
    study
        With the columns of the table's models.
    terms
        Of the table: what it chooses now, and what quality is worth.
    groups
        Rows of the study in each group.

    Returns
    -------
    DataFrame
        `VALUES`, sorted by group; a group with fewer than two usable prompts has null figures.

    Notes
    -----
    Cross-fitted: the best model of either half of a group is scored on the other half, so a lucky
    model gains nothing by its luck. What counts is quality − cost / value, as in the table; a gain
    below 0 says that the present choices are better than any one model.
    """
    worth = _worth(study, terms.quality_value_usd)
    chosen = choose_by(study, terms)
    now = worth[np.arange(len(chosen)), chosen]
    n_all = max(len(chosen), 1)
    rows = []
    for group, members in sorted(groups.items()):
        usable = members[np.isfinite(worth[members]).all(axis=1)]
        gains = 100.0 * _gains(worth[usable], now[usable]) if len(usable) > 1 else np.empty(0)
        if not len(gains):
            rows.append((group, len(usable), None, None, None, None))
            continue
        mean, half = gains.mean(), Z_95 * gains.std(ddof=1) / np.sqrt(len(gains))
        rows.append((group, len(gains), mean, mean - half, mean + half, gains.sum() / n_all))
    return pl.DataFrame(rows, schema=VALUES, orient="row")


def _worth(study: Study, value_usd: float) -> Floats:
    """Return what each outcome is worth in units of quality, shape (n, n_models)."""
    if value_usd == 0.0:
        return np.full(study.outcomes.quality.shape, np.nan)  # quality counts for nothing
    if np.isinf(value_usd):
        return study.outcomes.quality
    return study.outcomes.quality - study.outcomes.cost_usd / value_usd


def _gains(worth: Floats, now: Floats) -> Floats:
    """Return each prompt's gain from the model that is best on the other half."""
    halves = np.arange(len(worth)) % 2
    gains = np.empty(len(worth))
    for half in (0, 1):
        best = int(np.argmax(worth[halves != half].mean(axis=0)))
        gains[halves == half] = worth[halves == half, best] - now[halves == half]
    return gains
