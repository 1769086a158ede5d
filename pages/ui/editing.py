"""Decisions about approved domains: one at a time, or the names of many."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import access, curated, reads, review, shown
from pages.ui import format as text
from pipeline.flows import curation
from pipeline.jobs import start_job
from pipeline.taxonomy import APPROVED, RETIRED

_SEEN = ("domain_id", "name", "status", "member_set_id")


def one(domain_id: str) -> None:
    """Offer another name for a domain, to merge or split it, to retire it or bring it back."""
    if domain_id.startswith(curated.CLUSTER):
        st.page_link("pages/inbox.py", label="Decide in the inbox", icon=":material/inbox:")
        return
    if not access.may_decide():
        return
    seen = reads.domains().filter(domain_id=domain_id).select(_SEEN).row(0, named=True)
    key = f"edit-open-{domain_id}"  # so that a message above does not close it
    with st.expander("Rename, merge, split or retire", key=key, on_change="rerun"):
        access.choose_actor()
        with st.form(f"edit-{domain_id}", border=False):
            sides = st.grid(2, min_column_width=280)
            sides.text_input("Name", key=_name_field(domain_id, str(seen["name"])))
            others = _others(domain_id)
            sides.selectbox(
                "Another domain",
                [None, *others],
                format_func=lambda key: "" if key is None else text.one_line(others[key]),
                key=f"into-{domain_id}",
                help="“Merge into” gives all prompts to that domain, and this one retires.",
            )
            buttons = {
                "rename": ("Rename", None),
                "merge": ("Merge into", None),
                "split": ("Split", "By clustering its own prompts; it keeps the largest part."),
                "toggle": ("Restore" if seen["status"] == RETIRED else "Retire", None),
            }
            with st.container(horizontal=True):
                for verb, (label, help_) in buttons.items():
                    st.form_submit_button(
                        label,
                        type="primary" if verb == "rename" else "secondary",
                        help=help_,
                        on_click=_change,
                        args=(verb, seen),
                    )


def _name_field(domain_id: str, name: str) -> str:
    """Return the key of the field for the name; it starts anew when the domain has another name."""
    field, shown_name = f"name-{domain_id}", f"named-{domain_id}"
    if st.session_state.get(shown_name) != name or field not in st.session_state:
        st.session_state[field] = text.one_line(name)
        st.session_state[shown_name] = name
    return field


def _change(verb: str, seen: Mapping[str, Any]) -> None:
    """Do what a button of the form says, unless someone else was quicker."""
    store, actor, domain_id = reads.store(), access.actor(), str(seen["domain_id"])
    wanted, name = str(st.session_state[f"name-{domain_id}"]), str(seen["name"])
    into = st.session_state[f"into-{domain_id}"]
    if verb == "merge" and into is None:
        review.refuse("Choose the domain to merge into.")
        return
    words = ["domains", "split", domain_id, "--by", actor]
    done, decide = {
        "rename": (
            f"Renamed: {wanted}",
            lambda: curation.rename_domain(store, domain_id, wanted, actor=actor),
        ),
        "merge": (
            f"Merged: {name}",
            lambda: curation.merge(store, [str(into), domain_id], actor=actor),
        ),
        "split": (f"Splitting: {name}", lambda: start_job(store.path.resolve(), words)),
        "restore": (
            f"Restored: {name}",
            lambda: curation.restore_domain(store, domain_id, actor=actor),
        ),
        "retire": (
            f"Retired: {name}",
            lambda: curation.retire_domain(store, domain_id, actor=actor, reason=None),
        ),
    }[verb if verb != "toggle" else "restore" if seen["status"] == RETIRED else "retire"]

    def unless_changed() -> None:
        curation.require_as_seen(store, [seen])
        decide()

    if not review.carry_out(done, unless_changed):
        _keep_typed(domain_id)


def _keep_typed(domain_id: str) -> None:
    """Leave in the field what was typed, whatever the domain is called by now."""
    now = reads.domains().filter(domain_id=domain_id)["name"]
    st.session_state[f"named-{domain_id}"] = now[0]


def _others(domain_id: str) -> dict[str, str]:
    rows = reads.domains().filter(
        (pl.col("status") == APPROVED) & (pl.col("domain_id") != domain_id)
    )
    return dict(rows.select("domain_id", "name").iter_rows())


def many() -> None:
    """Let the names of all approved domains be changed in one table and saved as one decision."""
    rows = reads.domains().filter(status=APPROVED).select(*_SEEN, "n_prompts")
    if not access.may_decide():
        access.explain()
        return
    if rows.is_empty():
        st.info("No domain is approved yet.")
        return
    access.choose_actor()
    key = f"names-{hash(tuple(rows.select('domain_id', 'name').rows()))}"  # anew for other names
    with st.form("rename-many", border=False):
        st.data_editor(
            rows.select(
                Name=pl.col("name"),
                Prompts=pl.col("n_prompts").cast(pl.Int64),
                Id=pl.col("domain_id"),
            ),
            hide_index=True,
            disabled=["Prompts", "Id"],
            key=key,
            height="content" if rows.height <= shown.MOST_WITHOUT_SCROLLING else "auto",
            alt="Names of the approved domains",
            column_config={
                "Name": st.column_config.TextColumn(required=True, width="large"),
                "Prompts": st.column_config.NumberColumn(format="%,d"),
                "Id": st.column_config.TextColumn(help="Stays, whatever the name."),
            },
        )
        st.form_submit_button(
            "Save names", type="primary", on_click=_rename, args=(key, rows.drop("n_prompts"))
        )


def _rename(key: str, rows: pl.DataFrame) -> None:
    """Save the names that were changed in the table, unless someone else was quicker."""
    store, actor = reads.store(), access.actor()
    edited: Mapping[int, Mapping[str, str]] = st.session_state[key]["edited_rows"]
    seen = [rows.row(number, named=True) for number in edited]
    names = {
        row["domain_id"]: edited[number]["Name"] for number, row in zip(edited, seen, strict=True)
    }
    if not names:
        review.refuse("No name was changed. Double-click a name to change it.")
        return

    def unless_changed() -> None:
        curation.require_as_seen(store, seen)
        curation.rename_domains(store, names, actor=actor)

    review.carry_out(f"Renamed: {text.counted(len(names), 'domain')}", unless_changed)
