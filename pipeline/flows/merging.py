"""Merge: result files of providers to outcomes, answers and the next wave."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from pipeline.answers import Answered, Asked, failed_row, outcome_tables
from pipeline.atomic import replaced_file
from pipeline.emitting import open_manifest
from pipeline.json_text import json_text
from pipeline.price import ListPrices, token_costs
from pipeline.results import Result, read_result
from pipeline.store import Store
from profiles.catalog import batch_prices
from profiles.errors import InputFileError, UsageError
from profiles.tables import OUTCOMES


@dataclass(kw_only=True)
class Merged:
    """What came back."""

    n_answers: int = 0
    n_new: int = 0
    """Outcomes that the store did not have."""
    n_failed: int = 0
    n_missing: int = 0
    """Requests of the manifest without a result in these files."""
    n_unknown: int = 0
    """Results of requests that are not in the manifest."""
    n_unreadable: int = 0
    """Lines that are no result."""
    cost_usd: float | None = None
    """Sum of the known costs; None if none is known."""
    n_cost_unknown: int = 0
    answers_path: Path | None = None
    failed_path: Path | None = None
    """Rows for the next wave; None if nothing failed."""
    errors: dict[str, int] = field(default_factory=dict[str, int])


def merge_results(
    store: Store,
    paths: Sequence[Path],
    manifest: Path,
    answers: Path,
    prices: pl.DataFrame,
    *,
    day: date,
    missing_failed: bool = False,
) -> Merged:
    """Match results to their requests by id, store outcomes, write answers and failures.

    Merging the same files again stores nothing new and writes the same files.

    Parameters
    ----------
    answers
        A .jsonl file; failures go to ``<answers>.failed.jsonl``, routed to their next model.
    prices
        The MODEL_PRICES table; a cost comes from the batch price in force on `day` or is unknown.
    missing_failed
        Treat requests without a result as failed: right when all result files are given.

    Raises
    ------
    InputFileError
        If a file cannot be read.
    UsageError
        If there is no manifest, or the answers would replace a file that is read.
    """
    known = open_manifest(manifest)
    ids = set(known.select("id").collect()["id"])
    merged, seen, lost = Merged(answers_path=answers), set[str](), dict[str, Result]()
    _require_others(answers, (*paths, manifest))
    failed_path = _failed_path(answers)
    with ExitStack() as stack:
        out = stack.enter_context(stack.enter_context(replaced_file(answers)).open("wb"))
        failed = stack.enter_context(stack.enter_context(replaced_file(failed_path)).open("wb"))
        for path in paths:
            results = _results(path, merged)
            merged.n_unknown += len(results.keys() - ids)
            wanted = {each: results[each] for each in (results.keys() & ids) - seen}
            good = {each: result for each, result in wanted.items() if result.error is None}
            seen |= good.keys()
            lost |= {each: wanted[each] for each in wanted.keys() - good.keys()}
            _merge_pairs(store, _pairs(known, good), prices, day, merged, out=out, failed=failed)
        missing = ids - seen - lost.keys()
        merged.n_missing = len(missing)
        if missing_failed:
            lost |= {each: Result(id=each, error="no result") for each in missing}
        still = {each: result for each, result in lost.items() if each not in seen}
        _merge_pairs(store, _pairs(known, still), prices, day, merged, out=out, failed=failed)
    if merged.n_failed:
        merged.failed_path = failed_path
    else:
        failed_path.unlink()
    return merged


def _require_others(answers: Path, read: Sequence[Path]) -> None:
    for path in (answers, _failed_path(answers)):
        if path.exists() and any(other.exists() and path.samefile(other) for other in read):
            raise UsageError(
                f"{path}: expected another file than those read. Name another with -o."
            )


def _failed_path(answers: Path) -> Path:
    return answers.with_name(f"{answers.name}.failed.jsonl")


def _results(path: Path, merged: Merged) -> dict[str, Result]:
    """Return the results of a file by id; of several the first that succeeded."""
    found: dict[str, Result] = {}
    for line in _lines(path):
        result = read_result(line) if line.strip() else None
        if result is None:
            merged.n_unreadable += bool(line.strip())
        elif result.id not in found or found[result.id].error is not None:
            found[result.id] = result
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            yield from stream
    except OSError as error:
        raise InputFileError(
            f"{path}: expected a result file, found: {error.strerror}. Check the path."
        ) from error


def _pairs(known: pl.LazyFrame, results: Mapping[str, Result]) -> list[tuple[Asked, Result, str]]:
    """Return requests, results and batch ids in the order of the routed file."""
    rows = known.filter(pl.col("id").is_in(list(results))).sort("row").collect()
    return [
        (_asked(row), results[row["id"]], row["batch_id"]) for row in rows.iter_rows(named=True)
    ]


def _asked(row: Mapping[str, Any]) -> Asked:
    return Asked(
        request_id=f"{row['batch_id']}:{row['id']}",
        prompt_id=row["prompt_id"],
        text=row["text"],
        payload=row["payload"],
        model=row["model"],
        fallbacks=tuple(row["fallbacks"]),
        propensity=row["propensity"],
        values=json.loads(row["values"]),
        names=json.loads(row["names"]),
    )


def _merge_pairs(
    store: Store,
    pairs: Sequence[tuple[Asked, Result, str]],
    prices: pl.DataFrame,
    day: date,
    merged: Merged,
    *,
    out: BinaryIO,
    failed: BinaryIO,
) -> None:
    good = [(asked, result) for asked, result, _ in pairs if result.error is None]
    costs = batch_costs(good, prices, day=day)
    answered = [
        Answered(asked=asked, result=result, cost_usd=cost)
        for (asked, result), cost in zip(good, costs, strict=True)
    ]
    out.writelines(_line(each.row()) for each in answered)
    for asked, result, _ in pairs:
        if result.error is not None:
            failed.write(_line(failed_row(asked, result.error)))
            merged.n_failed += 1
            merged.errors[result.error] = merged.errors.get(result.error, 0) + 1
    merged.n_answers += len(good)
    merged.n_cost_unknown += sum(cost is None for cost in costs)
    if any(cost is not None for cost in costs):
        merged.cost_usd = (merged.cost_usd or 0.0) + sum(cost or 0.0 for cost in costs)
    if good:
        tables = outcome_tables(answered, batch_id=pairs[0][2], name=f"batch {pairs[0][2]}")
        merged.n_new += store.append(*tables)[OUTCOMES.name]


def batch_costs(
    pairs: Sequence[tuple[Asked, Result]], prices: pl.DataFrame, *, day: date
) -> list[float | None]:
    """Return what answers cost at batch prices; null where tokens or price are not known."""
    frame = pl.DataFrame(
        [
            (asked.model, result.n_tokens_in if result.is_plain else None, result.n_tokens_out)
            for asked, result in pairs
        ],
        schema={"model_id": pl.String, "n_tokens_in": pl.Int64, "n_tokens_out": pl.Int64},
        orient="row",
    )
    return token_costs(frame, ListPrices(prices=batch_prices(prices), day=day)).to_list()


def _line(value: Mapping[str, Any]) -> bytes:
    return json_text(value).encode() + b"\n"
