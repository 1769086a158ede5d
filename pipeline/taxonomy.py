"""Domains as people decide them: an append-only list of events, folded into the present state.

A cluster belongs to a run and is thrown away; a domain is approved and keeps its id for ever.
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.config import digest
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED
from profiles.tables import DOMAIN_EVENTS, DOMAINS, MEMBER_SETS, conform

APPROVED, RETIRED = "approved", "retired"
_SAME_DOMAIN_OVERLAP = 0.5


def member_set(prompt_ids: list[str]) -> tuple[str, pl.DataFrame]:
    """Return the id of a set of prompts, the same for the same set, and its table."""
    ordered = sorted(set(prompt_ids))
    set_id = "set-" + digest(*ordered)
    frame = pl.DataFrame({"prompt_id": ordered}).with_columns(member_set_id=pl.lit(set_id))
    return set_id, conform(frame, MEMBER_SETS)


def new_domain_id(events: pl.DataFrame, set_id: str) -> str:
    """Return an id no domain has had."""
    return "dom-" + digest(set_id, str(next_event_id(events)))[:8]


def next_event_id(events: pl.DataFrame) -> int:
    """Return the number of the event to come."""
    return int(events["event_id"].max() or 0) + 1  # pyright: ignore[reportArgumentType]


def event(events: pl.DataFrame, **fields: object) -> pl.DataFrame:
    """Return one more event, as a table of one row; fields not given are null."""
    row: dict[str, object] = {name: None for name in DOMAIN_EVENTS.schema}  # noqa: C420 - typed
    row |= {"event_id": next_event_id(events)} | fields
    return conform(pl.DataFrame([row], schema=DOMAIN_EVENTS.schema), DOMAIN_EVENTS)


def domains_now(events: pl.DataFrame) -> pl.DataFrame:
    """Fold the events into the DOMAINS table."""
    state: dict[str, dict[str, object]] = {}
    for row in events.sort("event_id").iter_rows(named=True):
        _apply(state, row)
    return conform(pl.DataFrame(list(state.values()), schema=DOMAINS.schema), DOMAINS)


def _apply(state: dict[str, dict[str, object]], row: Mapping[str, object]) -> None:
    domain_id = row["domain_id"]
    if not isinstance(domain_id, str):
        return
    match row["verb"]:
        case "approve":
            state[domain_id] = {
                "domain_id": domain_id,
                "name": row["name"],
                "status": APPROVED,
                "member_set_id": row["member_set_id"],
                "approved_by": row["actor"],
                "run_id": row["run_id"],
                "cluster_id": row["cluster_id"],
            }
        case "rename":
            state[domain_id]["name"] = row["name"]
        case "retire":
            state[domain_id]["status"] = RETIRED
        case "restore":
            state[domain_id]["status"] = APPROVED
        case verb:
            raise ValueError(f"Event {row['event_id']} has the unknown verb {verb!r}.")
    state[domain_id]["updated_at"] = row["occurred_at"]


def domain_name(wanted: str) -> str:
    """Return a name that a domain may have, without space around it.

    Raises
    ------
    UsageError
        If it is empty or taken by what is in no domain.
    """
    name = wanted.strip()
    if not name:
        raise UsageError("A domain's name must not be empty. Give it one or two words.")
    if name == UNASSIGNED:
        raise UsageError(
            f"{UNASSIGNED!r} is what prompts outside every domain are called. Give another name."
        )
    return name


def find_domain(domains: pl.DataFrame, wanted: str) -> dict[str, object]:
    """Return the domain with this id or name.

    Raises
    ------
    UsageError
        If there is none, or several have the name.
    """
    found = domains.filter((pl.col("domain_id") == wanted) | (pl.col("name") == wanted))
    if found.height == 1:
        return found.row(0, named=True)
    if found.height > 1:
        ids = ", ".join(found["domain_id"])
        raise UsageError(f"{found.height} domains are named {wanted!r}; use an id: {ids}.")
    known = ", ".join(domains["domain_id"]) or "none yet"
    raise UsageError(
        f"There is no domain {wanted!r}. Known: {known}. See `promptshed domains list`."
    )


def proposals(
    clusters: pl.DataFrame, members: pl.DataFrame, events: pl.DataFrame, sets: pl.DataFrame
) -> pl.DataFrame:
    """Return the clusters of one run with what was decided about each.

    Returns
    -------
    DataFrame
        `clusters` with `domain_id` (of the approved domain that shares at least half of the
        prompts, null if none) and `status`: approved, rejected or waiting. Sorted by cluster_id.
    """
    ids_of = dict(
        members.filter(pl.col("cluster_id") >= 0)
        .group_by("cluster_id")
        .agg("prompt_id")
        .iter_rows()
    )
    rejected = set(events.filter(pl.col("verb") == "reject")["member_set_id"])
    domains = domains_now(events).filter(pl.col("status") == APPROVED)
    prompts_of = dict(sets.group_by("member_set_id").agg("prompt_id").iter_rows())
    rows = []
    for cluster_id in clusters["cluster_id"]:
        ids = ids_of.get(cluster_id, [])
        domain_id = _overlapping(set(ids), domains, prompts_of)
        status = "rejected" if member_set(ids)[0] in rejected else "waiting"
        rows.append((cluster_id, domain_id, "approved" if domain_id else status))
    decided = pl.DataFrame(
        rows,
        schema={"cluster_id": pl.Int64, "domain_id": pl.String, "status": pl.String},
        orient="row",
    )
    return clusters.join(decided, on="cluster_id").sort("cluster_id")


def _overlapping(
    ids: set[str], domains: pl.DataFrame, prompts_of: Mapping[str, list[str]]
) -> str | None:
    best, best_overlap = None, _SAME_DOMAIN_OVERLAP
    for domain_id, set_id in domains.select("domain_id", "member_set_id").iter_rows():
        theirs = set(prompts_of.get(set_id, []))
        overlap = len(ids & theirs) / max(len(ids | theirs), 1)
        if overlap >= best_overlap:
            best, best_overlap = domain_id, overlap
    return best


def domain_rows(
    prompt_ids: tuple[str, ...], events: pl.DataFrame, sets: pl.DataFrame
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return the approved domains that have one of these prompts, and each prompt's domain.

    Returns
    -------
    DataFrame, NDArray
        Domains sorted by id with `n_prompts`, their members among `prompt_ids`; and, shape
        (n_prompts,), the row in that frame, -1 for none. A prompt in two domains belongs to the
        one decided later.
    """
    approved = (
        domains_now(events).filter(pl.col("status") == APPROVED).sort("updated_at", "domain_id")
    )
    membership = approved.select("domain_id", "member_set_id").join(
        sets, on="member_set_id", maintain_order="left"
    )
    owner = dict(membership.select("prompt_id", "domain_id").iter_rows())
    owners = [owner.get(prompt_id) for prompt_id in prompt_ids]
    present = sorted({domain_id for domain_id in owners if domain_id is not None})
    row_of = {domain_id: row for row, domain_id in enumerate(present)}
    rows = np.array([-1 if d is None else row_of[d] for d in owners], dtype=np.int64)
    counts = np.bincount(rows[rows >= 0], minlength=len(present))
    kept = approved.filter(pl.col("domain_id").is_in(present)).sort("domain_id")
    return kept.with_columns(n_prompts=pl.Series(counts, dtype=pl.Int64)), rows


def present_rows(
    domains: pl.DataFrame, domain_of: NDArray[np.int64]
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Drop the domains that no prompt is in, and renumber the rest."""
    kept = np.unique(domain_of[domain_of >= 0])
    renumbered = np.where(domain_of < 0, -1, np.searchsorted(kept, domain_of))
    return domains[kept.tolist()], renumbered.astype(np.int64)


def approve_labels(
    labelled: pl.DataFrame, events: pl.DataFrame, *, actor: str, at: datetime, least_prompts: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make one domain for each label; a label that is a domain already gets its present prompts.

    A domain that a person retired stays retired, and the label `unassigned` makes none.

    Parameters
    ----------
    labelled
        Columns prompt_id and label, no nulls.

    Returns
    -------
    DataFrame, DataFrame
        New events and new member sets; both empty where nothing has changed.
    """
    domains = domains_now(events)
    known = {
        name: (domain_id, set_id)
        for name, domain_id, set_id in domains.filter(pl.col("status") == APPROVED)
        .select("name", "domain_id", "member_set_id")
        .iter_rows()
    }
    retired = domains.filter(pl.col("status") == RETIRED)["name"]
    closed = {*retired, UNASSIGNED} - set(known)
    grouped = (
        labelled.filter(~pl.col("label").is_in(closed))
        .group_by("label")
        .agg("prompt_id")
        .sort("label")
    )
    fresh, sets = [], []
    for label, prompt_ids in grouped.iter_rows():
        set_id, rows = member_set(prompt_ids)
        domain_id, old_set = known.get(label, (None, None))
        if set_id == old_set or rows.height < least_prompts:
            continue
        history = pl.concat([events, *fresh])
        fresh.append(
            event(
                history,
                verb="approve",
                domain_id=domain_id or new_domain_id(history, set_id),
                name=label,
                member_set_id=set_id,
                actor=actor,
                reason="made of a label",
                occurred_at=at,
            )
        )
        sets.append(rows)
    return (
        pl.concat(fresh) if fresh else DOMAIN_EVENTS.empty(),
        pl.concat(sets) if sets else MEMBER_SETS.empty(),
    )
