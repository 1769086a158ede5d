"""The routing table: what is chosen in each domain, why, and how versions differ."""

import polars as pl
import streamlit as st

from pages.ui import finding, reads, shell, shown
from pages.ui import format as text
from pipeline.certificate import certificate_sentence
from pipeline.expected import expect
from pipeline.table import table_diff
from profiles.tables import ROUTING_TABLES

st.title("Policy")
tables = reads.read(ROUTING_TABLES).sort("table_version", descending=True)
shell.require(not tables.is_empty())

current, versions = reads.current_table(), tables["table_version"].to_list()
version = shell.choose_version(
    "Table version", tables, first=current.table_version if current else versions[0], key="version"
)
meta = tables.filter(table_version=version).row(0, named=True)
buckets, entries = reads.table_rows(version)
expectation = expect(meta["held_out"], reference_model_id=meta["reference_model_id"])
if expectation:
    st.markdown(finding.sentence(expectation))
    st.caption(finding.footnote(expectation))
if meta["certificate"]:
    st.markdown(certificate_sentence(meta["certificate"]))
st.caption(finding.refinement(meta["policy"]))
shown.table(shown.routes(buckets, entries), alt="First choice in each domain")
st.caption(
    f"Points are hundredths of quality against {text.as_markdown(meta['reference_model_id'])}, "
    "the safe choice; n is the effective number of paired outcomes."
)

st.subheader("All models of one domain", help="Ranked by expected quality minus expected cost.")
names = dict(shown.by_size(buckets).select("bucket", "name").iter_rows())
bucket = st.selectbox(
    "Domain", list(names), format_func=lambda number: text.one_line(names[number]), key="bucket"
)
ranked = entries.filter(bucket=bucket)
st.text(ranked.filter(rank=1)["reason"][0])
shown.table(shown.alternatives(ranked), alt="Models by rank")

st.subheader("Versions")
shown.table(shown.versions(tables), alt="Table versions")
if len(versions) > 1:
    left, right = st.columns(2)
    with left:
        before = shell.choose_version("Before", tables, first=versions[1], key="before")
    with right:
        after = shell.choose_version("After", tables, first=versions[0], key="after")
    diff = table_diff(reads.table_rows(before), reads.table_rows(after))
    n_same = diff.filter(pl.col("change") == "same").height
    st.write(f"{n_same} of {diff.height} buckets choose the same model.")
    if n_same < diff.height:
        shown.table(shown.changes(diff), alt="Buckets that choose differently")
