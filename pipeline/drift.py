"""Whether what is asked now is still what it was: shares of the domains in two periods."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from profiles.interval import Z_95

STABLE, LARGE = 0.1, 0.25
"""Usual rules of thumb: below 0.1 nothing to speak of, from 0.25 on another population."""
_HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The domains' shares of the requests before and after a moment."""

    n_before: int
    n_now: int
    index: float
    """Population stability index, Σ (q − p) ln(q / p); 0: the same shares."""
    by_chance: float
    """What the index is on average where nothing but chance differs: (k − 1)(1/n + 1/m)."""
    shares: pl.DataFrame
    """domain, n_before, n_now, share_before, share_now in [0, 1], change (points of share) with
    change_lo and change_hi, and index: its part of the whole; the largest part first."""


def compare_periods(requests: pl.DataFrame, split_at: datetime) -> Drift | None:
    """Compare the requests from a moment on with those before it.

    Parameters
    ----------
    requests
        One row for each: `domain`, and `occurred_at`; those of unknown time tell nothing.

    Returns
    -------
    Drift or None
        None where one of the periods has no request.

    Notes
    -----
    Half a request is added to every count, so that a domain that is new or gone has a finite
    part. The mean of the index by chance follows from its being near a chi-square over the
    harmonic number of requests (Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227).
    """
    timed = requests.drop_nulls("occurred_at")
    counts = (
        timed.with_columns(is_now=pl.col("occurred_at") >= split_at)
        .group_by("domain")
        .agg(
            n_before=(~pl.col("is_now")).sum().cast(pl.Int64),
            n_now=pl.col("is_now").sum().cast(pl.Int64),
        )
        .sort("domain")
    )
    n_before, n_now = int(counts["n_before"].sum()), int(counts["n_now"].sum())
    if not n_before or not n_now:
        return None
    k = counts.height
    smooth_before = (pl.col("n_before") + _HALF) / (n_before + _HALF * k)
    smooth_now = (pl.col("n_now") + _HALF) / (n_now + _HALF * k)
    before, now = pl.col("share_before"), pl.col("share_now")
    half = Z_95 * (before * (1 - before) / n_before + now * (1 - now) / n_now).sqrt()
    shares = (
        counts.with_columns(
            share_before=pl.col("n_before") / n_before,
            share_now=pl.col("n_now") / n_now,
            index=(smooth_now - smooth_before) * (smooth_now / smooth_before).log(),
        )
        .with_columns(change=now - before)
        .with_columns(change_lo=pl.col("change") - half, change_hi=pl.col("change") + half)
        .sort(["index", "domain"], descending=[True, False])
    )
    return Drift(
        n_before=n_before,
        n_now=n_now,
        index=float(shares["index"].sum()),
        by_chance=(k - 1) * (1 / n_before + 1 / n_now),
        shares=shares,
    )


def judgement(drift: Drift) -> str:
    """Say in a few words how much has changed.

    >>> nothing = Drift(n_before=9, n_now=9, index=0.3, by_chance=0.4, shares=pl.DataFrame())
    >>> judgement(nothing)
    'no more than chance would change'
    """
    if drift.index <= 2 * drift.by_chance:
        return "no more than chance would change"
    if drift.index < STABLE:
        return "a small change"
    return "a noticeable change" if drift.index < LARGE else "a large change"


def histogram(confidence: pl.Series, n_bins: int = 20) -> pl.DataFrame:
    """Count confidences in equal bins of [0, 1]; columns `lowest` edge and n."""
    counts, edges = np.histogram(confidence.to_numpy(), bins=n_bins, range=(0.0, 1.0))
    return pl.DataFrame({"lowest": edges[:-1], "n": counts})
