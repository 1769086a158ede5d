"""A person's decisions into the append-only list of events."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from pipeline.decisions import (
    Group,
    Signature,
    approve_groups,
    approve_labels,
    draft,
    merge_domains,
    require_status,
    undo,
)
from pipeline.flows.discovery import latest_run
from pipeline.flows.proposals import read_proposals
from pipeline.flows.recording import newest_run, record, sign
from pipeline.store import Store
from pipeline.taxonomy import APPROVED, RETIRED, domain_name, domains_now, find_domain, member_set
from pipeline.taxonomy_file import read_taxonomy
from profiles.errors import NotReadyError, UsageError
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS, MEMBERS, PROMPTS


def approve_clusters(
    store: Store,
    cluster_ids: list[int] | None,
    *,
    actor: str,
    name: str | None = None,
    reason: str | None = None,
    run_id: str | None = None,
) -> list[str]:
    """Make domains of clusters of a run (the newest), largest first; None takes all that wait.

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
    given_name = None if name is None else domain_name(name)
    with store.reading():
        run_id = run_id or latest_run(store)
        offered = read_proposals(store, run_id)
        chosen = offered.filter(pl.col("status") == "waiting")
        if cluster_ids is not None:
            chosen = _named(offered, cluster_ids)
        found = store.read_among(MEMBERS, "cluster_id", chosen["cluster_id"].to_list())
        events = store.read(DOMAIN_EVENTS)
    members = found.filter(run_id=run_id)
    groups = [
        Group(
            name=given_name or offered_name,
            prompt_ids=members.filter(cluster_id=cluster_id)["prompt_id"].to_list(),
            run_id=run_id,
            cluster_id=cluster_id,
        )
        for cluster_id, offered_name in chosen.select("cluster_id", "name").iter_rows()
    ]
    return record(store, approve_groups(events, groups, sign(actor, reason)))


def approve_prompts(
    store: Store,
    prompt_ids: Collection[str],
    name: str,
    *,
    actor: str,
    reason: str | None = None,
    run_id: str | None = None,
) -> str:
    """Make a domain of these prompts, wherever they lie; returns its id.

    A prompt that another domain has belongs to the new one from now on. `run_id` is the run that
    was looked at, the newest one if none is given.

    Raises
    ------
    UsageError
        If there are fewer than two prompts, or the name cannot be one.
    """
    if len(set(prompt_ids)) < 2:
        raise UsageError("A domain needs at least two prompts. Select more.")
    group = Group(
        name=domain_name(name),
        prompt_ids=sorted(set(prompt_ids)),
        run_id=run_id or newest_run(store),
    )
    return record(store, approve_groups(store.read(DOMAIN_EVENTS), [group], sign(actor, reason)))[0]


def reject_cluster(
    store: Store, cluster_id: int, *, actor: str, reason: str | None, run_id: str | None = None
) -> None:
    """Remember that a cluster of a run (the newest one) is no domain."""
    run_id = run_id or latest_run(store)
    _named(read_proposals(store, run_id), [cluster_id])
    members = store.read(MEMBERS, run_id=run_id, cluster_id=cluster_id)
    set_id, rows = member_set(members["prompt_id"])
    step = {"verb": "reject", "member_set_id": set_id, "run_id": run_id, "cluster_id": cluster_id}
    record(store, draft(store.read(DOMAIN_EVENTS), [step], sign(actor, reason), [rows]))


def merge_cluster(
    store: Store,
    cluster_id: int,
    domain: str,
    *,
    actor: str,
    reason: str | None = None,
    run_id: str | None = None,
) -> str:
    """Give the prompts of a cluster of a run (the newest one) to a domain; returns its id.

    Raises
    ------
    UsageError
        If there is no such cluster or domain, the cluster was decided already, or the domain is
        retired.
    """
    run_id = run_id or latest_run(store)
    _named(read_proposals(store, run_id), [cluster_id])
    events, sets = store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS)
    row = find_domain(domains_now(events), domain)
    require_status(row, APPROVED)
    own = sets.filter(member_set_id=row["member_set_id"])["prompt_id"]
    members = store.read(MEMBERS, run_id=run_id, cluster_id=cluster_id)["prompt_id"]
    set_id, rows = member_set({*own, *members})
    step = {"verb": "link", "domain_id": row["domain_id"], "member_set_id": set_id}
    step |= {"run_id": run_id, "cluster_id": cluster_id}
    return record(store, draft(events, [step], sign(actor, reason), [rows]))[0]


def rename_domain(store: Store, domain: str, name: str, *, actor: str) -> str:
    """Give a domain another name; its id stays."""
    step = {"verb": "rename", "name": domain_name(name)}
    return _decide(store, domain, step, sign(actor))


def rename_domains(store: Store, names: Mapping[str, str], *, actor: str) -> list[str]:
    """Give several domains other names as one decision, which one undo takes back.

    Parameters
    ----------
    names
        The new name by domain id.
    """
    events = store.read(DOMAIN_EVENTS)
    present = domains_now(events)
    steps = [
        {
            "verb": "rename",
            "domain_id": find_domain(present, domain)["domain_id"],
            "name": domain_name(name),
        }
        for domain, name in names.items()
    ]
    return record(store, draft(events, steps, sign(actor)))


def require_as_seen(store: Store, seen: Sequence[Mapping[str, object]]) -> None:
    """Refuse to decide about domains that have changed since they were looked at.

    Parameters
    ----------
    seen
        For each domain its `domain_id` and what was seen of it, by the columns of DOMAINS.

    Raises
    ------
    UsageError
        If one is different now; it says who changed it and to what.
    """
    events = store.read(DOMAIN_EVENTS)
    present = domains_now(events)
    for row in seen:
        now_ = find_domain(present, str(row["domain_id"]))
        if any(now_[field] != value for field, value in row.items()):
            about = (pl.col("domain_id") == row["domain_id"]) | (pl.col("verb") == "undo")
            last = events.filter(about).sort("event_id").row(-1, named=True)
            raise UsageError(
                f"{last['actor']} was quicker: this domain is now {now_['name']!r} and "
                f"{now_['status']} (event {last['event_id']}, {last['verb']}). Nothing of yours "
                "was saved. Look at it again, then decide once more."
            )


def retire_domain(store: Store, domain: str, *, actor: str, reason: str | None) -> str:
    """Take a domain out of use; `restore_domain` brings it back."""
    return _decide(store, domain, {"verb": "retire"}, sign(actor, reason), expected=APPROVED)


def restore_domain(store: Store, domain: str, *, actor: str) -> str:
    """Bring a retired domain back."""
    return _decide(store, domain, {"verb": "restore"}, sign(actor), expected=RETIRED)


def merge(
    store: Store,
    domains: Sequence[str],
    *,
    actor: str,
    name: str | None = None,
    reason: str | None = None,
) -> str:
    """Give the prompts of all domains to the first, which keeps its id; returns that id."""
    events = store.read(DOMAIN_EVENTS)
    present = domains_now(events)
    drafted = merge_domains(
        events,
        store.read(MEMBER_SETS),
        [find_domain(present, domain) for domain in domains],
        sign(actor, reason),
        name=None if name is None else domain_name(name),
        run_id=newest_run(store),
    )
    return record(store, drafted)[0]


def undo_decision(
    store: Store, event_id: int | None = None, *, actor: str, reason: str | None = None
) -> int:
    """Take back the newest decision, or the one this event belongs to; returns its first event."""
    drafted = undo(store.read(DOMAIN_EVENTS), event_id, sign(actor, reason))
    record(store, drafted)
    return int(drafted.events["undoes"][0])


def import_taxonomy(
    store: Store, text: str, *, actor: str, reason: str | None = None, overwrite: bool = False
) -> list[str]:
    """Bring the domains to what a YAML text says; returns those that were made or changed."""
    events = store.read(DOMAIN_EVENTS)
    drafted = read_taxonomy(text, events, sign(actor, reason), overwrite=overwrite)
    return record(store, drafted)


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
    drafted = approve_labels(
        labelled.select("prompt_id", "label"),
        store.read(DOMAIN_EVENTS),
        sign(actor, "made of a label"),
        least_prompts=least_prompts,
    )
    return len(record(store, drafted))


def _decide(
    store: Store,
    domain: str,
    step: Mapping[str, object],
    signature: Signature,
    *,
    expected: str | None = None,
) -> str:
    events = store.read(DOMAIN_EVENTS)
    row = find_domain(domains_now(events), domain)
    if expected:
        require_status(row, expected)
    return record(store, draft(events, [{**step, "domain_id": row["domain_id"]}], signature))[0]


def _named(offered: pl.DataFrame, cluster_ids: list[int]) -> pl.DataFrame:
    unknown = sorted(set(cluster_ids) - set(offered["cluster_id"]))
    if unknown:
        raise UsageError(
            f"There is no cluster {unknown[0]} in this run; it has 0 to "
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
