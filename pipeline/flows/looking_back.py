"""A stored routing table in hindsight."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.flows.tables import require_table
from pipeline.hindsight import Hindsight, look_back
from pipeline.routing_value import row_values
from pipeline.store import Store
from pipeline.study import Study, read_study
from pipeline.table import RoutingModel, routing_model
from pipeline.taxonomy import domain_rows
from profiles.errors import NotReadyError
from profiles.tables import BUCKETS, DOMAIN_EVENTS, MEMBER_SETS, STUDIES, TABLE_ENTRIES


def load_study(store: Store, version: int) -> tuple[Study, RoutingModel]:
    """Return what a table's trade-off was chosen on, with the table's models, and the table.

    Raises
    ------
    UsageError
        If there is no such table.
    NotReadyError
        If its study is not in the store.
    """
    with store.reading():
        row = require_table(store, version)
        packed = store.read(STUDIES, study_id=row["study_id"])["packed"]
        buckets = store.read(BUCKETS, table_version=version)
        entries = store.read(TABLE_ENTRIES, table_version=version)
    if packed.is_empty():
        raise NotReadyError(
            f"What table {version} was chosen on is not in the store. Run `promptshed table build` "
            "again."
        )
    model = routing_model(row, buckets, entries)
    return read_study(packed[0]).columns(model.model_ids), model


def look_back_on(store: Store, version: int) -> Hindsight | None:
    """Compare a table's choices with the best ones; see `pipeline.hindsight.look_back`."""
    with store.reading():
        study, model = load_study(store, version)
        entry = first_columns(store, version, model)
        approved = approved_buckets(store, study)
    return look_back(study, model.terms, entry, approved)


def cluster_values(store: Store, version: int, run_id: str) -> pl.DataFrame:
    """Say what a row of its own would gain for each cluster of a run; see `row_values`."""
    with store.reading():
        study, model = load_study(store, version)
        members = store.query(
            "SELECT prompt_id, cluster_id FROM members SEMI JOIN "
            "(SELECT unnest($ids) AS prompt_id) USING (prompt_id) "
            "WHERE run_id = $run_id AND cluster_id >= 0",
            {"ids": list(study.prompt_ids), "run_id": run_id},
        )
    place = pl.DataFrame({"prompt_id": study.prompt_ids}).with_row_index("place")
    found = members.join(place, on="prompt_id").sort("place")
    groups = {
        int(cluster_id): rows["place"].to_numpy().astype(np.intp)
        for (cluster_id,), rows in found.group_by("cluster_id", maintain_order=True)
    }
    return row_values(study, model.terms, groups)


def first_columns(store: Store, version: int, model: RoutingModel) -> NDArray[np.int64]:
    """Return the column of the first choice of each bucket, shape (n_buckets,)."""
    first = store.read(TABLE_ENTRIES, table_version=version, rank=1).sort("bucket")
    return np.array([model.model_ids.index(model_id) for model_id in first["model_id"]])


def approved_buckets(store: Store, study: Study) -> NDArray[np.int64]:
    """Return the bucket of each prompt's approved domain, -1 for none or a domain made since."""
    domains, rows = domain_rows(
        study.prompt_ids,
        store.read(DOMAIN_EVENTS),
        store.read_among(MEMBER_SETS, "prompt_id", study.prompt_ids),
    )
    place = {domain_id: bucket for bucket, domain_id in enumerate(study.domain_ids)}
    bucket_of = [place.get(domain_id, -1) for domain_id in domains["domain_id"]]
    return np.array([*bucket_of, -1], dtype=np.int64)[rows]
