"""Domains as people decide them: an append-only list of events, folded into the present state.

A cluster belongs to a run and is thrown away; a domain is approved and keeps its id for ever.

=========  ========================================================================================
verb       what the event says
=========  ========================================================================================
approve    the domain has this name and these prompts
rename     it has another name
retire     it is out of use
restore    it is in use again
merge      with `other_id`: its prompts belong to that domain; without: it has these prompts now
split      a new domain, made of prompts of `other_id`; without: it has these prompts left
link       a later run found it again, and it has these prompts now
reject     these prompts are no domain
undo       the decision `undoes` does not count
=========  ========================================================================================
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.config import digest
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED
from profiles.table import conform
from profiles.tables import DOMAIN_EVENTS, DOMAINS, MEMBER_SETS

APPROVED, RETIRED = "approved", "retired"


def member_set(prompt_ids: Iterable[str]) -> tuple[str, pl.DataFrame]:
    """Return the id of a set of prompts, the same for the same set, and its table."""
    ordered = sorted(set(prompt_ids))
    set_id = "set-" + digest(*ordered)
    frame = pl.DataFrame({"prompt_id": ordered}).with_columns(member_set_id=pl.lit(set_id))
    return set_id, conform(frame, MEMBER_SETS)


def new_domain_id(events: pl.DataFrame, set_id: str, place: int = 0) -> str:
    """Return an id no domain has had, for the event at this place of the next decision."""
    return "dom-" + digest(set_id, str(next_event_id(events) + place))[:8]


def next_event_id(events: pl.DataFrame) -> int:
    """Return the number of the event to come."""
    return int(events["event_id"].max() or 0) + 1  # pyright: ignore[reportArgumentType]


def decide(
    events: pl.DataFrame,
    *steps: Mapping[str, object],
    actor: str,
    at: datetime,
    reason: str | None = None,
) -> pl.DataFrame:
    """Return one decision as one or more new events, which undo takes back together.

    Fields that a step does not give are null.
    """
    first = next_event_id(events)
    blank: dict[str, object] = {name: None for name in DOMAIN_EVENTS.schema}  # noqa: C420 - typed
    common = {"decision_id": first, "actor": actor, "occurred_at": at, "reason": reason}
    rows = [blank | common | {"event_id": first + i} | dict(s) for i, s in enumerate(steps)]
    return conform(pl.DataFrame(rows, schema=DOMAIN_EVENTS.schema), DOMAIN_EVENTS)


def in_force(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events that no later undo has taken back; an undo can be taken back too."""
    taken_back: set[int] = set()
    undone = events.sort("event_id", descending=True).select("decision_id", "undoes")
    for decision_id, undoes in undone.iter_rows():
        if undoes is not None and decision_id not in taken_back:
            taken_back.add(undoes)
    return events.filter(~pl.col("decision_id").is_in(taken_back))


def domains_now(events: pl.DataFrame) -> pl.DataFrame:
    """Fold the events in force into the DOMAINS table."""
    state: dict[str, dict[str, object]] = {}
    for row in in_force(events).sort("event_id").iter_rows(named=True):
        _apply(state, row)
    return conform(pl.DataFrame(list(state.values()), schema=DOMAINS.schema), DOMAINS)


def _apply(state: dict[str, dict[str, object]], row: Mapping[str, object]) -> None:
    domain_id = row["domain_id"]
    if isinstance(domain_id, str) and row["verb"] != "undo":
        changed = _changed(row, is_new=domain_id not in state)
        known = state.get(domain_id, {"domain_id": domain_id})
        state[domain_id] = known | changed | {"updated_at": row["occurred_at"]}


def _changed(row: Mapping[str, object], *, is_new: bool) -> dict[str, object]:
    """Return the fields of a domain that an event sets."""
    match row["verb"]:
        case "approve":
            return _approved(row)
        case "split" if is_new:
            return _approved(row)
        case "rename" if not is_new:
            return {"name": row["name"]}
        case "retire" | "restore" as verb if not is_new:
            return {"status": RETIRED if verb == "retire" else APPROVED}
        case "merge" if row["other_id"] and not is_new:
            return {"status": RETIRED, "merged_into": row["other_id"]}
        case "merge" | "split" | "link" if not is_new:
            return _members(row) | ({"name": row["name"]} if row["name"] else {})
    raise ValueError(
        f"Event {row['event_id']} has the verb {row['verb']!r}, unknown for "
        f"{'a domain that no event has made' if is_new else 'a domain'}. Was the store written by "
        "a newer Promptshed?"
    )


def _approved(row: Mapping[str, object]) -> dict[str, object]:
    return _members(row) | {
        "name": row["name"],
        "status": APPROVED,
        "approved_by": row["actor"],
        "merged_into": None,
    }


def _members(row: Mapping[str, object]) -> dict[str, object]:
    return {name: row[name] for name in ("member_set_id", "run_id", "cluster_id")}


def domain_name(wanted: str) -> str:
    """Return a name that a domain may have, in one line and without space around it.

    Raises
    ------
    UsageError
        If it is empty or taken by what is in no domain.
    """
    name = " ".join(wanted.split())
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
