"""What the pages read of one discovery: the newest, or the one picked in the sidebar."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl
import streamlit as st

from pages.ui import picking, reads
from pages.ui.reads import Published
from pipeline.flows.identity import read_matches, read_moves
from pipeline.flows.looking_back import cluster_values
from pipeline.flows.progress import read_progress
from pipeline.flows.proposals import read_overlaps, read_proposals
from pipeline.next_step import Progress
from pipeline.routing_value import VALUES
from profiles.profile import ALL, build_profile
from profiles.tables import CLUSTERS, MEMBERS, OUTCOMES, PROFILE_CELLS, ROUTING_TABLES, RUNS

RUN = "run"
"""The name under which a run is picked, in the address too."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One discovery."""

    run_id: str
    created_at: datetime
    encoder_id: str
    n_prompts: int
    n_clusters: int
    n_unclustered: int


def runs() -> list[Run]:
    """Return every discovery, the one asked for last first."""
    rows = reads.read(RUNS).sort("asked_at").select(*Run.__dataclass_fields__)
    return [Run(**row) for row in rows.reverse().iter_rows(named=True)]


def run() -> Run | None:
    """Return the run that is looked at: the one picked, else the newest; None if there is none."""
    known, wanted = runs(), picking.picked(RUN)
    return next((one for one in known if one.run_id == wanted), next(iter(known), None))


def newest() -> Run | None:
    """Return the run asked for last; None if there is none."""
    return next(iter(runs()), None)


def progress() -> Progress:
    """Return how far the store has come; what waits is counted in the newest run."""
    last = newest()
    return _progress(*reads.key(), last.run_id if last else None)


def sweep() -> str | None:
    """Return the JSON of the granularities that the run tried; None if it tried none."""
    tried = reads.read(RUNS, run_id=_run_id())["sweep"].to_list()
    return next((trials for trials in tried if trials and trials != "[]"), None)


def matches() -> pl.DataFrame:
    """Return what the run has made of each domain (`read_matches`)."""
    return _matches(*reads.key(), _run_id())


def moves(most: int) -> pl.DataFrame:
    """Return run_id and moved of the newest runs, as `pipeline.flows.identity.read_moves`."""
    last = [one.run_id for one in runs()][: most + 1]
    return _moves(*reads.key(), tuple(last[::-1]))


def row_values() -> pl.DataFrame:
    """Return what a row of its own would gain for each cluster of the run.

    As `pipeline.routing_value.row_values`; empty where no table is published.
    """
    table, looked_at = reads.current_table(), run()
    if table is None or looked_at is None:
        return pl.DataFrame(schema=VALUES)
    rows = reads.read(ROUTING_TABLES, table_version=table.table_version)
    return _row_values(
        str(reads.store().path), str(rows["study_id"].item()), table, looked_at.run_id
    )


def waiting() -> pl.DataFrame:
    """Return the clusters of the run that wait for a decision, largest first."""
    return _offered(*reads.key(), _run_id()).filter(status="waiting").sort("cluster_id")


def cluster_cells(cluster_id: int) -> pl.DataFrame:
    """Return what each model did on the prompts of a cluster, as PROFILE_CELLS of `all`."""
    return _cluster_cells(*reads.data_key(), _run_id(), cluster_id)


def _run_id() -> str:
    looked_at = run()
    return looked_at.run_id if looked_at else ""


@st.cache_data(max_entries=4, show_spinner=False)
def _progress(path: str, modified_ns: int, run_id: str | None) -> Progress:
    offered = None if run_id is None else _offered(path, modified_ns, run_id)
    return read_progress(reads.at(path, modified_ns), offered)


@st.cache_data(max_entries=4, show_spinner=False)
def _matches(path: str, modified_ns: int, run_id: str) -> pl.DataFrame:
    alike = _alike(path, modified_ns, run_id) if run_id else None
    return read_matches(reads.at(path, modified_ns), run_id, alike=alike)


@st.cache_data(max_entries=4, show_spinner=False)
def _moves(path: str, modified_ns: int, run_ids: tuple[str, ...]) -> pl.DataFrame:
    return read_moves(reads.at(path, modified_ns), run_ids)


@st.cache_data(max_entries=4, show_spinner=False)
def _row_values(path: str, study_id: str, table: Published, run_id: str) -> pl.DataFrame:
    return cluster_values(reads.at(path, study_id), table.table_version, run_id)


@st.cache_resource(max_entries=4, show_spinner=False)  # frames that nobody changes in place
def _offered(path: str, modified_ns: int, run_id: str) -> pl.DataFrame:
    if not run_id:
        return CLUSTERS.empty().with_columns(status=pl.lit(""), domain_id=pl.lit(None, pl.String))
    alike = _alike(path, modified_ns, run_id)
    return read_proposals(reads.at(path, modified_ns), run_id, alike=alike)


@st.cache_resource(max_entries=4, show_spinner=False)
def _alike(path: str, modified_ns: int, run_id: str) -> pl.DataFrame:
    return read_overlaps(reads.at(path, modified_ns), run_id)


@st.cache_data(max_entries=32, show_spinner=False)
def _cluster_cells(path: str, state: reads.DataState, run_id: str, cluster_id: int) -> pl.DataFrame:
    here = reads.at(path, state)
    members = here.read(MEMBERS, run_id=run_id, cluster_id=cluster_id)
    outcomes = here.read_among(OUTCOMES, "prompt_id", members["prompt_id"].to_list())
    if outcomes.is_empty():
        return PROFILE_CELLS.empty()
    elements = members.select("prompt_id", element=pl.lit("cluster"))
    return (
        build_profile(outcomes, elements)
        .filter(element=ALL)
        .with_columns(profile_id=pl.lit("cluster"))
    )
