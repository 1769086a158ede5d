"""What the page on drift says about coverage, periods and age."""

from datetime import UTC, datetime, timedelta

import polars as pl
import streamlit as st

from pages.ui import format as text
from pages.ui import shell
from pages.ui.reads import Published
from pipeline.flows.monitoring import Traffic
from profiles.profile import UNASSIGNED

_UNSURE = 0.5


def coverage(traffic: Traffic, table: Published) -> None:
    """Show how many prompts are in no domain, how sure the rest is, and how old the scores are."""
    placed, n = traffic.placed, traffic.placed.height
    away = placed.filter(domain=UNASSIGNED).height
    unsure = placed.filter(
        (pl.col("confidence") < _UNSURE) & (pl.col("domain") != UNASSIGNED)
    ).height
    lo, hi = _share_interval(away, n)
    with st.grid(4, min_column_width=210):
        shell.number(
            "Unassigned",
            text.share(away / n),
            f"{text.count(away)} of {text.count(n)} prompts; 95 % interval {text.share(lo)} to "
            f"{text.share(hi)}",
            help_="Unlike every domain, so they take the fallback. Where routing has learned from "
            "a prompt, it is refused less often than a new one would be.",
        )
        shell.number(
            "Unsure",
            text.share(unsure / n),
            f"{text.count(unsure)} of {text.count(n)} prompts",
            help_="Prompts in a domain whose probability is below one half: they mix the choices "
            "of several domains.",
        )
        shell.number(
            "Prompts looked at",
            text.count(n),
            f"of {text.count(traffic.n_prompts)} in the store",
            help_="Those with a vector, evenly sampled where there are many.",
        )
        shell.number(
            "Age of the scores",
            _age(traffic.newest_outcome_at),
            f"table {table.table_version} is of {text.when(table.published_at)}",
            help_="Since the newest outcome with a quality occurred, or was imported where its "
            "time is unknown. Times are UTC.",
        )


def days(requests: pl.DataFrame) -> list[datetime]:
    """Return the days with a request, as their first moments in UTC, sorted."""
    moments = requests["occurred_at"].drop_nulls().dt.truncate("1d").unique().sort()
    return moments.to_list()


def why_no_periods(requests: pl.DataFrame) -> str:
    """Say why nothing can be compared, and what would be needed."""
    timed = requests.drop_nulls("occurred_at").height
    if timed == 0:
        return (
            f"None of the {text.count(requests.height)} requests says when it was asked, so there "
            "are no two periods to compare. Import logs with a column `occurred_at`, such as "
            "2026-01-31T12:00:00Z."
        )
    return (
        f"All {text.count(timed)} requests with a known time are of one day. A comparison needs a "
        "second day: import newer logs."
    )


def _age(moment: datetime | None) -> str:
    if moment is None:
        return text.DASH
    passed = datetime.now(UTC) - moment.replace(tzinfo=UTC)
    if passed < timedelta(hours=1):
        return "under an hour"
    if passed < timedelta(days=2):
        return text.counted(int(passed / timedelta(hours=1)), "hour")
    return text.counted(passed.days, "day")


def _share_interval(part: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    z2 = 1.96**2
    middle, spread = (part + z2 / 2) / (n + z2), (part * (n - part) / n + z2 / 4) ** 0.5
    half = 1.96 * spread / (n + z2)
    return max(middle - half, 0.0), min(middle + half, 1.0)
