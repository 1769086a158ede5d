"""Build and publish: the routing table that outcomes and approved domains give."""

import importlib.metadata
from dataclasses import replace

import polars as pl

from pipeline.config import Policy, as_json, digest
from pipeline.embed import Encoder
from pipeline.flows.candidates import Facts
from pipeline.flows.clock import now
from pipeline.flows.drafting import Draft, draft_table
from pipeline.flows.training import TrainingData, read_training_data
from pipeline.packing import from_bytes
from pipeline.price import ListPrices
from pipeline.store import Store
from pipeline.table import RoutingModel, routing_model
from profiles.errors import NotReadyError, UsageError
from profiles.tables import (
    BUCKETS,
    ROUTERS,
    ROUTING_TABLES,
    STUDIES,
    TABLE_ENTRIES,
)


def build_table(
    store: Store,
    encoder: Encoder,
    policy: Policy,
    facts: Facts | None = None,
    *,
    at: ListPrices | None = None,
) -> int:
    """Derive a routing table from outcomes and approved domains; returns its version, a draft.

    The same policy on the same outcomes and domains is the same table: it keeps its number, and
    nothing is fitted again.

    Parameters
    ----------
    at
        Take costs as tokens at these prices, wherever both are known. The policy keeps the day.

    Raises
    ------
    NotReadyError
        If there are no outcomes with a quality or no approved domain among them.
    UsageError
        If the policy names an unknown model, or a safe choice that cannot be one.
    InfeasibleError
        If a limit of the policy cannot be kept; names it and the nearest value that can.
    """
    if at is not None:
        policy = replace(policy, priced_on=at.day.isoformat())
    data = read_training_data(store, encoder, at=at)
    facts = facts or Facts()
    inputs = _digest_of(data, policy, encoder.encoder_id, facts)
    same = store.read(ROUTING_TABLES, input_digest=inputs)
    if not same.is_empty():
        return int(same["table_version"][0])
    return _save(store, draft_table(data, policy, encoder.encoder_id, facts), inputs)


def _digest_of(data: TrainingData, policy: Policy, encoder_id: str, facts: Facts) -> str:
    return digest(
        importlib.metadata.version("promptshed"),
        encoder_id,
        as_json(policy),
        *data.prompt_ids,
        *data.outcomes.model_ids,
        data.outcomes.quality.tobytes().hex(),
        data.outcomes.cost_usd.tobytes().hex(),
        data.latency_s.tobytes().hex(),
        repr(sorted(facts.context_tokens.items())),
        facts.models.select("model_id", "certifications").write_json() if policy.rules else "",
        repr(sorted((model, sorted(has)) for model, has in facts.features.items())),
        data.domains.select("domain_id", "name").write_json(),
        data.domain_of.tobytes().hex(),
    )


def _save(store: Store, draft: Draft, inputs: str) -> int:
    """Save a table under the next number."""
    version = store.count(ROUTING_TABLES) + 1
    study_id = digest(draft.study.hex())
    row = draft.meta | {
        "table_version": version,
        "study_id": study_id,
        "input_digest": inputs,
        "created_at": now(),
        "published_at": None,
    }
    number = pl.lit(version, dtype=pl.Int64).alias("table_version")
    routers = [] if draft.packed is None else [{"table_version": version, "packed": draft.packed}]
    store.append(
        (ROUTING_TABLES, pl.DataFrame([row], schema=ROUTING_TABLES.schema)),
        (BUCKETS, draft.buckets.with_columns(number)),
        (TABLE_ENTRIES, draft.entries.with_columns(number)),
        (ROUTERS, pl.DataFrame(routers, schema=ROUTERS.schema)),
        (
            STUDIES,
            pl.DataFrame([{"study_id": study_id, "packed": draft.study}], schema=STUDIES.schema),
        ),
    )
    return version


def publish_table(store: Store, version: int) -> None:
    """Make a table the current one, also an older one again; the current one stays as it is."""
    row = require_table(store, version)
    if row["published_at"] is None or current_version(store) != version:
        published = pl.DataFrame([row | {"published_at": now()}], schema=ROUTING_TABLES.schema)
        store.upsert((ROUTING_TABLES, published))


def current_version(store: Store) -> int:
    """Return the version published last.

    Raises
    ------
    NotReadyError
        If none was published.
    """
    published = store.read(ROUTING_TABLES).filter(pl.col("published_at").is_not_null())
    if published.is_empty():
        raise NotReadyError(
            "No routing table is published. Run `promptshed table build --publish` first."
        )
    return int(published.sort("published_at")["table_version"][-1])


def load_model(store: Store, version: int | None = None) -> tuple[dict[str, object], RoutingModel]:
    """Return a table's row and the routing model; without a version, the current one."""
    wanted = current_version(store) if version is None else version
    row = require_table(store, wanted)
    buckets = store.read(BUCKETS, table_version=wanted)
    entries = store.read(TABLE_ENTRIES, table_version=wanted)
    packed = store.read(ROUTERS, table_version=wanted)["packed"]
    router = None if packed.is_empty() else from_bytes(packed[0])
    return row, routing_model(row, buckets, entries, router)


def require_table(store: Store, version: int) -> dict[str, object]:
    """Return a table's row.

    Raises
    ------
    UsageError
        If there is no such version.
    """
    meta = store.read(ROUTING_TABLES, table_version=version)
    if meta.is_empty():
        raise UsageError(f"There is no table {version}. See `promptshed table list`.")
    return meta.row(0, named=True)
