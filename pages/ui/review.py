"""One card for each cluster that waits, and what its buttons do."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import access, reads, shell, shown
from pages.ui import format as text
from pipeline.flows import curation
from pipeline.jobs import start_job
from pipeline.taxonomy import APPROVED, RETIRED, in_force
from profiles.errors import PromptshedError
from profiles.tables import DOMAIN_EVENTS

MOST_CARDS = 12
_DONE, _SNOOZED = "_review_done", "_review_snoozed"


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


def ordered(waiting: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """Put the clusters first whose own row would gain most, then the largest; drop snoozed ones.

    Columns points, points_lo, points_hi and total are added; null where unknown.
    """
    hidden = st.session_state.get(_SNOOZED, ())
    return (
        waiting.filter(~pl.col("cluster_id").is_in(list(hidden)))
        .join(values, left_on="cluster_id", right_on="group", how="left")
        .sort(
            [pl.col("total").clip(lower_bound=0.0).fill_null(0.0), "n_prompts", "cluster_id"],
            descending=[True, True, False],
        )
    )


def offer_snoozed() -> None:
    """Let clusters that were put off come back."""
    hidden = st.session_state.get(_SNOOZED, ())
    if hidden and st.button(f"Bring back {text.counted(len(hidden), 'snoozed cluster')}"):
        st.session_state[_SNOOZED] = ()
        st.rerun()


def worth(cluster: Mapping[str, Any]) -> str:
    """Say what a row of its own in the routing table would gain."""
    if cluster.get("points") is None:
        return "what its own row would gain is unknown: too few outcomes, or no table"
    gain = text.points(cluster["points"] / 100)
    interval = text.points_interval(cluster["points_lo"] / 100, cluster["points_hi"] / 100)
    return f"its own row would gain {gain} on its prompts (95 % interval {interval})"


def card(cluster: Mapping[str, Any], actor: str, domains: Mapping[str, str]) -> None:
    """Show what a cluster holds, with a form to decide about it.

    Parameters
    ----------
    cluster
        A row of `ordered`.
    domains
        Names of the approved domains by id, for merging.
    """
    cluster_id = int(cluster["cluster_id"])
    with st.container(border=True):
        st.markdown(f"**{text.as_markdown(text.one_line(cluster['name']))}**")
        st.caption(
            f"{text.count(cluster['n_prompts'])} prompts · cohesion {cluster['cohesion']:.2f} · "
            f"cluster {cluster_id} · {worth(cluster)}"
        )
        if cluster["parents"]:
            st.caption(f"In: {text.as_markdown(' / '.join(reversed(cluster['parents'])))}")
        shell.prompts([cluster["medoid_prompt_id"]])
        key = f"evidence-{cluster['run_id']}-{cluster_id}"
        more = st.expander("More prompts, phrases and models", key=key, on_change="rerun")
        if more.open:
            with more:
                _evidence(cluster)
        if access.may_decide():
            _form(cluster, cluster_id, actor, domains)


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


def _form(
    cluster: Mapping[str, Any], cluster_id: int, actor: str, domains: Mapping[str, str]
) -> None:
    key = f"{cluster['run_id']}-{cluster_id}"
    with st.form(f"decide-{key}", border=False):
        fields = st.grid(3, min_column_width=200)
        name = fields.text_input(
            "Name of the domain", text.one_line(cluster["name"]), key=f"n-{key}"
        )
        into = fields.selectbox(
            "Or a domain that has it",
            [None, *domains],
            format_func=lambda domain: "" if domain is None else text.one_line(domains[domain]),
            key=f"i-{key}",
            help="“Merge into” gives the prompts to this domain, which keeps its id.",
        )
        reason = fields.text_input("Reason (optional)", key=f"r-{key}") or None
        with st.container(horizontal=True):
            pressed = {
                "approve": st.form_submit_button("Approve", type="primary"),
                "merge": st.form_submit_button("Merge into"),
                "reject": st.form_submit_button("Reject"),
                "snooze": st.form_submit_button(
                    "Snooze", help="Out of sight until this browser tab is opened anew."
                ),
            }
    verb = next((verb for verb, is_pressed in pressed.items() if is_pressed), None)
    if verb is not None:
        _decide(verb, cluster, actor, reason, name=name, into=into)


def _decide(
    verb: str,
    cluster: Mapping[str, Any],
    actor: str,
    reason: str | None,
    *,
    name: str,
    into: str | None,
) -> None:
    store, cluster_id = reads.store(), int(cluster["cluster_id"])
    called = text.one_line(cluster["name"])
    match verb:
        case "approve":
            gain = f"; {worth(cluster)}" if cluster.get("points") is not None else ""
            act(
                f"Approved: {name}{gain}",
                lambda: curation.approve_clusters(
                    store, [cluster_id], actor=actor, name=name, reason=reason
                ),
            )
        case "merge" if into is None:
            st.error("Choose the domain to merge into.")
        case "merge":
            act(
                f"Merged: {called}",
                lambda: curation.merge_cluster(
                    store, cluster_id, str(into), actor=actor, reason=reason
                ),
            )
        case "reject":
            act(
                f"Rejected: {called}",
                lambda: curation.reject_cluster(store, cluster_id, actor=actor, reason=reason),
            )
        case _:
            st.session_state[_SNOOZED] = (*st.session_state.get(_SNOOZED, ()), cluster_id)
            st.rerun()


def edit(domain_id: str, name: str, *, status: str) -> None:
    """Offer another name for a domain, to merge or split it, to retire it or bring it back."""
    if status == shown.WAITING:
        st.page_link("pages/inbox.py", label="Decide in the inbox", icon=":material/inbox:")
        return
    if not access.may_decide():
        return
    with st.expander("Rename, merge, split or retire"):
        actor = access.choose_actor()
        with st.form(f"edit-{domain_id}-{name}-{status}", border=False):
            new_name = st.text_input("Name", text.one_line(name))
            others = _others(domain_id)
            into = st.selectbox(
                "Another domain",
                [None, *others],
                format_func=lambda key: "" if key is None else text.one_line(others[key]),
                key=f"into-{domain_id}",
                help="“Merge into” gives all prompts to that domain, and this one retires.",
            )
            with st.container(horizontal=True):
                pressed = {
                    "rename": st.form_submit_button("Rename", type="primary"),
                    "merge": st.form_submit_button("Merge into"),
                    "split": st.form_submit_button(
                        "Split", help="By clustering its own prompts; it keeps the largest part."
                    ),
                    "toggle": st.form_submit_button("Restore" if status == RETIRED else "Retire"),
                }
    verb = next((verb for verb, is_pressed in pressed.items() if is_pressed), None)
    if verb is not None:
        _change(verb, (domain_id, name), actor, new_name=new_name, into=into, status=status)


def _others(domain_id: str) -> dict[str, str]:
    rows = reads.domains().filter(
        (pl.col("status") == APPROVED) & (pl.col("domain_id") != domain_id)
    )
    return dict(rows.select("domain_id", "name").iter_rows())


def _change(
    verb: str,
    domain: tuple[str, str],
    actor: str,
    *,
    new_name: str,
    into: str | None,
    status: str,
) -> None:
    store, (domain_id, name) = reads.store(), domain
    match verb:
        case "rename":
            act(
                f"Renamed: {new_name}",
                lambda: curation.rename_domain(store, domain_id, new_name, actor=actor),
            )
        case "merge" if into is None:
            st.error("Choose the domain to merge into.")
        case "merge":
            act(
                f"Merged: {name}",
                lambda: curation.merge(store, [str(into), domain_id], actor=actor),
            )
        case "split":
            words = ["domains", "split", domain_id, "--by", actor]
            act(f"Splitting: {name}", lambda: start_job(store.path.resolve(), words))
        case _ if status == RETIRED:
            act(f"Restored: {name}", lambda: curation.restore_domain(store, domain_id, actor=actor))
        case _:
            act(
                f"Retired: {name}",
                lambda: curation.retire_domain(store, domain_id, actor=actor, reason=None),
            )


def act(done: str, decide: Callable[[], object]) -> None:
    """Carry a decision out and start the page anew; a refusal is shown instead."""
    if not access.may_decide():
        access.explain()
        return
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
