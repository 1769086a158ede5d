"""One domain, or one waiting cluster, with all that is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import curated, reads, run_reads, shell, shown
from pages.ui import format as text
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS

_N_EXAMPLES = 6
_KEY = "domain"
_CHOSEN, _SHOWN, _ROUND = "_domain_chosen", "_domain_shown", "_domain_list_round"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the page shows of a domain or a cluster."""

    name: str
    status: str
    """approved, retired or waiting."""
    facts: str
    phrases: tuple[str, ...]
    typical: tuple[str, ...]
    """Prompt ids near the middle; the first members where no cluster is behind the domain."""
    border: tuple[str, ...]
    """Prompt ids at the edge."""
    cells: pl.DataFrame
    """PROFILE_CELLS rows, one for each model."""
    events: pl.DataFrame


def choose(catalogue: pl.DataFrame) -> str:
    """Let one of `curated.catalogue` be chosen, by a click on its row or by name.

    The address keeps the choice, so that it can be shared; it wins when it changes.
    """
    names = dict(catalogue.select("Key", "Name").iter_rows())
    wanted = st.query_params.get(_KEY)
    if wanted in names and wanted != st.session_state.get(_SHOWN):
        st.session_state[_CHOSEN] = wanted
    elif st.session_state.get(_CHOSEN) not in names:
        st.session_state[_CHOSEN] = next(iter(names))
    if wanted is not None and wanted not in names:
        st.warning("The address names a domain that is not in this store; here is another one.")
    _list(catalogue)
    chosen = str(st.session_state[_CHOSEN])
    # The browser knows options by their names: with other names it has to be another field.
    key = f"look-at-{chosen}-{hash(tuple(names.items()))}"
    st.selectbox(
        "Look at",
        list(names),
        index=list(names).index(chosen),
        format_func=lambda option: text.one_line(names[option]),
        key=key,
        on_change=_take_choice,
        args=(key,),
        help="An approved domain, or a cluster that waits for a decision. A click on a row above "
        "chooses too.",
    )
    st.session_state[_SHOWN] = st.query_params[_KEY] = chosen
    return chosen


def _list(catalogue: pl.DataFrame) -> None:
    key = f"catalogue-{st.session_state.get(_ROUND, 0)}"
    shown.table(
        shown.short(catalogue.drop("Key"), "Goes to"),
        alt="Approved domains and waiting clusters",
        key=key,
        on_select=lambda: _take_click(key, catalogue["Key"].to_list()),
        most_rows=12,
    )


def _take_click(key: str, keys: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.session_state[_CHOSEN] = keys[rows[0]]


def _take_choice(key: str) -> None:
    """Look at what was chosen by name, and clear the clicked row: only another key does that."""
    st.session_state[_CHOSEN] = st.session_state[key]
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def open_clicked(event: Mapping[str, Any], elements: Sequence[str]) -> None:
    """Go to the domain whose row was clicked on a chart; rows without one do nothing."""
    clicked = event["selection"]["points"][:1]
    known = set(reads.domains()["domain_id"])
    for point in clicked:
        element = elements[int(point["y"])]
        if element in known:
            st.switch_page("pages/domains.py", query_params={_KEY: element})


def load(subject_id: str) -> Subject:
    """Read what is known of a domain, or of a cluster of the run looked at."""
    if subject_id.startswith(curated.CLUSTER):
        return _cluster(int(subject_id.removeprefix(curated.CLUSTER)))
    return _domain(subject_id)


def _domain(domain_id: str) -> Subject:
    row = reads.domains().filter(domain_id=domain_id).row(0, named=True)
    source = reads.read(CLUSTERS, run_id=row["run_id"], cluster_id=row["cluster_id"])
    found: dict[str, Any] = source.row(0, named=True) if source.height == 1 else {}
    members = reads.read(MEMBER_SETS, member_set_id=row["member_set_id"])["prompt_id"]
    return Subject(
        name=row["name"],
        status=row["status"],
        facts=f"{row['status']} by {row['approved_by']} · {text.count(row['n_prompts'])} prompts · "
        f"changed {text.when(row['updated_at'])} · {domain_id}",
        phrases=tuple(found.get("names", ())),
        typical=tuple(found.get("exemplar_prompt_ids", members.head(_N_EXAMPLES))),
        border=tuple(found.get("border_prompt_ids", ())),
        cells=reads.profile_cells().filter(element=domain_id),
        events=reads.read(DOMAIN_EVENTS, domain_id=domain_id),
    )


def _cluster(cluster_id: int) -> Subject:
    row = run_reads.waiting().filter(cluster_id=cluster_id).row(0, named=True)
    return Subject(
        name=row["name"],
        status=curated.WAITING,
        facts=f"waits for a decision · {text.count(row['n_prompts'])} prompts · cohesion "
        f"{row['cohesion']:.2f} · cluster {cluster_id} of {shell.this_run()}",
        phrases=tuple(row["names"]),
        typical=tuple(row["exemplar_prompt_ids"]),
        border=tuple(row["border_prompt_ids"]),
        cells=run_reads.cluster_cells(cluster_id),
        events=DOMAIN_EVENTS.empty(),
    )
