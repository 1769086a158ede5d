"""The domains as a YAML text: to review, to keep under version control, to bring to another store.

It names prompts by id, a digest of their text, and holds no text.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl
import yaml

from pipeline.config import digest
from pipeline.decisions import Draft, Signature, draft
from pipeline.taxonomy import (
    APPROVED,
    RETIRED,
    domain_name,
    domains_now,
    in_force,
    member_set,
    next_event_id,
)
from profiles.errors import UsageError

_FORMAT = 1
_FIELDS = {"domain_id": str, "name": str, "status": str, "prompt_ids": list}


def taxonomy_text(events: pl.DataFrame, sets: pl.DataFrame) -> str:
    """Return the present domains, and the prompts that were rejected as domains.

    Sorted by id, and with the number of the newest event, so that `read_taxonomy` can tell what
    was decided since.
    """
    prompts_of = dict(
        sets.sort("prompt_id")
        .group_by("member_set_id", maintain_order=True)
        .agg("prompt_id")
        .iter_rows()
    )
    listed = [
        {field: row[field] for field in ("domain_id", "name", "status")}
        | ({"merged_into": row["merged_into"]} if row["merged_into"] else {})
        | {"prompt_ids": prompts_of.get(row["member_set_id"], [])}
        for row in domains_now(events).iter_rows(named=True)
    ]
    refused = in_force(events).filter(verb="reject")["member_set_id"].unique().sort()
    content = {
        "promptshed_taxonomy": _FORMAT,
        "after_event": next_event_id(events) - 1,
        "history": _history(events),
        "domains": listed,
        "rejected": [prompts_of.get(set_id, []) for set_id in refused],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1_000)


def _history(events: pl.DataFrame) -> str:
    """Return a digest of the events, which no other store has."""
    told = events.sort("event_id").select("event_id", "verb", "domain_id", "occurred_at")
    return digest(*(str(row) for row in told.iter_rows()))


def read_taxonomy(
    text: str, events: pl.DataFrame, signature: Signature, *, overwrite: bool = False
) -> Draft:
    """Bring the domains to what a text says, as one decision.

    Domains keep the ids of the text. Those that it does not name stay as they are, and so does
    what it says already.

    Parameters
    ----------
    overwrite
        Also change domains that were decided about after the text was written from these events.

    Raises
    ------
    UsageError
        If the text is no YAML, or not what `taxonomy_text` writes; or if it says otherwise of a
        domain than someone decided since.
    """
    content = _parsed(text)
    newer = {} if overwrite else _decided_since(content, events)
    fields = ("domain_id", "name", "status", "member_set_id", "merged_into")
    present = {row[0]: row for row in domains_now(events).select(fields).iter_rows()}
    steps: list[dict[str, object]] = []
    rows = []
    for place, entry in enumerate(content["domains"]):
        _require_fields(entry, place)
        set_id, members = member_set(entry["prompt_ids"])
        name, merged_into = domain_name(entry["name"]), entry.get("merged_into")
        if present.get(entry["domain_id"]) == (
            entry["domain_id"], name, entry["status"], set_id, merged_into
        ):  # fmt: skip
            continue
        if entry["domain_id"] in newer:
            raise UsageError(_conflict(entry, newer[entry["domain_id"]]))
        about: dict[str, object] = {"domain_id": entry["domain_id"]}
        steps.append(about | {"verb": "approve", "name": name, "member_set_id": set_id})
        if merged_into:
            steps.append(about | {"verb": "merge", "other_id": merged_into})
        elif entry["status"] == RETIRED:
            steps.append(about | {"verb": "retire"})
        rows.append(members)
    known = set(in_force(events).filter(verb="reject")["member_set_id"])
    for set_id, members in map(member_set, content.get("rejected", [])):
        if set_id not in known:
            steps.append({"verb": "reject", "member_set_id": set_id})
            rows.append(members)
    return draft(events, steps, signature, rows)


def _decided_since(content: Mapping[str, Any], events: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the newest event of each domain that was decided about after the text was written.

    Only where the text comes from these very events; numbers of another store say nothing here.
    """
    number = content.get("after_event")
    earlier = events.filter(pl.col("event_id") <= (number if isinstance(number, int) else 0))
    if content.get("history") != _history(earlier):
        return {}
    later = events.filter(pl.col("event_id") > number).sort("event_id")
    return {row["domain_id"]: row for row in later.iter_rows(named=True) if row["domain_id"]}


def _conflict(entry: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    return (
        f"Domain {entry['domain_id']} ({entry['name']}) was changed after this file was exported: "
        f"event {event['event_id']}, {event['verb']} by {event['actor']}. Nothing was imported. "
        "Export again and edit that, or take the file as it is with --overwrite."
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"The taxonomy is no YAML: {error}") from error
    found = content.get("promptshed_taxonomy") if isinstance(content, dict) else None
    if found != _FORMAT:
        raise UsageError(
            f"Expected a taxonomy with `promptshed_taxonomy: {_FORMAT}`, found {found!r}. Make one "
            "with `promptshed domains export`."
        )
    if not isinstance(content.get("domains"), list) or not _are_lists(content.get("rejected", [])):
        raise UsageError("Expected `domains` to be a list, and `rejected` a list of lists.")
    return content


def _are_lists(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, list) for part in value)


def _require_fields(entry: object, place: int) -> None:
    found: dict[str, object] = entry if isinstance(entry, dict) else {}
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(found.get(name), kind)]
    if wrong or found["status"] not in (APPROVED, RETIRED) or not found["prompt_ids"]:
        raise UsageError(
            f"Domain {place + 1} of the taxonomy: expected {', '.join(_FIELDS)} with a status of "
            f"{APPROVED} or {RETIRED} and at least one prompt, found {sorted(found)}."
        )


def changes(events: pl.DataFrame, sets: pl.DataFrame, since: int, until: int) -> pl.DataFrame:
    """Compare the domains as they were after two events.

    Returns
    -------
    DataFrame
        One row for each domain that differs, sorted by id: domain_id, name_before and name_after,
        status_before and status_after (null: there was none), n_prompts_in and n_prompts_out.
    """
    size = sets.group_by("member_set_id").agg("prompt_id")
    columns = ["domain_id", "name", "status", "prompt_id"]
    before, after = (
        domains_now(events.filter(pl.col("event_id") <= number))
        .join(size, on="member_set_id", how="left")
        .select(columns)
        for number in (since, until)
    )
    both = before.join(after, on="domain_id", how="full", coalesce=True, suffix="_after")
    old, new = (pl.col(name).fill_null([]) for name in ("prompt_id", "prompt_id_after"))
    return (
        both.select(
            "domain_id",
            name_before="name",
            name_after="name_after",
            status_before="status",
            status_after="status_after",
            n_prompts_in=new.list.set_difference(old).list.len(),
            n_prompts_out=old.list.set_difference(new).list.len(),
        )
        .filter(
            pl.col("name_before").ne_missing(pl.col("name_after"))
            | pl.col("status_before").ne_missing(pl.col("status_after"))
            | (pl.col("n_prompts_in") + pl.col("n_prompts_out") > 0)
        )
        .sort("domain_id")
    )
