"""Routing tables as they are stored: one version, and two beside each other."""

import polars as pl
import streamlit as st

from pages.ui import drafts, exporting, finding, reads, shell, shown
from pages.ui import format as text
from pipeline.certificate import certificate_sentence
from pipeline.config import read_policy
from pipeline.expected import expect
from pipeline.table import table_diff


def show(tables: pl.DataFrame) -> None:
    """Show one version: what it gains, its first choices, and all models of one domain."""
    version = _choose(tables, "Table version", key="version")
    row = tables.filter(table_version=version).row(0, named=True)
    buckets, entries = reads.table_rows(version)
    expectation = expect(row["held_out"], reference_model_id=row["reference_model_id"])
    if expectation:
        st.markdown(finding.sentence(expectation))
        st.caption(finding.footnote(expectation))
    st.text(f"Policy: {finding.wish(read_policy(row['policy']))}")
    if row["certificate"]:
        st.markdown(certificate_sentence(row["certificate"]))
    else:
        st.caption("No certificate was asked for; “Try a policy” can ask for one.")
    current = reads.current_table()
    if current is None or version != current.table_version:
        drafts.publish_button(version)
    st.caption(finding.refinement(row["policy"]))
    shown.table(
        shown.short(shown.routes(buckets, entries), "Model"), alt="First choice in each domain"
    )
    st.caption(
        f"Points are hundredths of quality against {text.as_markdown(row['reference_model_id'])}, "
        "the safe choice; n is the effective number of paired outcomes."
    )
    exporting.offer(version)
    _one_domain(buckets, entries)


def _one_domain(buckets: pl.DataFrame, entries: pl.DataFrame) -> None:
    st.subheader("All models of one domain", help="Ranked by expected quality minus expected cost.")
    names = dict(shown.by_size(buckets).select("bucket", "name").iter_rows())
    bucket = st.selectbox(
        "Domain", list(names), format_func=lambda number: text.one_line(names[number]), key="bucket"
    )
    ranked = entries.filter(bucket=bucket)
    st.text(ranked.filter(rank=1).select(shown.reason()).item(0, 0))
    shown.table(shown.alternatives(ranked), alt="Models by rank")


def compare(tables: pl.DataFrame) -> None:
    """List the versions, and show where two of them choose differently."""
    shown.table(shown.versions(tables), alt="Table versions")
    versions = tables["table_version"].to_list()
    if len(versions) < 2:
        st.caption("Two versions can be compared here once there are two.")
        return
    left, right = st.columns(2)
    with left:
        before = shell.choose_version("Before", tables, first=versions[1], key="before")
    with right:
        after = shell.choose_version("After", tables, first=versions[0], key="after")
    diff = table_diff(reads.table_rows(before), reads.table_rows(after))
    n_same = diff.filter(pl.col("change") == "same").height
    st.write(f"{n_same} of {text.counted(diff.height, 'domain')} choose the same model.")
    if n_same < diff.height:
        rows = shown.short(shown.changes(diff), "Before", "After")
        shown.table(rows, alt="Domains that choose differently")


def _choose(tables: pl.DataFrame, label: str, *, key: str) -> int:
    current = reads.current_table()
    first = current.table_version if current else tables["table_version"][0]
    return shell.choose_version(label, tables, first=first, key=key)
