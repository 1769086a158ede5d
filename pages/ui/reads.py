"""The only cached reads: frames of the store, read again when its file changes."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import streamlit as st

from pages.ui import picking
from pipeline.flows.looking_back import look_back_on
from pipeline.flows.monitoring import Traffic, read_traffic
from pipeline.flows.present import Present, read_present
from pipeline.hindsight import Hindsight
from pipeline.models_file import load_catalog, models_path
from pipeline.store import DEFAULT_PATH, Store
from pipeline.study import Study, read_study
from pipeline.taxonomy import domains_now
from profiles.catalog import prices_on
from profiles.table import Table
from profiles.tables import (
    BUCKETS,
    CLUSTERS,
    DOMAIN_EVENTS,
    IMPORTS,
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

STORE = "store"
"""The name under which a store is picked, in the address too."""
_BUSY_WAIT_S = 3.0
_TABLES = {table.name: table for table in STORED}
_SMALL = (
    IMPORTS, RUNS, CLUSTERS, DOMAIN_EVENTS, PROFILES, PROFILE_CELLS, ROUTING_TABLES, BUCKETS,
    TABLE_ENTRIES,
)  # fmt: skip
"""Tables whose size does not grow with the prompts: they are read together."""
DataState = tuple[str | int, ...]
"""The imports of a store, then how many outcomes it has: a batch brings its own bit by bit."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """The routing table in use."""

    table_version: int
    published_at: datetime
    reference_model_id: str
    held_out: str
    """JSON of its cross-fitted scores, for `pipeline.expected.expect`."""


def started_with() -> Path:
    """Return the store that `promptshed app --store` names."""
    return Path(os.environ.get("PROMPTSHED_STORE", DEFAULT_PATH))


def stores() -> tuple[str, ...]:
    """Return the names of the stores beside the one the app was started with, and its own."""
    started = started_with()
    return tuple(sorted({started.name, *(path.name for path in started.parent.glob("*.duckdb"))}))


def store() -> Store:
    """Return the store that is looked at: the one picked, else the one the app was started with.

    Only a name out of `stores` is ever picked, so that no address reaches another folder.
    """
    started = started_with()
    return Store(path=started.with_name(picking.picked(STORE) or started.name), wait_s=_BUSY_WAIT_S)


def read(table: Table, **equals: object) -> pl.DataFrame:
    """Return rows of a table, as `Store.read` does."""
    if table not in _SMALL:
        return _read(*key(), table.name, tuple(equals.items()))
    found = _small(*key())[table.name]
    conditions = [pl.col(name).eq_missing(pl.lit(value)) for name, value in equals.items()]
    return found.filter(conditions) if conditions else found


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


def traffic(version: int) -> Traffic:
    """Return where the store's prompts go by a table, when they were asked and what they cost."""
    return _traffic(*key(), version)


def present() -> Present:
    """Return what the log itself did."""
    return _present(*key())


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


def texts(prompt_ids: tuple[str, ...]) -> pl.DataFrame:
    """Return prompt_id, text and label of some prompts, in the order they were asked for."""
    order = pl.DataFrame({"prompt_id": prompt_ids}, schema={"prompt_id": pl.String})
    return order.join(_texts(*data_key(), prompt_ids), on="prompt_id", maintain_order="left")


def model_ids() -> tuple[str, ...]:
    """Return every model of the store, sorted."""
    known = read(PROFILE_CELLS)["model_id"], read(TABLE_ENTRIES)["model_id"]
    return tuple(pl.concat(known).unique().sort())


def key() -> tuple[str, int]:
    """Return the store's path and the time of its last change: the key of every cached read."""
    here = store()
    return str(here.path), here.modified_ns()


def data_key() -> tuple[str, DataState]:
    """Return the store's path and its data's state: prompts and outcomes change with that alone.

    The key of reads that a decision must not make anew.
    """
    return str(store().path), (*read(IMPORTS)["import_id"].sort(), _n_outcomes(*key()))


# Every other cached function takes the path and the time of the last change: they are its key.


@st.cache_resource(max_entries=4, show_spinner=False)  # frames that nobody changes in place
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


@st.cache_resource(max_entries=4, show_spinner=False)
def _traffic(path: str, modified_ns: int, version: int) -> Traffic:
    return read_traffic(at(path, modified_ns), version)


@st.cache_data(max_entries=4, show_spinner=False)
def _present(path: str, modified_ns: int) -> Present:
    return read_present(at(path, modified_ns))


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
def _domains(path: str, modified_ns: int) -> pl.DataFrame:
    if not at(path, modified_ns).exists():
        sizes = pl.DataFrame(schema={"member_set_id": pl.String, "n_prompts": pl.Int64})
    else:
        sizes = at(path, modified_ns).query(
            "SELECT member_set_id, count(*) AS n_prompts FROM member_sets GROUP BY member_set_id"
        )
    folded = domains_now(read(DOMAIN_EVENTS)).join(sizes, on="member_set_id", how="left")
    return folded.sort(["n_prompts", "domain_id"], descending=[True, False])


@st.cache_data(max_entries=4, show_spinner=False)
def _n_outcomes(path: str, modified_ns: int) -> int:
    return at(path, modified_ns).count(OUTCOMES)


@st.cache_data(max_entries=128, show_spinner=False)
def _texts(path: str, state: DataState, prompt_ids: tuple[str, ...]) -> pl.DataFrame:
    return at(path, state).read_among(PROMPTS, "prompt_id", prompt_ids)


def at(path: str, _state: object) -> Store:
    """Return the store that a key names."""
    return Store(path=Path(path), wait_s=_BUSY_WAIT_S)
