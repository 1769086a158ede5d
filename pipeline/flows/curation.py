"""Approve, reject, rename: a person's decisions into the append-only list of events."""

import polars as pl

from pipeline.flows.clock import now
from pipeline.flows.discovery import latest_run
from pipeline.store import Store
from pipeline.taxonomy import (
    approve_labels,
    domain_name,
    domains_now,
    event,
    find_domain,
    member_set,
    new_domain_id,
    proposals,
)
from profiles.errors import NotReadyError, UsageError
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, MEMBERS, PROMPTS


def read_proposals(store: Store, run_id: str | None = None) -> pl.DataFrame:
    """Return the clusters of a run (the newest one) and what was decided about each."""
    run = run_id or latest_run(store)
    return proposals(
        store.read(CLUSTERS, run_id=run),
        store.read(MEMBERS, run_id=run),
        store.read(DOMAIN_EVENTS),
        store.read(MEMBER_SETS),
    )


def approve_clusters(
    store: Store,
    cluster_ids: list[int] | None,
    *,
    actor: str,
    name: str | None = None,
    reason: str | None = None,
) -> list[str]:
    """Make domains of clusters of the newest run, largest first; None takes all that wait.

    Returns
    -------
    list
        The new domains' ids. A cluster that is a domain already is passed over when all are
        approved, and refused when named.

    Raises
    ------
    UsageError
        If a cluster does not exist or was decided already.
    """
    run_id = latest_run(store)
    given_name = None if name is None else domain_name(name)
    offered = read_proposals(store, run_id)
    chosen = offered.filter(pl.col("status") == "waiting")
    if cluster_ids is not None:
        chosen = _named(offered, cluster_ids)
    members = store.read(MEMBERS, run_id=run_id)
    events, sets, domain_ids = store.read(DOMAIN_EVENTS), [], []
    fresh: list[pl.DataFrame] = []
    for cluster_id, offered_name in chosen.select("cluster_id", "name").iter_rows():
        ids = members.filter(pl.col("cluster_id") == cluster_id)["prompt_id"].to_list()
        set_id, rows = member_set(ids)
        history = pl.concat([events, *fresh])
        domain_ids.append(new_domain_id(history, set_id))
        sets.append(rows)
        fresh.append(
            event(
                history,
                verb="approve",
                domain_id=domain_ids[-1],
                name=given_name or offered_name,
                member_set_id=set_id,
                run_id=run_id,
                cluster_id=cluster_id,
                actor=actor,
                reason=reason,
                occurred_at=now(),
            )
        )
    if fresh:
        store.append((MEMBER_SETS, pl.concat(sets).unique()), (DOMAIN_EVENTS, pl.concat(fresh)))
    return domain_ids


def reject_cluster(store: Store, cluster_id: int, *, actor: str, reason: str | None) -> None:
    """Remember that a cluster of the newest run is no domain."""
    run_id = latest_run(store)
    _named(read_proposals(store, run_id), [cluster_id])
    members = store.read(MEMBERS, run_id=run_id, cluster_id=cluster_id)
    set_id, rows = member_set(members["prompt_id"].to_list())
    rejection = event(
        store.read(DOMAIN_EVENTS),
        verb="reject",
        member_set_id=set_id,
        run_id=run_id,
        cluster_id=cluster_id,
        actor=actor,
        reason=reason,
        occurred_at=now(),
    )
    store.append((MEMBER_SETS, rows), (DOMAIN_EVENTS, rejection))


def rename_domain(store: Store, domain: str, name: str, *, actor: str) -> str:
    """Give a domain another name; its id stays."""
    return _decide(store, domain, verb="rename", actor=actor, name=domain_name(name))


def retire_domain(store: Store, domain: str, *, actor: str, reason: str | None) -> str:
    """Take a domain out of use; `restore_domain` brings it back."""
    return _decide(store, domain, verb="retire", actor=actor, reason=reason)


def restore_domain(store: Store, domain: str, *, actor: str) -> str:
    """Bring a retired domain back."""
    return _decide(store, domain, verb="restore", actor=actor)


def domains_from_labels(store: Store, *, actor: str, least_prompts: int = 2) -> int:
    """Make a domain of each label that came with the prompts; returns how many were new or grew.

    Raises
    ------
    NotReadyError
        If no prompt has a label.
    """
    labelled = store.read(PROMPTS).filter(pl.col("label").is_not_null())
    if labelled.is_empty():
        raise NotReadyError(
            "No prompt has a label. Import a file with a label column, or name it with "
            "`--mapping label=COLUMN`."
        )
    fresh, sets = approve_labels(
        labelled.select("prompt_id", "label"),
        store.read(DOMAIN_EVENTS),
        actor=actor,
        at=now(),
        least_prompts=least_prompts,
    )
    if not fresh.is_empty():
        store.append((MEMBER_SETS, sets), (DOMAIN_EVENTS, fresh))
    return fresh.height


def _decide(store: Store, domain: str, *, verb: str, actor: str, **fields: object) -> str:
    events = store.read(DOMAIN_EVENTS)
    domain_id = str(find_domain(domains_now(events), domain)["domain_id"])
    decided = event(
        events, verb=verb, domain_id=domain_id, actor=actor, occurred_at=now(), **fields
    )
    store.append((DOMAIN_EVENTS, decided))
    return domain_id


def _named(offered: pl.DataFrame, cluster_ids: list[int]) -> pl.DataFrame:
    unknown = sorted(set(cluster_ids) - set(offered["cluster_id"]))
    if unknown:
        raise UsageError(
            f"There is no cluster {unknown[0]} in the newest run; it has 0 to "
            f"{offered.height - 1}. See `promptshed domains list`."
        )
    chosen = offered.filter(pl.col("cluster_id").is_in(cluster_ids))
    decided = chosen.filter(pl.col("status") != "waiting")
    if not decided.is_empty():
        row = decided.row(0, named=True)
        raise UsageError(
            f"Cluster {row['cluster_id']} is {row['status']} already"
            f"{' as ' + row['domain_id'] if row['domain_id'] else ''}."
        )
    return chosen
