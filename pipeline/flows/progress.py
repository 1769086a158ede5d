"""How far a store has come."""

import polars as pl

from pipeline.flows.proposals import read_proposals
from pipeline.next_step import Progress
from pipeline.store import Store
from pipeline.taxonomy import APPROVED, domains_now
from profiles.tables import DOMAIN_EVENTS, ROUTING_TABLES


def read_progress(store: Store, offered: pl.DataFrame | None = None) -> Progress:
    """Count what each step has left in the store; a store that is not there has nothing.

    Parameters
    ----------
    offered
        What `read_proposals` gives, where it is known already.
    """
    with store.reading():
        counts = store.counts()
        domains = domains_now(store.read(DOMAIN_EVENTS))
        tables = store.read(ROUTING_TABLES)
        if offered is None and counts["runs"]:
            offered = read_proposals(store)
    waiting = 0 if offered is None else offered.filter(status="waiting").height
    return Progress(
        n_prompts=counts["prompts"],
        n_outcomes=counts["outcomes"],
        n_runs=counts["runs"],
        n_domains=domains.filter(status=APPROVED).height,
        n_waiting=waiting,
        n_profiles=counts["profiles"],
        n_tables=tables.height,
        n_published=tables.filter(pl.col("published_at").is_not_null()).height,
    )
