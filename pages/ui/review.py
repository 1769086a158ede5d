"""One card for each cluster that waits, and what its buttons do."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import access, reads, run_reads, shell, shown
from pages.ui import format as text
from pipeline.flows import curation
from pipeline.jobs import start_job
from pipeline.taxonomy import in_force
from profiles.errors import PromptshedError
from profiles.tables import DOMAIN_EVENTS

MOST_CARDS = 12
_MOST_SUGGESTED = 4
_DONE, _REFUSED, _LAST, _SNOOZED = (
    "_review_done",
    "_review_refused",
    "_review_last",
    "_review_snoozed",
)


def offer_undo() -> None:
    """Let the newest decision be taken back, whoever took it; the undo can be taken back too."""
    decisions = in_force(reads.read(DOMAIN_EVENTS)).filter(pl.col("verb") != "undo")
    if decisions.is_empty() or not access.may_decide():
        return
    newest = decisions.sort("event_id").row(-1, named=True)
    what = newest["name"] or newest["domain_id"] or f"cluster {newest['cluster_id']}"
    taken = f"{newest['verb']} {text.shorten(what, longest=44)}, by {newest['actor']}"
    st.button(
        f"Undo: {text.as_markdown(taken)}",
        icon=":material/undo:",
        on_click=_undo,
        args=(int(newest["event_id"]), taken),
    )


def _undo(event_id: int, taken: str) -> None:
    store, actor = reads.store(), access.actor()
    carry_out(f"Undone: {taken}", lambda: curation.undo_decision(store, event_id, actor=actor))


def ordered(waiting: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """Put the clusters first whose own row would gain most, then the largest; drop snoozed ones.

    Columns points, points_lo, points_hi and total are added; null where unknown.
    """
    hidden = st.session_state.get(_SNOOZED, ())
    return (
        waiting.filter(~pl.concat_str("run_id", "cluster_id", separator="-").is_in(list(hidden)))
        .join(values, left_on="cluster_id", right_on="group", how="left")
        .sort(
            [pl.col("total").clip(lower_bound=0.0).fill_null(0.0), "n_prompts", "cluster_id"],
            descending=[True, True, False],
        )
    )


def offer_snoozed() -> None:
    """Let clusters that were put off come back."""
    hidden = st.session_state.get(_SNOOZED, ())
    if hidden:
        st.button(
            f"Bring back {text.counted(len(hidden), 'snoozed cluster')}",
            icon=":material/snooze:",
            on_click=st.session_state.pop,
            args=(_SNOOZED,),
        )


def worth(cluster: Mapping[str, Any]) -> str:
    """Say what a row of its own in the routing table would gain."""
    if cluster.get("points") is None:
        return "what its own row would gain is unknown: too few outcomes, or no table"
    gain = text.points(cluster["points"] / 100)
    interval = text.points_interval(cluster["points_lo"] / 100, cluster["points_hi"] / 100)
    return f"its own row would gain {gain} on its prompts (95 % interval {interval})"


def fate(found: pl.DataFrame, domains: Mapping[str, str]) -> str:
    """Say how a cluster stands to the domains there are.

    Parameters
    ----------
    found
        The rows of `read_matches` about it.
    domains
        Names of the approved domains by id.
    """
    near = found.filter(pl.col("domain_id").is_in(list(domains))).sort(
        "n_shared", "domain_id", descending=[True, False]
    )
    if near.is_empty():
        return "new: no domain has its prompts" if domains else ""
    said = {"survived": "may be", "split": "a part of", "merged": "has prompts of several, most of"}
    row = near.row(0, named=True)
    return (
        f"{said.get(row['fate'], 'near')} “{domains[row['domain_id']]}”: "
        f"{text.counted(row['n_shared'], 'shared prompt')}, likeness {row['cosine']:.2f}"
    )


def card(cluster: Mapping[str, Any], domains: Mapping[str, str], relation: str) -> None:
    """Show what a cluster holds, with a form to decide about it.

    Parameters
    ----------
    cluster
        A row of `ordered`.
    domains
        Names of the approved domains by id, for merging.
    relation
        As `fate` gives it.
    """
    cluster_id = int(cluster["cluster_id"])
    with st.container(border=True):
        st.markdown(f"**{text.as_markdown(text.one_line(cluster['name']))}**")
        st.markdown(
            f"{text.count(cluster['n_prompts'])} prompts · {text.as_markdown(worth(cluster))}"
        )
        facts = [
            relation,
            f"cohesion {cluster['cohesion']:.2f}",
            f"cluster {cluster_id}",
        ]
        st.caption(
            text.as_markdown(" · ".join(filter(None, facts))),
            help="Cohesion is the mean likeness of its prompts to their middle, up to 1.",
        )
        shell.prompts([cluster["medoid_prompt_id"]])
        key = f"evidence-{cluster['run_id']}-{cluster_id}"
        more = st.expander("More prompts, phrases and models", key=key, on_change="rerun")
        if more.open:
            with more:
                _evidence(cluster)
        if access.may_decide():
            _form(cluster, domains)


def _evidence(cluster: Mapping[str, Any]) -> None:
    st.caption("Phrases that set it apart")
    st.text(" · ".join(cluster["names"]))
    if cluster["parents"]:
        st.caption("Groups it is in")
        st.text(" / ".join(reversed(cluster["parents"])))
    st.caption("Typical prompts")
    shell.prompts(cluster["exemplar_prompt_ids"])
    st.caption("Border prompts: does the name still fit?")
    shell.prompts(cluster["border_prompt_ids"])
    cells = run_reads.cluster_cells(int(cluster["cluster_id"]))
    if not cells.is_empty():
        st.caption("What each model does here")
        shown.table(shown.models(cells), alt="Quality and cost of each model in this cluster")


def _form(cluster: Mapping[str, Any], domains: Mapping[str, str]) -> None:
    key = f"{cluster['run_id']}-{cluster['cluster_id']}"
    name = text.one_line(cluster["name"])
    others = [other for other in map(text.one_line, cluster["names"]) if other != name]
    if others:
        st.pills(
            "Other names on offer",
            others[:_MOST_SUGGESTED],
            format_func=text.as_markdown,
            key=f"s-{key}",
            on_change=_take_name,
            args=(key,),
            help="A click puts it into the field below, where it can be changed.",
        )
    with st.form(f"decide-{key}", border=False):
        fields = st.grid(3, min_column_width=200)
        fields.text_input("Name of the domain", name, key=f"n-{key}")
        fields.selectbox(
            "Or a domain that has it",
            [None, *domains],
            format_func=lambda domain: "" if domain is None else text.one_line(domains[domain]),
            key=f"i-{key}",
            help="“Merge into” gives the prompts to this domain, which keeps its id.",
        )
        fields.text_input("Reason (optional)", key=f"r-{key}")
        with st.container(horizontal=True):
            for verb, (label, help_) in _VERBS.items():
                st.form_submit_button(
                    label,
                    type="primary" if verb == "approve" else "secondary",
                    help=help_,
                    on_click=_decide,
                    args=(verb, dict(cluster), key),
                )


_VERBS: Mapping[str, tuple[str, str | None]] = {
    "approve": ("Approve", None),
    "merge": ("Merge into", None),
    "split": (
        "Split",
        "Approves it and clusters its own prompts: each part becomes a domain to rename.",
    ),
    "reject": ("Reject", "Remembered: such a cluster does not come back."),
    "snooze": ("Snooze", "Out of sight until this browser tab is opened anew."),
}


def _take_name(key: str) -> None:
    chosen = st.session_state[f"s-{key}"]
    if chosen is not None:
        st.session_state[f"n-{key}"] = chosen


def _decide(verb: str, cluster: Mapping[str, Any], key: str) -> None:
    """Do what a button of a card says; it runs before the page, so the card may be gone by then."""
    store, actor, cluster_id = reads.store(), access.actor(), int(cluster["cluster_id"])
    name, into = st.session_state[f"n-{key}"], st.session_state[f"i-{key}"]
    reason, called = st.session_state[f"r-{key}"] or None, text.one_line(cluster["name"])
    run_id = str(cluster["run_id"])

    def approve() -> str:
        [domain_id] = curation.approve_clusters(
            store, [cluster_id], actor=actor, name=name, reason=reason, run_id=run_id
        )
        return domain_id

    match verb:
        case "approve":
            carry_out(f"Approved: {name}; {worth(cluster)}", approve)
        case "split":
            carry_out(
                f"Splitting: {name}; {worth(cluster)}",
                lambda: start_job(
                    store.path.resolve(), ["domains", "split", approve(), "--by", actor]
                ),
            )
        case "merge" if into is None:
            refuse("Choose the domain to merge into.")
        case "merge":
            carry_out(
                f"Merged: {called}; its prompts follow that domain's row from the next table on",
                lambda: curation.merge_cluster(
                    store, cluster_id, into, actor=actor, reason=reason, run_id=run_id
                ),
            )
        case "reject":
            carry_out(
                f"Rejected: {called}; left aside: {worth(cluster)}",
                lambda: curation.reject_cluster(
                    store, cluster_id, actor=actor, reason=reason, run_id=run_id
                ),
            )
        case _:
            st.session_state[_SNOOZED] = (*st.session_state.get(_SNOOZED, ()), key)


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


def carry_out(done: str, decide: Callable[[], object]) -> bool:
    """Carry a decision out before the page runs, as a callback; the page tells what came of it."""
    if not access.may_decide():
        refuse(access.REFUSAL)
        return False
    try:
        decide()
    except PromptshedError as error:
        refuse(str(error))
        return False
    st.session_state[_DONE] = st.session_state[_LAST] = done
    return True


def refuse(why: str) -> None:
    """Let the page say why a button did nothing."""
    st.session_state[_REFUSED] = why


def tell_what_was_done() -> None:
    """Say once what the last button did, or why it did nothing."""
    refused, done = st.session_state.pop(_REFUSED, None), st.session_state.pop(_DONE, None)
    if refused:
        st.error(text.as_markdown(refused), icon=":material/error:")
    if done:
        st.toast(text.as_markdown(done), icon=":material/check:")


def last_decision() -> None:
    """Keep in sight what the last decision changed, with the way back beside it."""
    last = st.session_state.get(_LAST)
    with st.container(horizontal=True, vertical_alignment="center"):
        if last:
            st.markdown(f":material/check: {text.as_markdown(last)}.")
        offer_undo()
        offer_snoozed()
