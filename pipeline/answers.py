"""What came back from models, written beside the rows it answers: answers, failures, outcomes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipeline.results import Result
from profiles.table import Table, conform
from profiles.tables import IMPORTS, OUTCOMES, PROMPTS, REQUESTS

_PREFIX = "promptshed_"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request that was sent."""

    request_id: str
    """Different for every request ever sent; the same when it is read again."""
    prompt_id: str
    text: str
    payload: str | None
    model: str
    fallbacks: tuple[str, ...]
    """Whom to ask next."""
    propensity: float | None
    values: Mapping[str, Any]
    """The routed row."""
    names: Mapping[str, str]
    """The row's column for each column of the receipt."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One request that was answered."""

    asked: Asked
    result: Result
    cost_usd: float | None
    """Null is unknown."""
    latency_s: float | None = None

    def row(self) -> dict[str, Any]:
        """Return the routed row with the answer."""
        ours = {
            "answer": self.result.answer,
            "answer_model": self.asked.model,
            "finish_reason": self.result.finish_reason,
            "n_tokens_in": self.result.n_tokens_in,
            "n_tokens_out": self.result.n_tokens_out,
            "cost_usd": self.cost_usd,
        }
        return beside(self.asked.values, ours)


def beside(values: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with our columns after its own; all have a prefix if one name is taken."""
    prefix = _PREFIX if ours.keys() & values.keys() else ""
    return {**values, **{f"{prefix}{name}": value for name, value in ours.items()}}


def failed_row(asked: Asked, error: str | None) -> dict[str, Any]:
    """Return the row as a routed one for its next model, without one where the chain has ended.

    What was expected of the model that failed, and its propensity, do not hold for the next one.
    """
    following, rest = asked.fallbacks[:1], asked.fallbacks[1:]
    receipt = {
        "model": following[0] if following else None,
        "fallback": rest[0] if rest else None,
        "fallbacks": list(rest),
        "reason": f"{asked.model} failed: {error}",
        **dict.fromkeys(["expected_quality", "quality_lo", "quality_hi", "expected_cost_usd"]),
        "propensity": None,
    }
    renamed = {asked.names[name]: value for name, value in receipt.items() if name in asked.names}
    return {**asked.values, **renamed}


def outcome_tables(
    answered: Sequence[Answered], *, batch_id: str, name: str
) -> list[tuple[Table, pl.DataFrame]]:
    """Return what is to be stored of answered requests; their quality is unknown.

    Parameters
    ----------
    batch_id
        Names the import they came with.
    name
        Of the file, for the list of imports.
    """
    prompts = [
        {"prompt_id": each.asked.prompt_id, "text": each.asked.text, "label": None}
        for each in answered
    ]
    requests = [
        {
            "request_id": each.asked.request_id,
            "prompt_id": each.asked.prompt_id,
            "import_id": batch_id,
            "occurred_at": None,
            "external_id": each.result.id,
            "payload": each.asked.payload,
        }
        for each in answered
    ]
    outcomes = [
        {
            "prompt_id": each.asked.prompt_id,
            "model_id": each.asked.model,
            "request_id": each.asked.request_id,
            "quality": None,
            "cost_usd": each.cost_usd,
            "latency_s": each.latency_s,
            "n_tokens_in": each.result.n_tokens_in,
            "n_tokens_out": each.result.n_tokens_out,
            "propensity": each.asked.propensity,
        }
        for each in answered
    ]
    imported = {
        "import_id": batch_id,
        "file_digest": batch_id,
        "file_name": name,
        "imported_at": datetime.now(UTC),
        "n_rows": len(answered),
        "n_rejected": 0,
        "mapping": json.dumps({"batch": batch_id}),
    }
    made = ((IMPORTS, [imported]), (PROMPTS, prompts), (REQUESTS, requests), (OUTCOMES, outcomes))
    return [
        (table, conform(pl.DataFrame(part, schema=table.schema).unique(table.key), table))
        for table, part in made
    ]
