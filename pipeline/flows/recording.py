"""Sign a person's decision, and write it into the append-only list of events."""

from pipeline.decisions import Draft, Signature
from pipeline.flows.clock import now
from pipeline.flows.discovery import latest_run
from pipeline.store import Store
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS, RUNS


def sign(actor: str, reason: str | None = None) -> Signature:
    """Return who decides, now, and why."""
    return Signature(actor=actor, at=now(), reason=reason)


def newest_run(store: Store) -> str | None:
    """Return the run that a decision is made on; None before the first discovery."""
    return latest_run(store) if store.count(RUNS) else None


def record(store: Store, drafted: Draft) -> list[str]:
    """Write a decision in one transaction; returns the domains it is about."""
    if not drafted.events.is_empty():
        store.append((MEMBER_SETS, drafted.sets), (DOMAIN_EVENTS, drafted.events))
    return drafted.domain_ids
