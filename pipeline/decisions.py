"""Decisions about domains, each drafted as new events and member sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.taxonomy import (
    APPROVED,
    RETIRED,
    decide,
    domains_now,
    in_force,
    member_set,
    new_domain_id,
)
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One decision that is not in the store yet."""

    events: pl.DataFrame
    """DOMAIN_EVENTS; empty where nothing changes."""
    sets: pl.DataFrame
    """MEMBER_SETS that the events name."""

    @property
    def domain_ids(self) -> list[str]:
        """The domains it is about, in the order of its events."""
        return self.events["domain_id"].drop_nulls().unique(maintain_order=True).to_list()


@dataclass(frozen=True, kw_only=True)
class Group:
    """Prompts that are to be one domain."""

    name: str
    prompt_ids: Sequence[str]
    run_id: str | None = None
    cluster_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who decides, when and why."""

    actor: str
    at: datetime
    reason: str | None = None


def draft(
    events: pl.DataFrame,
    steps: Sequence[Mapping[str, object]],
    signature: Signature,
    sets: Sequence[pl.DataFrame] = (),
) -> Draft:
    """Return these steps as one decision; an empty one where there are none."""
    if not steps:
        return Draft(events=DOMAIN_EVENTS.empty(), sets=MEMBER_SETS.empty())
    return Draft(
        events=decide(
            events, *steps, actor=signature.actor, at=signature.at, reason=signature.reason
        ),
        sets=pl.concat([MEMBER_SETS.empty(), *sets]).unique(),
    )


def approve_groups(events: pl.DataFrame, groups: Sequence[Group], signature: Signature) -> Draft:
    """Make a new domain of each group."""
    steps, sets = [], []
    for place, group in enumerate(groups):
        set_id, rows = member_set(group.prompt_ids)
        steps.append(
            {
                "verb": "approve",
                "domain_id": new_domain_id(events, set_id, place),
                "name": group.name,
                "member_set_id": set_id,
                "run_id": group.run_id,
                "cluster_id": group.cluster_id,
            }
        )
        sets.append(rows)
    return draft(events, steps, signature, sets)


def approve_labels(
    labelled: pl.DataFrame, events: pl.DataFrame, signature: Signature, *, least_prompts: int
) -> Draft:
    """Make one domain for each label; a label that is a domain already gets its present prompts.

    A domain that a person retired stays retired, and the label `unassigned` makes none.

    Parameters
    ----------
    labelled
        Columns prompt_id and label, no nulls.
    """
    domains = domains_now(events)
    approved = domains.filter(status=APPROVED).select("name", "domain_id", "member_set_id")
    known = {name: (domain_id, set_id) for name, domain_id, set_id in approved.iter_rows()}
    closed = {*domains.filter(status=RETIRED)["name"], UNASSIGNED} - set(known)
    wanted = labelled.filter(~pl.col("label").is_in(closed))
    steps, sets = [], []
    for label, prompt_ids in wanted.group_by("label").agg("prompt_id").sort("label").iter_rows():
        set_id, rows = member_set(prompt_ids)
        domain_id, old_set = known.get(label, (None, None))
        if set_id == old_set or rows.height < least_prompts:
            continue
        steps.append(
            {
                "verb": "approve",
                "domain_id": domain_id or new_domain_id(events, set_id, len(steps)),
                "name": label,
                "member_set_id": set_id,
            }
        )
        sets.append(rows)
    return draft(events, steps, signature, sets)


def merge_domains(
    events: pl.DataFrame,
    sets: pl.DataFrame,
    domains: Sequence[Mapping[str, object]],
    signature: Signature,
    *,
    name: str | None,
    run_id: str | None,
) -> Draft:
    """Give the prompts of all domains to the first, which keeps its id; the others are retired.

    Parameters
    ----------
    domains
        Rows of the DOMAINS table.
    name
        Of the first domain from now on; None keeps its own.
    run_id
        The newest run, null if there is none.

    Raises
    ------
    UsageError
        If there are fewer than two different domains, or one is retired.
    """
    if len({row["domain_id"] for row in domains}) < max(len(domains), 2):
        raise UsageError("A merge takes two or more different domains. Name each of them once.")
    for row in domains:
        require_status(row, APPROVED)
    survivor, *absorbed = domains
    wanted = [row["member_set_id"] for row in domains]
    set_id, rows = member_set(
        sets.filter(pl.col("member_set_id").is_in(wanted))["prompt_id"].to_list()
    )
    grown = {"verb": "merge", "name": name, "member_set_id": set_id, "run_id": run_id}
    steps = [grown | {"domain_id": survivor["domain_id"]}]
    steps += [
        {"verb": "merge", "domain_id": row["domain_id"], "other_id": survivor["domain_id"]}
        for row in absorbed
    ]
    return draft(events, steps, signature, [rows])


def split_domain(
    events: pl.DataFrame,
    sets: pl.DataFrame,
    domain: Mapping[str, object],
    parts: Sequence[Group],
    signature: Signature,
) -> Draft:
    """Make new domains of parts of one, which keeps its id, its name and the prompts left over.

    Raises
    ------
    UsageError
        If the domain is retired, a part is empty or holds prompts of none or of two, or nothing
        is left.
    """
    require_status(domain, APPROVED)
    left = set(sets.filter(member_set_id=domain["member_set_id"])["prompt_id"])
    for part in parts:
        _require_members(part, left, domain)
        left -= set(part.prompt_ids)
    if not left:
        raise UsageError(
            f"Nothing would be left of domain {domain['domain_id']}. Leave some prompts out, or "
            "rename it."
        )
    rest_id, rest = member_set(left)
    kept = {"domain_id": domain["domain_id"], "member_set_id": rest_id, "run_id": domain["run_id"]}
    steps, rows = [kept | {"verb": "split"}], [rest]
    for place, part in enumerate(parts):
        set_id, members = member_set(part.prompt_ids)
        made = {"domain_id": new_domain_id(events, set_id, place), "member_set_id": set_id}
        about = {"verb": "split", "other_id": domain["domain_id"], "name": part.name}
        steps.append(about | made | {"run_id": part.run_id})
        rows.append(members)
    return draft(events, steps, signature, rows)


def _require_members(part: Group, left: set[str], domain: Mapping[str, object]) -> None:
    strangers = sorted(set(part.prompt_ids) - left)
    if strangers or not part.prompt_ids:
        found = f"{len(strangers)} others, such as {strangers[0]}" if strangers else "none"
        raise UsageError(
            f"Expected prompts of domain {domain['domain_id']}, each in one part; found {found}. "
            "Look them up in `promptshed domains export`."
        )


def undo(events: pl.DataFrame, event_id: int | None, signature: Signature) -> Draft:
    """Take back the decision an event belongs to; None: the newest one that is no undo.

    Taking back an undo makes its decision count again.

    Raises
    ------
    UsageError
        If there is no such decision, it was taken back already, or a later one builds on it.
    """
    counting = in_force(events)
    if event_id is None:
        newest = counting.filter(pl.col("verb") != "undo")["decision_id"].max()
        if newest is None:
            raise UsageError("There is no decision to take back. See `promptshed domains history`.")
    else:
        newest = _decision_of(events, counting, event_id)
    own = events.filter(decision_id=newest)
    about = own["domain_id"].drop_nulls().unique(maintain_order=True).to_list()
    later = counting.filter(
        (pl.col("decision_id") > newest)
        & (pl.col("domain_id").is_in(about) | pl.col("other_id").is_in(about))
        & ((pl.col("verb") != "undo") | (pl.col("undoes") < newest))
    )
    if not later.is_empty():
        row = later.row(-1, named=True)
        raise UsageError(
            f"Event {row['event_id']} ({row['verb']} of {row['domain_id']}) builds on it. Take "
            f"that back first: `promptshed domains undo {row['event_id']}`."
        )
    steps = [
        {"verb": "undo", "domain_id": domain_id, "undoes": newest} for domain_id in about or [None]
    ]
    return draft(events, steps, signature)


def _decision_of(events: pl.DataFrame, counting: pl.DataFrame, event_id: int) -> int:
    found = events.filter(event_id=event_id)["decision_id"]
    if found.is_empty():
        raise UsageError(f"There is no event {event_id}. See `promptshed domains history`.")
    if counting.filter(event_id=event_id).is_empty():
        by = events.filter(undoes=found.item())["event_id"].max()
        raise UsageError(
            f"Event {event_id} was taken back already by event {by}. To make it count again: "
            f"`promptshed domains undo {by}`."
        )
    return int(found.item())


def require_status(domain: Mapping[str, object], status: str) -> None:
    """Refuse a domain that is not approved, or not retired, as the case may be.

    Raises
    ------
    UsageError
        With what to do instead.
    """
    if domain["merged_into"]:
        raise UsageError(
            f"Domain {domain['domain_id']} was merged into {domain['merged_into']}. Name that one, "
            "or take the merge back: `promptshed domains undo EVENT`."
        )
    if domain["status"] != status:
        raise UsageError(
            f"Domain {domain['domain_id']} is {domain['status']}, expected one that is {status}. "
            "See `promptshed domains list`."
        )
