"""What frames every page: the sidebar, the empty states, and a store that cannot be read."""

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.ui import access, picking, reads, run_reads
from pages.ui import format as text
from pipeline.jobs import RUNNING, Job, read_jobs
from pipeline.next_step import Step, next_step
from profiles.errors import StoreError

_DROP = (
    "<path d='M16 2C11 9 6 14 6 20a10 10 0 0 0 9 9.9V21l-4-4 1.6-1.6L16 18.8l3.4-3.4L21 17l-4 4"
    "v8.9A10 10 0 0 0 26 20C26 14 21 9 16 2z' fill='#2F86C9'/>"
)
ICON = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>{_DROP}</svg>"
"""A drop that a watershed divides; inline, because a named icon is fetched from the network."""
_PLACES = {
    "import": ("pages/runs.py", "Data & runs"),
    "discover": ("pages/runs.py", "Data & runs"),
    "profile": ("pages/runs.py", "Data & runs"),
    "domains": ("pages/inbox.py", "The review inbox"),
    "table": ("pages/policy.py", "Policy"),
    "route": ("pages/batch.py", "Route a file"),
    "batch": ("pages/batch.py", "Batch files"),
}
"""The page on which a verb is done, and what a link to it says."""
_POLL_EVERY = "2s"
_RUN_HELP = (
    "A discovery: prompts grouped into clusters. The map, the review inbox and Data & runs show "
    "this one. Times are UTC."
)
LOGO = (
    f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 168 32'>{_DROP}<text x='36' y='23' "
    "font-family='Segoe UI, Roboto, Helvetica, Arial, sans-serif' font-size='21' font-weight='600' "
    "fill='#2F86C9'>Promptshed</text></svg>"
)


def style() -> None:
    """Give pages the room they have, and main buttons readable letters on the dark theme."""
    st.html(
        "<style>button[kind^='primary']:enabled p {color: light-dark(#FFFFFF, #080D14)}"
        "[data-testid='stMainBlockContainer'] {padding-inline: clamp(1rem, 3vw, 3rem)}</style>"
    )


def links(sections: Mapping[str, Sequence[StreamlitPage]]) -> None:
    """List the pages in the sidebar; Streamlit's own list is no list to a screen reader."""
    for section, pages in sections.items():
        with st.sidebar.container(gap="xxsmall"):
            st.caption(section)
            for page in pages:
                st.page_link(page, width="stretch")
    st.sidebar.divider()


def sidebar() -> None:
    """Say which store, run and table every number on the page comes from, and let others be picked.

    The store is picked before anything is read of it, so that one that cannot be read can be left.
    """
    name = access.who()
    if name is not None:
        with st.sidebar.container(horizontal=True, vertical_alignment="center"):
            st.text(name)
            st.button("Sign out", on_click=st.logout)
    if not access.may_decide():
        st.sidebar.badge("Read-only", icon=":material/lock:", color="gray")
    with st.sidebar.container(gap="xsmall"):
        _pick_store()
        _pick_run()
        table = reads.current_table()
        _fact(
            "Published table",
            f"version {table.table_version} · {text.when(table.published_at)}"
            if table
            else text.DASH,
            "The routing table that `promptshed route` uses. Times are UTC.",
        )
    is_running = bool(_running_jobs())
    with st.sidebar:
        st.fragment(_chip, run_every=_POLL_EVERY if is_running else None)()


def this_run() -> str:
    """Return what to call the run that is looked at."""
    run, newest = run_reads.run(), run_reads.newest()
    return "the newest run" if run is None or run == newest else f"the run of {_when(run)}"


def _pick_store() -> None:
    names, started = {name: name for name in reads.stores()}, reads.started_with().name
    if picking.follow_address(reads.STORE, names, default=started):
        _forget()
    if len(names) == 1:
        _fact("Store", started, "The file that every page reads.")
        return
    picking.pick(
        "Store",
        reads.STORE,
        names,
        default=started,
        help_=f"Files of the same folder. Every page reads the one picked, and jobs run on it; "
        f"`/api/routing-table` keeps to {text.as_markdown(started)}, with which the app was "
        "started.",
        then=_leave_store,
    )


def _leave_store() -> None:
    _forget()
    if "domain" in st.query_params:
        del st.query_params["domain"]


def _forget() -> None:
    """Forget what this browser tab chose, typed or did in another store."""
    for key in list(st.session_state):
        if key not in {access.ACTOR, picking.state(reads.STORE)}:
            del st.session_state[key]


def _pick_run() -> None:
    runs = run_reads.runs()
    if len(runs) < 2:
        said = [f"{_when(run)} · {text.count(run.n_prompts)} prompts" for run in runs]
        _fact("Newest run", next(iter(said), text.DASH), _RUN_HELP)
        return
    named = {
        run.run_id: f"{_when(run)} · {text.counted(run.n_clusters, 'cluster')}"
        f"{' · newest' if run == runs[0] else ''}"
        for run in runs
    }
    picking.follow_address(run_reads.RUN, named, default=runs[0].run_id)
    picking.pick("Run", run_reads.RUN, named, default=runs[0].run_id, help_=_RUN_HELP)


def _when(run: run_reads.Run) -> str:
    return text.when(run.created_at)


def _running_jobs() -> list[Job]:
    return [job for job in read_jobs(reads.store().path.resolve()) if job.state == RUNNING]


def _chip() -> None:
    """Say on every page which jobs run, with the way to them."""
    for job in _running_jobs():
        done = f" · {text.share(job.n_done / job.n_total)}" if job.n_total else ""
        st.page_link(
            _PLACES.get(job.verb, _PLACES["import"])[0],
            label=f"{text.as_markdown(job.verb)} is running{done}",
            icon=":material/progress_activity:",
        )


def store_problem(error: StoreError) -> None:
    """Show what is wrong with the store and what to do, in place of the page."""
    st.title("The store cannot be read")
    st.code(str(error), language=None, wrap_lines=True)
    st.write("`promptshed doctor` checks the store and says more. This page tries again:")
    st.button("Try again", icon=":material/refresh:")


def require(is_there: object, step: Step | None = None, *, promise: str = "") -> None:
    """Stop with the next step unless there is something to show.

    Parameters
    ----------
    promise
        What the page will show then, as Markdown.
    """
    if is_there:
        return
    if promise:
        st.markdown(promise)
    show_step(step or next_step(run_reads.progress()))
    st.stop()


def card(
    label: str,
    value: str,
    *,
    note: str,
    help_: str,
    link: tuple[str, str],
    delta: str | None = None,
    less_is_better: bool = False,
) -> None:
    """Show one number with what it is compared with, and the page that explains it."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.metric(
            label,
            value,
            delta=delta,
            delta_color="inverse" if less_is_better else "normal",
            delta_description=note if delta else None,
            help=help_,
        )
        if not delta:
            st.caption(note)
        page, title = link
        st.page_link(page, label=title, icon=":material/arrow_forward:", icon_position="right")


def number(label: str, value: str, note: str, *, help_: str | None = None) -> None:
    """Show one number with what it is compared with below it."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.metric(label, value, help=help_)
        st.caption(note)


def show_step(step: Step, *, is_here: bool = False) -> None:
    """Show one thing to do, where it is done if that is another page, and the commands for it."""
    verbs = [command.split()[1] for command in step.commands]
    place = next((_PLACES[verb] for verb in verbs if verb in _PLACES), None)
    with st.container(border=True, gap="small"):
        st.markdown(f":material/flag: **{step.text}**")
        if place is not None and not is_here:
            page, label = place
            st.page_link(page, label=label, icon=":material/arrow_forward:", icon_position="right")
        st.caption("Or at a terminal:")
        st.code("\n".join(step.commands), language=None)


def choose_version(label: str, tables: pl.DataFrame, *, first: int, key: str) -> int:
    """Let one of the ROUTING_TABLES rows be chosen; `first` is preselected."""
    current, versions = reads.current_table(), tables["table_version"].to_list()
    published = set(tables.filter(pl.col("published_at").is_not_null())["table_version"])

    def name(version: int) -> str:
        if current and version == current.table_version:
            return f"{version} (current)"
        return f"{version} ({'published earlier' if version in published else 'draft'})"

    chosen = st.selectbox(
        label,
        versions,
        index=versions.index(first),
        format_func=name,
        key=key,
        help="Tables never change once built. `promptshed route` uses the one published last.",
    )
    return first if chosen is None else chosen


def prompts(prompt_ids: Sequence[str]) -> None:
    """Show prompts as plain text, one in each box."""
    for prompt in reads.texts(tuple(prompt_ids))["text"]:
        with st.container(border=True):
            st.text(text.excerpt(prompt))


def _fact(label: str, value: str, help_: str) -> None:
    with st.container(gap=None):
        st.caption(label, help=help_)
        st.text(value)
