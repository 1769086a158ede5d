"""What the clusters of a run are to the domains: offered, taken, or rejected before."""

from collections.abc import Sequence

import polars as pl

from pipeline.flows.discovery import latest_run
from pipeline.matching import decided_sets, overlaps, proposals
from pipeline.store import Store
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS


def read_proposals(
    store: Store, run_id: str | None = None, *, alike: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the clusters of a run (the newest one) and what was decided about each.

    Parameters
    ----------
    alike
        What `read_overlaps` gives, where it is known already.
    """
    with store.reading():
        run = run_id or latest_run(store)
        alike = read_overlaps(store, run) if alike is None else alike
        return proposals(store.read(CLUSTERS, run_id=run), alike, store.read(DOMAIN_EVENTS))


def read_overlaps(store: Store, run_id: str) -> pl.DataFrame:
    """Return what the clusters of a run share with everything that was decided."""
    with store.reading():
        decided = decided_sets(store.read(DOMAIN_EVENTS))
        run_ids = decided["run_id"].drop_nulls().unique().to_list()
        sets = store.read_among(MEMBER_SETS, "member_set_id", decided["member_set_id"].to_list())
        members, seen = clustered_prompts(store, [run_id]), clustered_prompts(store, run_ids)
    return overlaps(members, decided, sets, seen)


def clustered_prompts(store: Store, run_ids: Sequence[str]) -> pl.DataFrame:
    """Return run_id, prompt_id and cluster_id of the MEMBERS of some runs, in no order."""
    return store.query(
        "SELECT run_id, prompt_id, cluster_id FROM members "
        "WHERE run_id IN (SELECT unnest($run_ids::VARCHAR[]))",
        {"run_ids": list(run_ids)},
    )
