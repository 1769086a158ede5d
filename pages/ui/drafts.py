"""Tables that wait to be published: what they would change, and the button."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import access, finding, reads, review, shown
from pages.ui import format as text
from pipeline.certificate import certificate_sentence
from pipeline.config import read_policy
from pipeline.expected import THIS_TABLE, expect
from pipeline.flows.tables import publish_table
from pipeline.table import table_diff

_MOST_SHOWN = 3


def waiting(tables: pl.DataFrame) -> list[int]:
    """Return the versions that were never published and are newer than the current one."""
    current = reads.current_table()
    newest = 0 if current is None else current.table_version
    drafts = tables.filter(pl.col("published_at").is_null() & (pl.col("table_version") > newest))
    return drafts.sort("table_version", descending=True)["table_version"].to_list()


def offer(tables: pl.DataFrame) -> None:
    """Show the newest drafts, each with what it would change."""
    for version in waiting(tables)[:_MOST_SHOWN]:
        row = tables.filter(table_version=version).row(0, named=True)
        with st.container(border=True):
            st.markdown(f"**Draft {version}** · built {text.when(row['created_at'])} UTC")
            st.text(finding.wish(read_policy(row["policy"])))
            _evidence(row)
            publish_button(version)


def publish_button(version: int) -> None:
    """Offer to publish a table; asks once more."""
    if not access.may_decide():
        return
    current = reads.current_table()
    with st.popover(f"Publish table {version} …"):
        st.write(
            f"From now on `promptshed route` and the API use table {version}."
            + (
                f" Table {current.table_version} stays and can be published again."
                if current
                else ""
            )
        )
        if st.button("Yes, publish it", type="primary", key=f"publish-{version}"):
            store = reads.store()
            review.act(f"Published: table {version}", lambda: publish_table(store, version))


def _evidence(row: Mapping[str, Any]) -> None:
    expectation = expect(row["held_out"], reference_model_id=row["reference_model_id"])
    if expectation:
        ours = expectation.option(THIS_TABLE)
        gain = text.points_interval(ours["advantage_lo"], ours["advantage_hi"])
        st.markdown(
            f"Quality {text.quality(ours['quality'])}, {text.points(ours['advantage'])} against "
            f"{text.as_markdown(row['reference_model_id'])} (95 % interval {gain}), "
            f"\\{text.dollars_per_1000(ours['cost_usd'])} per 1,000 prompts; "
            f"n = {text.count(expectation.n_prompts)}."
        )
    if row["certificate"]:
        st.markdown(certificate_sentence(row["certificate"]))
    current = reads.current_table()
    if current is None:
        st.write("No table is published yet.")
        return
    st.write(_difference(current.table_version, row["table_version"]))
    changed = _diff(current.table_version, row["table_version"]).filter(pl.col("change") != "same")
    if not changed.is_empty():
        shown.table(
            shown.changes(changed), alt="Domains that choose differently from the published table"
        )


def _difference(before: int, after: int) -> str:
    diff = _diff(before, after)
    n_changed = diff.filter(pl.col("change") != "same").height
    return f"It chooses differently in {n_changed} of {diff.height} domains than table {before}."


def _diff(before: int, after: int) -> pl.DataFrame:
    return table_diff(reads.table_rows(before), reads.table_rows(after))
