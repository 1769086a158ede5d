"""The only cached reads: frames of the store, read again when its file changes."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import streamlit as st

from pipeline.flows.identity import read_matches, read_moves
from pipeline.flows.looking_back import cluster_values, look_back_on
from pipeline.flows.monitoring import Traffic, read_traffic
from pipeline.flows.progress import read_progress
from pipeline.flows.proposals import read_overlaps, read_proposals
from pipeline.hindsight import Hindsight
from pipeline.models_file import load_catalog, models_path
from pipeline.next_step import Progress
from pipeline.routing_value import VALUES
from pipeline.store import DEFAULT_PATH, Store
from pipeline.study import Study, read_study
from pipeline.taxonomy import domains_now
from profiles.catalog import prices_on
from profiles.profile import ALL, build_profile
from profiles.table import Table
from profiles.tables import (
    BUCKETS,
    CLUSTERS,
    DOMAIN_EVENTS,
    IMPORTS,
    MEMBERS,
    OUTCOMES,
    PROFILE_CELLS,
    PROFILES,
    PROMPTS,
    ROUTING_TABLES,
    RUNS,
    STORED,
    STUDIES,
    TABLE_ENTRIES,
)

_BUSY_WAIT_S = 3.0
_TABLES = {table.name: table for table in STORED}
_SMALL = (
    IMPORTS, RUNS, CLUSTERS, DOMAIN_EVENTS, PROFILES, PROFILE_CELLS, ROUTING_TABLES, BUCKETS,
    TABLE_ENTRIES,
)  # fmt: skip
"""Tables whose size does not grow with the prompts: they are read together."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The newest discovery."""

    run_id: str
    created_at: datetime
    n_prompts: int
    n_unclustered: int


@dataclass(frozen=True, kw_only=True)
class Published:
    """The routing table in use."""

    table_version: int
    published_at: datetime
    reference_model_id: str
    held_out: str
    """JSON of its cross-fitted scores, for `pipeline.expected.expect`."""


def store() -> Store:
    """Return the store that `promptshed app --store` names."""
    return Store(path=Path(os.environ.get("PROMPTSHED_STORE", DEFAULT_PATH)), wait_s=_BUSY_WAIT_S)


def read(table: Table, **equals: object) -> pl.DataFrame:
    """Return rows of a table, as `Store.read` does."""
    if table not in _SMALL:
        return _read(*key(), table.name, tuple(equals.items()))
    found = _small(*key())[table.name]
    conditions = [pl.col(name).eq_missing(pl.lit(value)) for name, value in equals.items()]
    return found.filter(conditions) if conditions else found


def progress() -> Progress:
    """Return how far the store has come."""
    return _progress(*key())


def run() -> Run | None:
    """Return the newest run; None if there is none."""
    newest = read(RUNS).sort("asked_at").tail(1).select(*Run.__dataclass_fields__)
    return next((Run(**row) for row in newest.iter_rows(named=True)), None)


def newest_sweep() -> str | None:
    """Return the JSON of the granularities that the newest run tried; None if it tried none."""
    tried = read(RUNS).sort("asked_at")["sweep"].tail(1).to_list()
    return next((trials for trials in tried if trials and trials != "[]"), None)


def current_table() -> Published | None:
    """Return the table published last; None if none is."""
    published = read(ROUTING_TABLES).filter(pl.col("published_at").is_not_null())
    newest = published.sort("published_at").tail(1).select(*Published.__dataclass_fields__)
    return next((Published(**row) for row in newest.iter_rows(named=True)), None)


def table_rows(version: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the buckets and the entries of a table version."""
    return read(BUCKETS, table_version=version), read(TABLE_ENTRIES, table_version=version)


def study(version: int) -> Study | None:
    """Return what the trade-off of a table was chosen on; None if it is not stored."""
    ids = read(ROUTING_TABLES, table_version=version)["study_id"].drop_nulls().to_list()
    return _study(*key(), ids[0]) if ids else None


def hindsight(version: int) -> Hindsight | None:
    """Return what a table lost against the best model of each prompt; None where unknown."""
    return _hindsight(*key(), version)


def can_look_back(version: int) -> bool:
    """Tell whether every model's quality is known on any prompt, so that regret is known."""
    known = study(version)
    return known is not None and bool(np.isfinite(known.outcomes.quality).all(axis=1).any())


def matches() -> pl.DataFrame:
    """Return what the newest run has made of each domain (`read_matches`)."""
    return _matches(*key())


def moves(most: int) -> pl.DataFrame:
    """Return run_id and moved of the newest runs, as `pipeline.flows.identity.read_moves`."""
    newest = read(RUNS).sort("asked_at")["run_id"].tail(most + 1)
    return _moves(*key(), tuple(newest))


def row_values() -> pl.DataFrame:
    """Return what a row of its own would gain for each cluster of the newest run.

    As `pipeline.routing_value.row_values`; empty where no table is published.
    """
    table, newest = current_table(), run()
    if table is None or newest is None:
        return pl.DataFrame(schema=VALUES)
    return _row_values(*key(), table.table_version, newest.run_id)


def traffic(version: int) -> Traffic:
    """Return where the store's prompts go by a table, when they were asked and what they cost."""
    return _traffic(*key(), version)


def model_calls() -> pl.DataFrame:
    """Return what is known of each model's calls, one row each, sorted by model_id.

    Columns n_calls, cost_usd, n_tokens_in and n_tokens_out (means of the known ones), and
    price_in and price_out (list prices of today, US dollars for a million tokens).
    """
    return _model_calls(*key(), datetime.now(UTC).date())


def choices() -> pl.DataFrame:
    """Return domain_id, model_id, quality and cost_usd of the published first choices."""
    table = current_table()
    buckets, entries = table_rows(table.table_version if table else 0)
    return (
        entries.filter(rank=1)
        .join(buckets.select("bucket", "domain_id"), on="bucket")
        .select("domain_id", "model_id", "quality", "cost_usd")
    )


def profile_cells() -> pl.DataFrame:
    """Return the cells of the newest profile; empty if there is none."""
    newest = read(PROFILES).sort("created_at")["profile_id"].to_list()
    return read(PROFILE_CELLS, profile_id=newest[-1]) if newest else PROFILE_CELLS.empty()


def domains() -> pl.DataFrame:
    """Return the domains as decided so far, with `n_prompts`, largest first."""
    return _domains(*key())


def waiting() -> pl.DataFrame:
    """Return the clusters of the newest run that wait for a decision, largest first."""
    return _waiting(*key())


def texts(prompt_ids: tuple[str, ...]) -> pl.DataFrame:
    """Return prompt_id, text and label of some prompts, in the order they were asked for."""
    order = pl.DataFrame({"prompt_id": prompt_ids}, schema={"prompt_id": pl.String})
    return order.join(_texts(*key(), prompt_ids), on="prompt_id", maintain_order="left")


def cluster_cells(cluster_id: int) -> pl.DataFrame:
    """Return what each model did on the prompts of a cluster, as PROFILE_CELLS of `all`."""
    return _cluster_cells(*key(), cluster_id)


def model_ids() -> tuple[str, ...]:
    """Return every model of the store, sorted."""
    known = read(PROFILE_CELLS)["model_id"], read(TABLE_ENTRIES)["model_id"]
    return tuple(pl.concat(known).unique().sort())


def key() -> tuple[str, int]:
    """Return the store's path and the time of its last change: the key of every cached read."""
    here = store()
    return str(here.path), here.modified_ns()


# Every cached function takes the path and the time of the last change: they are its key.


@st.cache_resource(max_entries=2, show_spinner=False)  # frames that nobody changes in place
def _small(path: str, modified_ns: int) -> dict[str, pl.DataFrame]:
    here = at(path, modified_ns)
    with here.reading():
        return {table.name: here.read(table) for table in _SMALL}


@st.cache_data(max_entries=64, show_spinner=False)
def _read(
    path: str, modified_ns: int, name: str, equals: tuple[tuple[str, object], ...]
) -> pl.DataFrame:
    return at(path, modified_ns).read(_TABLES[name], **dict(equals))


@st.cache_resource(max_entries=4, show_spinner=False)  # arrays that nobody writes to
def _study(path: str, modified_ns: int, study_id: str) -> Study | None:
    packed = at(path, modified_ns).read(STUDIES, study_id=study_id)["packed"]
    return None if packed.is_empty() else read_study(packed[0])


@st.cache_resource(max_entries=4, show_spinner=False)
def _hindsight(path: str, modified_ns: int, version: int) -> Hindsight | None:
    return look_back_on(at(path, modified_ns), version)


@st.cache_data(max_entries=4, show_spinner=False)
def _matches(path: str, modified_ns: int) -> pl.DataFrame:
    return read_matches(at(path, modified_ns), alike=_alike(path, modified_ns))


@st.cache_data(max_entries=4, show_spinner=False)
def _moves(path: str, modified_ns: int, run_ids: tuple[str, ...]) -> pl.DataFrame:
    return read_moves(at(path, modified_ns), run_ids)


@st.cache_data(max_entries=4, show_spinner=False)
def _row_values(path: str, modified_ns: int, version: int, run_id: str) -> pl.DataFrame:
    return cluster_values(at(path, modified_ns), version, run_id)


@st.cache_resource(max_entries=4, show_spinner=False)
def _traffic(path: str, modified_ns: int, version: int) -> Traffic:
    return read_traffic(at(path, modified_ns), version)


@st.cache_data(max_entries=4, show_spinner=False)
def _model_calls(path: str, modified_ns: int, day: date) -> pl.DataFrame:
    here = at(path, modified_ns)
    calls = here.query(
        "SELECT model_id, count(*) AS n_calls, avg(cost_usd) AS cost_usd, "
        "avg(n_tokens_in) AS n_tokens_in, avg(n_tokens_out) AS n_tokens_out "
        "FROM outcomes GROUP BY model_id ORDER BY model_id"
    )
    prices = prices_on(load_catalog(models_path(here.path)).prices, day)
    return calls.join(
        prices.select(
            "model_id",
            price_in="price_in_usd_per_mtok",
            price_out="price_out_usd_per_mtok",
        ),
        on="model_id",
        how="left",
        maintain_order="left",
    )


@st.cache_data(max_entries=4, show_spinner=False)
def _progress(path: str, modified_ns: int) -> Progress:
    return read_progress(at(path, modified_ns), _offered(path, modified_ns))


@st.cache_data(max_entries=4, show_spinner=False)
def _domains(path: str, modified_ns: int) -> pl.DataFrame:
    if not at(path, modified_ns).exists():
        sizes = pl.DataFrame(schema={"member_set_id": pl.String, "n_prompts": pl.Int64})
    else:
        sizes = at(path, modified_ns).query(
            "SELECT member_set_id, count(*) AS n_prompts FROM member_sets GROUP BY member_set_id"
        )
    folded = domains_now(read(DOMAIN_EVENTS)).join(sizes, on="member_set_id", how="left")
    return folded.sort(["n_prompts", "domain_id"], descending=[True, False])


@st.cache_resource(max_entries=4, show_spinner=False)
def _offered(path: str, modified_ns: int) -> pl.DataFrame:
    if read(RUNS).is_empty():
        return CLUSTERS.empty().with_columns(status=pl.lit(""), domain_id=pl.lit(None, pl.String))
    return read_proposals(at(path, modified_ns), alike=_alike(path, modified_ns))


@st.cache_resource(max_entries=2, show_spinner=False)
def _alike(path: str, modified_ns: int) -> pl.DataFrame | None:
    newest = run()
    return None if newest is None else read_overlaps(at(path, modified_ns), newest.run_id)


def _waiting(path: str, modified_ns: int) -> pl.DataFrame:
    return _offered(path, modified_ns).filter(status="waiting").sort("cluster_id")


@st.cache_data(max_entries=32, show_spinner=False)
def _texts(path: str, modified_ns: int, prompt_ids: tuple[str, ...]) -> pl.DataFrame:
    return at(path, modified_ns).read_among(PROMPTS, "prompt_id", prompt_ids)


@st.cache_data(max_entries=32, show_spinner=False)
def _cluster_cells(path: str, modified_ns: int, cluster_id: int) -> pl.DataFrame:
    here, newest = at(path, modified_ns), run()
    run_id = newest.run_id if newest else ""
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


def at(path: str, _modified_ns: int) -> Store:
    """Return the store that a key names."""
    return Store(path=Path(path), wait_s=_BUSY_WAIT_S)
