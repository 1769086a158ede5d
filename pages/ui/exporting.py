"""A routing table as files for other services, written by the command line's own verb."""

import streamlit as st

from pages.ui import access, jobs
from pipeline.exports.registry import MUST, PROJECTIONS
from pipeline.jobs import DONE, Job

_WHOLE = {
    "artefact": "Everything that the table says, for a reader in any language; the refinement "
    "prompt by prompt stays here.",
    "onnx": "The artefact and its decisions as a graph for ONNX Runtime, which takes unit vectors; "
    "the refinement prompt by prompt stays here.",
}
"""Formats that decide as the table does, and what they are."""
_EXAMPLES = {
    "none": "no prompts",
    "redacted": "masked prompts: read them before they leave the house",
    "full": "logged prompts as they are",
}


def offer(version: int) -> None:
    """Let a table version be written for another service and downloaded."""
    if not access.may_decide():
        return
    more = st.expander("Export for other services", icon=":material/ios_share:")
    with more:
        sides = st.grid(2, min_column_width=260)
        form = str(sides.selectbox("Format", [*_WHOLE, *PROJECTIONS], key="export-form"))
        projection = PROJECTIONS.get(form)
        rule = projection.exemplars if projection else None
        kinds = list(_EXAMPLES)[1:] if rule == MUST else list(_EXAMPLES) if rule else ["none"]
        examples = sides.selectbox(
            "Examples of each domain",
            kinds,
            format_func=_EXAMPLES.__getitem__,
            key=f"export-examples-{form}",
            disabled=len(kinds) == 1,
            help="Some formats know a domain by example prompts; the others hold no prompt.",
        )
        st.caption(f"What is lost: {projection.loses}" if projection else _WHOLE[form])
        if st.button("Write the files"):
            folder = jobs.new_file(f"table-{version}-{form}")
            words = ["export", "--to", form, "--version", str(version), "-o", str(folder)]
            chosen = ["--exemplars", str(examples)] if rule else []
            jobs.start("Exporting", [*words, *chosen])
        jobs.panel(("export",), result=show, most=2, heading="Exports")


def show(job: Job) -> None:
    """Offer what a job has exported."""
    written = jobs.written_by(job)
    if job.state == DONE and written is not None and written.is_dir():
        jobs.offer_folder(written, key=f"export-{job.job_id}")
