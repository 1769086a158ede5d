"""How every column of a table is headed, written and explained."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import format as text

_INTERVAL_HELP = "Where the true value lies with 95 % probability, given the data."
_POINTS_HELP = "Hundredths of quality, against the reference model. Positive is better."

COLUMNS: Mapping[str, Any] = {
    "Name": st.column_config.TextColumn(width=220),
    "Goes to": st.column_config.TextColumn(
        help="First choice of the published table; routing refines it prompt by prompt."
    ),
    "Group": st.column_config.TextColumn(
        width=350, help="The groups of clusters it was found in, the widest first."
    ),
    "For every prompt": st.column_config.TextColumn(
        help="This table, one model for everything, or the best model of each prompt, which can "
        "be known only afterwards."
    ),
    "Domain": st.column_config.TextColumn(width=230),
    "Prompts": st.column_config.NumberColumn(format="%,d"),
    "n": st.column_config.NumberColumn(
        format="%,.0f", help="How many outcomes with a known quality the numbers rest on."
    ),
    "Quality": st.column_config.NumberColumn(
        format="%.3f", help="Expected quality, from 0 to 1; few outcomes lean on the average."
    ),
    "95 % interval": st.column_config.TextColumn(help=_INTERVAL_HELP),
    "Points": st.column_config.NumberColumn(format="%+.1f", help=_POINTS_HELP),
    "Points, 95 %": st.column_config.TextColumn(help=_INTERVAL_HELP),
    "Before, %": st.column_config.NumberColumn(format="%.1f"),
    "Now, %": st.column_config.NumberColumn(format="%.1f"),
    "Change, %": st.column_config.NumberColumn(format="%+.1f", help="Of all requests."),
    "Change, 95 %": st.column_config.TextColumn(help=_INTERVAL_HELP),
    "n before": st.column_config.NumberColumn(format="%,d"),
    "n now": st.column_config.NumberColumn(format="%,d"),
    "Part of the index": st.column_config.NumberColumn(format="%.3f"),
    "This model": st.column_config.NumberColumn(format="%.3f", help="Plain mean quality."),
    "The other": st.column_config.NumberColumn(format="%.3f", help="Plain mean quality."),
    "Points better": st.column_config.NumberColumn(
        format="%+.1f", help="Hundredths of quality by which this model is better, shrunk."
    ),
    "Fate": st.column_config.TextColumn(
        help="survived: found again. split: several clusters have parts of it. merged: a cluster "
        "has it and another one. vanished: no cluster has enough of it."
    ),
    "Shared prompts": st.column_config.NumberColumn(format="%,d"),
    "Of the domain, %": st.column_config.NumberColumn(format="%.0f"),
    "Of the cluster, %": st.column_config.NumberColumn(format="%.0f"),
    "Likeness": st.column_config.NumberColumn(
        format="%.2f", help="Cosine of the mean vectors of domain and cluster, up to 1."
    ),
    "Prompts in": st.column_config.NumberColumn(format="%,d", help="That it did not have before."),
    "Prompts out": st.column_config.NumberColumn(format="%,d", help="That it has no longer."),
    "Rows": st.column_config.NumberColumn(format="%,d"),
    "Share, %": st.column_config.NumberColumn(format="%.1f"),
    "Confidence": st.column_config.NumberColumn(
        format="%.2f", help="Probability of the domain, 0 to 1."
    ),
    "Points lost": st.column_config.NumberColumn(
        format="%.1f", help="Quality of the best model minus that of the chosen one, hundredths."
    ),
    "Points lost, 95 %": st.column_config.TextColumn(help=_INTERVAL_HELP),
    "Share of all, %": st.column_config.NumberColumn(
        format="%.0f", help="Of everything that was lost: where a better choice matters most."
    ),
    "Tokens in": st.column_config.NumberColumn(format="%,.0f", help="Mean of one prompt."),
    "Tokens out": st.column_config.NumberColumn(format="%,.0f", help="Mean of one answer."),
    "Latency p50, s": st.column_config.NumberColumn(format="%.1f", help="Half are faster."),
    "Latency p95, s": st.column_config.NumberColumn(format="%.1f", help="19 of 20 are faster."),
    "A point is worth": st.column_config.TextColumn(
        help="What one more hundredth of quality on one prompt may cost, in US dollars."
    ),
    "Unclustered, %": st.column_config.NumberColumn(
        format="%.0f", help="Prompts in no dense group; they are shown as such, never absorbed."
    ),
    "Moved, %": st.column_config.NumberColumn(
        format="%.0f",
        help="Of the prompts that the run before had too, those in another cluster now, after its "
        "clusters are paired with the earlier ones as well as they can be.",
    ),
    "Validity": st.column_config.NumberColumn(
        format="%.2f", help="How dense clusters are against the gaps between them (DBCV), -1 to 1."
    ),
    "Seconds": st.column_config.NumberColumn(format="%.0f"),
    "Why": st.column_config.TextColumn(width="large"),
    "Prompt": st.column_config.TextColumn(width="large"),
}
_PER_1000: Mapping[str, tuple[str, str]] = {
    "$ per 1,000": ("%,", "Expected US dollars for a thousand prompts."),
    "$ per 1,000 more": ("%+,", "What the chosen model cost beyond the best one, 1,000 prompts."),
    "Margin, $ per 1,000": ("%,", "Value lost by taking the next model instead, 1,000 prompts."),
}
"""How the sign is written, and what it means; decimals are those of `format.decimals`."""


def columns_of(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the settings of those columns of a frame that have any."""
    costs = {
        name: st.column_config.NumberColumn(
            format=f"{sign}.{text.decimals(frame[name])}f", help=help_
        )
        for name, (sign, help_) in _PER_1000.items()
        if name in frame.columns
    }
    return costs | {name: COLUMNS[name] for name in frame.columns if name in COLUMNS}
