"""Shares of domains before and after a moment."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from pipeline.drift import compare_periods, histogram, judgement

START = datetime(2026, 1, 1, tzinfo=UTC)


def requests(before, now):
    """Return requests of two days; each argument counts them by domain."""
    rows = [
        (domain, START + timedelta(days=day))
        for day, counts in enumerate((before, now))
        for domain, n in counts.items()
        for _ in range(n)
    ]
    return pl.DataFrame(rows, schema=["domain", "occurred_at"], orient="row")


def drift_of(before, now):
    return compare_periods(requests(before, now), START + timedelta(days=1))


def test_the_index_by_hand():
    """Half and half becomes a quarter and three quarters, with half a request added to each."""
    found = drift_of({"a": 50, "b": 50}, {"a": 25, "b": 75})
    assert (found.n_before, found.n_now) == (100, 100)
    old, new = 50.5 / 101, 25.5 / 101
    by_hand = (new - old) * np.log(new / old)
    by_hand += ((1 - new) - (1 - old)) * np.log((1 - new) / (1 - old))
    assert found.index == pytest.approx(by_hand)
    change = dict(found.shares.select("domain", "change").iter_rows())
    assert change == {"a": -0.25, "b": 0.25}
    assert judgement(found) == "a large change"


def test_the_same_shares_are_no_drift():
    """Twice the traffic is no change, and one request more is chance."""
    assert drift_of({"a": 30, "b": 10}, {"a": 60, "b": 20}).index == pytest.approx(0, abs=1e-3)
    assert judgement(drift_of({"a": 30, "b": 10}, {"a": 31, "b": 9})).startswith("no more")


def test_a_new_and_a_vanished_domain_have_finite_parts():
    """Their shares are 0 on one side."""
    found = drift_of({"a": 40, "gone": 10}, {"a": 40, "new": 10})
    assert np.isfinite(found.index)
    assert found.shares["domain"][-1] == "a"
    assert set(found.shares["share_before"]) == {0.8, 0.2, 0.0}


def test_one_period_is_no_comparison():
    """Neither are requests of unknown time."""
    assert drift_of({"a": 3}, {}) is None
    unknown = requests({"a": 1}, {"a": 1}).with_columns(
        occurred_at=pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    )
    assert compare_periods(unknown, START) is None


def test_chance_is_about_what_is_said():
    """Over samples of the same shares, the mean index is near `by_chance`."""
    rng = np.random.default_rng(3)
    share, names = [0.5, 0.3, 0.2], "abc"
    found = [
        drift_of(*(dict(zip(names, rng.multinomial(400, share), strict=True)) for _ in range(2)))
        for _ in range(60)
    ]
    assert np.mean([d.index for d in found]) == pytest.approx(found[0].by_chance, rel=0.35)


def test_a_histogram_counts_every_value():
    """The ends are inside."""
    bins = histogram(pl.Series([0.0, 0.5, 1.0]), n_bins=4)
    assert bins["n"].to_list() == [1, 0, 1, 1]
    assert histogram(pl.Series([], dtype=pl.Float64))["n"].sum() == 0
