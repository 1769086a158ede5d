"""What came of a run: counted, and kept as outcomes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.answers import Answered, Asked, outcome_tables
from pipeline.results import Result
from pipeline.routed import RoutedRow, open_routed
from pipeline.store import Store
from profiles.tables import OUTCOMES

_STORE_EVERY = 500


@dataclass(kw_only=True)
class Ran:
    """What came of a run."""

    n_rows: int = 0
    n_answered: int = 0
    n_failed: int = 0
    n_escalated: int = 0
    """Rows that more than one model was asked."""
    cost_usd: float = 0.0
    """Known costs of all calls, and the most that lost ones can have cost."""
    n_new: int = 0
    """Outcomes that the store did not have."""
    is_stopped: bool = False
    """The cap was reached before the end."""


def calls_of(line: bytes) -> list[dict[str, Any]]:
    """Return the calls that a line of a run tells of."""
    found = json.loads(line)
    return found.get("promptshed_calls", found.get("calls"))


def billed_usd(calls: Sequence[Mapping[str, Any]]) -> float:
    """Return the most that some calls and those to the judge can have cost."""
    return sum(call["billed_usd"] + call.get("judge_billed_usd", 0.0) for call in calls)


def count_and_store(store: Store, routed: Path, written: Path, run_id: str, ran: Ran) -> None:
    """Count what the lines say, and keep each answered call as an outcome."""
    answered: list[Answered] = []
    with open_routed(routed) as file, written.open("rb") as lines:
        for row, line in zip(file.rows, lines, strict=False):  # a stopped run has fewer lines
            if not line.endswith(b"\n"):
                break
            calls = calls_of(line)
            ran.n_answered += bool(calls) and calls[-1]["problem"] is None
            ran.n_failed += not calls or calls[-1]["problem"] is not None
            ran.n_escalated += len(calls) > 1
            ran.cost_usd += billed_usd(calls)
            answered += _answered(row, calls, file.names, run_id)
            if len(answered) >= _STORE_EVERY:
                ran.n_new += _keep(store, answered, run_id, routed)
    if answered:
        ran.n_new += _keep(store, answered, run_id, routed)


def _answered(
    row: RoutedRow, calls: Sequence[Mapping[str, Any]], names: Mapping[str, str], run_id: str
) -> list[Answered]:
    return [
        Answered(
            asked=Asked(
                request_id=f"{run_id}:{row.row}:{number}",
                prompt_id=row.prompt_id,
                text=row.text,
                payload=row.payload,
                model=call["model"],
                fallbacks=(),
                propensity=row.propensity if number == 0 else None,  # the rest was no draw
                values=row.values,
                names=names,
            ),
            result=Result(
                id=row.id, n_tokens_in=call["n_tokens_in"], n_tokens_out=call["n_tokens_out"]
            ),
            cost_usd=call["cost_usd"],
            latency_s=call["latency_s"],
        )
        for number, call in enumerate(calls)
        if call["is_answer"]
    ]


def _keep(store: Store, answered: list[Answered], run_id: str, routed: Path) -> int:
    tables = outcome_tables(answered, batch_id=run_id, name=routed.name)
    answered.clear()
    return store.append(*tables)[OUTCOMES.name]
