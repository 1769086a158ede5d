"""How far a store has come."""

import polars as pl

from pipeline.flows.curation import read_proposals
from pipeline.next_step import Progress
from pipeline.store import Store
from pipeline.taxonomy import APPROVED, domains_now
from profiles.tables import DOMAIN_EVENTS, ROUTING_TABLES


def read_progress(store: Store) -> Progress:
    """Count what each step has left in the store; a store that is not there has nothing."""
    counts = store.counts()
    domains = domains_now(store.read(DOMAIN_EVENTS))
    tables = store.read(ROUTING_TABLES)
    waiting = read_proposals(store).filter(status="waiting").height if counts["runs"] else 0
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
