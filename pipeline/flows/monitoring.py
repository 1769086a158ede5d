"""What a routing table makes of the prompts in the store, and what was spent on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from pipeline.assign import assign
from pipeline.flows.encoding import vector_matrix
from pipeline.flows.tables import require_table
from pipeline.store import Store
from pipeline.table import RoutingModel, routing_model
from profiles.tables import BUCKETS, TABLE_ENTRIES

MOST_PLACED = 10_000
"""Prompts looked at; of more, evenly spread ones in the order of their ids, which are digests."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Where prompts go by a table, when they were asked and what they cost."""

    n_prompts: int
    """In the store."""
    placed: pl.DataFrame
    """prompt_id, domain and confidence of those looked at, whose vectors are known."""
    requests: pl.DataFrame
    """domain and occurred_at (null is unknown) of each request for one of these."""
    spend: pl.DataFrame
    """domain, model_id, n_calls and cost_usd (of the calls whose cost is known)."""
    newest_outcome_at: datetime | None
    """When the newest request with an outcome occurred, or, unknown, when its file came in."""


def read_traffic(store: Store, version: int) -> Traffic:
    """Assign the store's prompts to the domains of a table."""
    with store.reading():
        return _read_traffic(store, version)


def _read_traffic(store: Store, version: int) -> Traffic:
    row = require_table(store, version)
    buckets = store.read(BUCKETS, table_version=version)
    model = routing_model(row, buckets, store.read(TABLE_ENTRIES, table_version=version))
    n_prompts = int(store.query("SELECT count(*) AS n FROM prompts").item())
    step = max(1, -(-n_prompts // MOST_PLACED))
    found = store.query(
        "SELECT prompt_id, vector FROM vectors SEMI JOIN (SELECT prompt_id FROM (SELECT prompt_id, "
        "row_number() OVER (ORDER BY prompt_id) AS place FROM prompts) WHERE place % $step = 0) "
        "USING (prompt_id) WHERE encoder_id = $encoder_id ORDER BY prompt_id",
        {"step": step, "encoder_id": str(row["encoder_id"])},
    )
    placed = _placed(found, model)
    wanted = {"ids": placed["prompt_id"].to_list()}
    requests = store.query(
        "SELECT prompt_id, occurred_at FROM requests SEMI JOIN "
        "(SELECT unnest($ids) AS prompt_id) USING (prompt_id)",
        wanted,
    )
    spend = store.query(
        "SELECT prompt_id, model_id, count(*) AS n_calls, sum(cost_usd) AS cost_usd FROM outcomes "
        "SEMI JOIN (SELECT unnest($ids) AS prompt_id) USING (prompt_id) GROUP BY ALL",
        wanted,
    )
    return Traffic(
        n_prompts=n_prompts,
        placed=placed,
        requests=requests.join(placed, on="prompt_id").select("domain", "occurred_at"),
        spend=spend.join(placed, on="prompt_id")
        .group_by("domain", "model_id")
        .agg(pl.col("n_calls").sum(), pl.col("cost_usd").sum())
        .sort("domain", "model_id"),
        newest_outcome_at=_newest_outcome(store),
    )


def place_prompts(store: Store, version: int, prompt_ids: Sequence[str]) -> pl.DataFrame:
    """Return prompt_id, domain and confidence of those of these prompts that have a vector."""
    with store.reading():
        row = require_table(store, version)
        buckets = store.read(BUCKETS, table_version=version)
        model = routing_model(row, buckets, store.read(TABLE_ENTRIES, table_version=version))
        found = store.query(
            "SELECT prompt_id, vector FROM vectors SEMI JOIN (SELECT unnest($ids) AS prompt_id) "
            "USING (prompt_id) WHERE encoder_id = $encoder_id",
            {"ids": list(prompt_ids), "encoder_id": str(row["encoder_id"])},
        )
    return _placed(found, model)


def _placed(found: pl.DataFrame, model: RoutingModel) -> pl.DataFrame:
    """Assign prompts (prompt_id and vector) to the domains of a table."""
    if found.is_empty():
        return found.select("prompt_id").with_columns(
            domain=pl.lit(None, dtype=pl.String), confidence=pl.lit(None, dtype=pl.Float64)
        )
    assignment = assign(vector_matrix(found["vector"]), model.assigner)
    names = np.array(model.names, dtype=object)[assignment.buckets]
    return found.select("prompt_id").with_columns(
        domain=pl.Series(names, dtype=pl.String), confidence=pl.Series(assignment.confidence)
    )


def _newest_outcome(store: Store) -> datetime | None:
    return store.query(
        "SELECT max(coalesce(r.occurred_at, i.imported_at)) AS newest FROM requests r "
        "JOIN imports i USING (import_id) "
        "WHERE r.request_id IN (SELECT request_id FROM outcomes WHERE quality IS NOT NULL)"
    ).item()
