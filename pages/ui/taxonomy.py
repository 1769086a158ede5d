"""All domains at once: what changed between two decisions, and as a file out and in."""

from datetime import UTC, datetime

import streamlit as st

from pages.ui import access, curated, reads, review, shown
from pages.ui import format as text
from pipeline.flows import curation
from pipeline.taxonomy_file import changes, taxonomy_text
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS


def compare() -> None:
    """Show what is different between the domains after one decision and after a later one."""
    events = reads.read(DOMAIN_EVENTS).sort("event_id")
    if events.is_empty():
        st.info("Nothing was decided yet.")
        return
    said = {0: "before the first decision"} | {
        number: f"{number} · {text.when(at)} · {verb} by {actor}"
        for number, at, verb, actor in events.select(
            "event_id", "occurred_at", "verb", "actor"
        ).iter_rows()
    }
    numbers = list(said)
    left, right = st.columns(2)
    since = left.selectbox(
        "From the state after", numbers, format_func=said.__getitem__, key="since-event"
    )
    until = right.selectbox(
        "To the state after",
        numbers[::-1],
        format_func=said.__getitem__,
        key="until-event",
    )
    found = changes(events, reads.read(MEMBER_SETS), int(since), int(until))
    if found.is_empty():
        st.write("The domains are the same in both.")
        return
    st.write(f"{text.counted(found.height, 'domain')} differ.")
    shown.table(curated.taxonomy_changes(found), alt="Domains that differ")
    st.subheader("All decisions", help="Newest first. None is ever deleted; an undo is one too.")
    shown.table(curated.events(events), alt="All decisions")


def exchange() -> None:
    """Offer the domains as a YAML file, and take one in."""
    st.write(
        "The file names each domain, its status and the ids of its prompts, and holds no prompt "
        "text. Keep it under version control, or bring it to another store of the same prompts."
    )
    store = reads.store()  # a download is made without a session, which alone knows what is picked
    st.download_button(
        "Download the domains as YAML",
        data=lambda: taxonomy_text(store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS)),
        file_name=f"domains-{datetime.now(UTC):%Y-%m-%d}.yaml",
        mime="application/yaml",
        on_click="ignore",
        icon=":material/download:",
    )
    if not access.may_decide():
        access.explain()
        return
    access.choose_actor()
    with st.form("import-domains", border=False):
        upload = st.file_uploader(
            "A file of domains",
            type=("yaml", "yml"),
            help="Domains it names become as it says; others stay. One undo takes all of it back.",
        )
        pressed = st.form_submit_button("Import the domains", type="primary")
    if pressed and upload is None:
        st.error("Choose a file first.")
    elif pressed and upload is not None:
        _bring_in(upload.name, upload.getvalue())


def _bring_in(name: str, content: bytes) -> None:
    store, actor = reads.store(), access.actor()
    try:
        decoded = content.decode("utf-8")
    except UnicodeDecodeError as error:
        st.error(text.as_markdown(f"{name}: expected text in UTF-8, found: {error}."))
        return
    review.act(
        f"Imported: {name}",
        lambda: curation.import_taxonomy(
            store, decoded, actor=actor, reason=f"imported from {name}"
        ),
    )
