"""One card for each cluster that waits, and what its buttons do."""

import getpass
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import format as text
from pages.ui import reads, shell, shown
from pipeline.flows import curation
from pipeline.taxonomy import RETIRED, in_force
from profiles.errors import PromptshedError
from profiles.tables import DOMAIN_EVENTS

MOST_CARDS = 12
_DONE = "_review_done"


def choose_actor() -> str:
    """Ask who decides; every decision carries the name."""
    name = st.text_input(
        "Decided by", getpass.getuser(), key="actor", persist_state="session", width=260
    )
    return (name or "").strip() or getpass.getuser()


def offer_undo(actor: str) -> None:
    """Let the newest decision be taken back, whoever took it; the undo can be taken back too."""
    decisions = in_force(reads.read(DOMAIN_EVENTS)).filter(pl.col("verb") != "undo")
    if decisions.is_empty():
        return
    newest = decisions.sort("event_id").row(-1, named=True)
    what = newest["name"] or newest["domain_id"] or f"cluster {newest['cluster_id']}"
    taken = f"{newest['verb']} {text.shorten(what, longest=44)}, by {newest['actor']}"
    if st.button(f"Undo: {text.as_markdown(taken)}", icon=":material/undo:"):
        store, event_id = reads.store(), int(newest["event_id"])
        act(f"Undone: {taken}", lambda: curation.undo_decision(store, event_id, actor=actor))


def card(cluster: Mapping[str, Any], actor: str) -> None:
    """Show what a cluster holds, with a form to approve it under a name or to reject it."""
    cluster_id = int(cluster["cluster_id"])
    with st.container(border=True):
        st.markdown(f"**{text.as_markdown(text.one_line(cluster['name']))}**")
        st.caption(
            f"{text.count(cluster['n_prompts'])} prompts · cohesion {cluster['cohesion']:.2f} · "
            f"cluster {cluster_id}"
        )
        if cluster["parents"]:
            st.caption(f"In: {text.as_markdown(' / '.join(reversed(cluster['parents'])))}")
        shell.prompts([cluster["medoid_prompt_id"]])
        key = f"evidence-{cluster['run_id']}-{cluster_id}"
        more = st.expander("More prompts, phrases and models", key=key, on_change="rerun")
        if more.open:
            with more:
                _evidence(cluster)
        _form(cluster, cluster_id, actor)


def _evidence(cluster: Mapping[str, Any]) -> None:
    st.caption("Phrases that set it apart")
    st.text(" · ".join(cluster["names"]))
    st.caption("Typical prompts")
    shell.prompts(cluster["exemplar_prompt_ids"])
    st.caption("Border prompts: does the name still fit?")
    shell.prompts(cluster["border_prompt_ids"])
    cells = reads.cluster_cells(int(cluster["cluster_id"]))
    if not cells.is_empty():
        st.caption("What each model does here")
        shown.table(shown.models(cells), alt="Quality and cost of each model in this cluster")


def _form(cluster: Mapping[str, Any], cluster_id: int, actor: str) -> None:
    key = f"{cluster['run_id']}-{cluster_id}"
    with st.form(f"decide-{key}", border=False):
        left, right = st.columns(2)
        name = left.text_input("Name of the domain", text.one_line(cluster["name"]), key=f"n-{key}")
        reason = right.text_input("Reason (optional)", key=f"r-{key}") or None
        with st.container(horizontal=True):
            approved = st.form_submit_button("Approve", type="primary")
            rejected = st.form_submit_button("Reject")
    store = reads.store()
    if approved:
        act(
            f"Approved: {name}",
            lambda: curation.approve_clusters(
                store, [cluster_id], actor=actor, name=name, reason=reason
            ),
        )
    if rejected:
        act(
            f"Rejected: {text.one_line(cluster['name'])}",
            lambda: curation.reject_cluster(store, cluster_id, actor=actor, reason=reason),
        )


def edit(domain_id: str, name: str, *, status: str) -> None:
    """Offer another name for a domain, and to take it out of use or bring it back."""
    if status == shown.WAITING:
        st.page_link("pages/inbox.py", label="Decide in the inbox", icon=":material/inbox:")
        return
    with st.expander("Rename or retire"):
        actor = choose_actor()
        with st.form(f"edit-{domain_id}-{name}-{status}", border=False):
            new_name = st.text_input("Name", text.one_line(name))
            with st.container(horizontal=True):
                renamed = st.form_submit_button("Rename", type="primary")
                toggled = st.form_submit_button("Restore" if status == RETIRED else "Retire")
    store = reads.store()
    if renamed:
        act(
            f"Renamed: {new_name}",
            lambda: curation.rename_domain(store, domain_id, new_name, actor=actor),
        )
    if toggled and status == RETIRED:
        act(f"Restored: {name}", lambda: curation.restore_domain(store, domain_id, actor=actor))
    elif toggled:
        act(
            f"Retired: {name}",
            lambda: curation.retire_domain(store, domain_id, actor=actor, reason=None),
        )


def act(done: str, decide: Callable[[], object]) -> None:
    """Carry a decision out and start the page anew; a refusal is shown instead."""
    try:
        decide()
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        return
    st.session_state[_DONE] = done
    st.rerun()


def tell_what_was_done() -> None:
    """Say once what the last button did."""
    done = st.session_state.pop(_DONE, None)
    if done:
        st.toast(text.as_markdown(done), icon=":material/check:")
