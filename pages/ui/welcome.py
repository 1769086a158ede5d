"""What a new store is greeted with: real data to look at, or the way to one's own."""

import streamlit as st

from pages.ui import access, jobs, shell
from pipeline.next_step import Progress, next_step

_DEMO = ("demo",)


def greet(progress: Progress) -> None:
    """Say what this is for, and offer the demo and the import."""
    st.markdown(
        "##### Which model is good enough for what your users ask, and what would that save?\n\n"
        "Promptshed groups your logged prompts into domains, learns from recorded qualities and "
        "costs what each model does in each of them, and derives a routing table that you approve. "
        "Everything stays on this machine."
    )
    if jobs.is_running(_DEMO):
        st.write(
            "The demo is being loaded: about two minutes, also if you leave this page. What it "
            "finds is then shown here."
        )
        jobs.panel(_DEMO, most=1, heading="Loading the demo")
        return
    with st.grid(2, min_column_width=300):
        with st.container(border=True, height="stretch"):
            st.markdown(":material/science: **See it on real data**")
            st.write(
                "1,785 prompts with the qualities and costs of three models: imported, grouped, "
                "profiled and routed in about two minutes."
            )
            if access.may_decide() and st.button("Load the demo into this store", type="primary"):
                jobs.start("Loading the demo", ["demo"])
        with st.container(border=True, height="stretch"):
            st.markdown(":material/upload_file: **Use my data**")
            st.write(
                "A log with a prompt in each row; with models, qualities and costs where you have "
                "them. CSV, JSON Lines or Parquet, and the exports of many tools."
            )
            st.page_link(
                "pages/runs.py",
                label="Import a file",
                icon=":material/arrow_forward:",
                icon_position="right",
            )
    jobs.panel(_DEMO, most=1, heading="Loading the demo")
    shell.show_step(next_step(progress))
