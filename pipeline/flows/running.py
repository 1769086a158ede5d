"""Run: the rows of a routed file to their models, cheap ones first and others where they fail."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.answers import Answered, Asked, beside, outcome_tables
from pipeline.atomic import replaced_file
from pipeline.calling import Call, Caller
from pipeline.checks import Checks
from pipeline.json_text import json_text
from pipeline.purse import NoMoneyError, Pace, Purse
from pipeline.requests import Template, chat_of, is_text, openai_body
from pipeline.results import Result
from pipeline.resuming import checkpoint_path, kept_part, part_path, settle
from pipeline.routed import RoutedRow, open_routed
from pipeline.store import Store
from profiles.errors import UsageError
from profiles.tables import OUTCOMES

_SETTLE_EVERY = 20
_STORE_EVERY = 500


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run."""

    caller: Caller
    template: Template
    checks: Checks
    prices: Mapping[str, tuple[float, float]]
    """US dollars for a token in and out, by model."""
    max_usd: float | None = None
    """Nothing is asked that could exceed this; needs prices and `max_tokens`."""
    n_at_once: int = 4
    per_minute: float | None = None
    """Most calls started in a minute."""

    def cost_usd(self, model: str, result: Result) -> float | None:
        """Return what an answer cost; None where tokens or price are not known."""
        price, n_in, n_out = self.prices.get(model), result.n_tokens_in, result.n_tokens_out
        if price is None or n_in is None or n_out is None or not result.is_plain:
            return None
        return n_in * price[0] + n_out * price[1]

    def most_usd(self, model: str, body: Mapping[str, Any]) -> float:
        """Return the most a call can cost: a token has at least one byte."""
        price = self.prices.get(model, (0.0, 0.0))
        n_bytes = len(json.dumps(body, ensure_ascii=False).encode())
        return n_bytes * price[0] + (self.template.max_tokens or 0) * price[1]


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


def run_file(
    store: Store,
    routed: Path,
    target: Path,
    options: RunOptions,
    *,
    run_id: str,
    resume: bool = False,
    progress: Callable[[int], None] = lambda _n: None,
) -> Ran:
    """Ask the models of a routed file; one line with an answer or an error for each row, in order.

    Where an answer fails a check, or none comes, the next model of the row's chain is asked; if
    none passes, the last answer is kept with its problem.

    Parameters
    ----------
    target
        A .jsonl file; written as a part that `resume` goes on with.
    run_id
        Names the calls in the store, so that nothing is stored twice.

    Raises
    ------
    InputFileError
        If the routed file cannot be read to its end: nothing is asked then.
    UsageError
        If there is a cap but what a call can cost at most is not known, or nothing to resume.
    """
    if resume and target.exists() and not part_path(target).exists():
        raise UsageError(
            f"{target}: expected an interrupted run, found a whole one. Leave --resume "
            "out to ask, and pay, again."
        )
    _look_through(routed, options)
    done = _read_part(target) if resume else _Done()
    noted = _spent_before(target, run_id) if resume else 0.0
    client, pace = options.caller.client(), Pace(per_minute=options.per_minute)
    ran = Ran(n_rows=done.n_rows)
    with suppress(NoMoneyError), kept_part(target, done.n_bytes, is_paid=True) as stream:
        purse = Purse(
            max_usd=options.max_usd,
            note=lambda gone_usd: _note_spent(target, run_id, gone_usd),
            spent_usd=max(done.billed_usd, noted),
        )
        asker = _Asker(options=options, client=client, purse=purse, pace=pace)
        try:
            with open_routed(routed) as file:
                _write_answers(asker, file.rows, stream, ran, progress, n_done=done.n_rows)
        except NoMoneyError:
            ran.is_stopped = True
            raise
        finally:
            _note_spent(target, run_id, purse.spent_usd)
            _count_and_store(store, routed, part_path(target), run_id, ran)
    if not ran.is_stopped:
        checkpoint_path(target).unlink()
    return ran


def _look_through(routed: Path, options: RunOptions) -> None:
    """Read the whole file before anything is paid, and check that a cap can be kept."""
    models: set[str] = set()
    with open_routed(routed) as file:
        for row in file.rows:
            if row.model is None:
                continue
            models |= {row.model, *row.fallbacks}
            if options.max_usd is not None and not is_text(row.payload):
                raise UsageError(
                    f"{routed}: row {row.row}: --max-usd needs chats of text alone: what a picture "
                    "or a sound costs is not known. Leave the row out, or run without a cap."
                )
    if options.max_usd is None:
        return
    unknown = sorted(models - options.prices.keys())
    if unknown or options.template.max_tokens is None:
        lack = f"the price of {unknown[0]}" if unknown else "max_tokens in the template"
        raise UsageError(
            f"--max-usd needs {lack}, or the most a call can cost is not known. Add it (prices: "
            "`promptshed prices`), or run without a cap."
        )


def _write_answers(
    asker: "_Asker",
    rows: Iterator[RoutedRow],
    stream: BinaryIO,
    ran: Ran,
    progress: Callable[[int], None],
    *,
    n_done: int,
) -> None:
    """Write one line for each row, in order, with some rows under way at once."""
    with ThreadPoolExecutor(asker.options.n_at_once) as pool:
        under_way: deque[Future[dict[str, Any]]] = deque()
        try:
            for row in rows:
                if row.row <= n_done:
                    continue
                under_way.append(pool.submit(asker.serve, row))
                if len(under_way) >= 2 * asker.options.n_at_once:
                    _write_next(under_way, stream, ran, progress)
            while under_way:
                _write_next(under_way, stream, ran, progress)
        finally:
            settle(stream)
            pool.shutdown(wait=True, cancel_futures=True)


def _write_next(
    under_way: deque[Future[dict[str, Any]]],
    stream: BinaryIO,
    ran: Ran,
    progress: Callable[[int], None],
) -> None:
    line = under_way.popleft().result()
    stream.write(json_text(line).encode() + b"\n")
    ran.n_rows += 1
    if ran.n_rows % _SETTLE_EVERY == 0:
        settle(stream)
    progress(ran.n_rows)


@dataclass(frozen=True, kw_only=True)
class _Asker:
    options: RunOptions
    client: Any
    purse: Purse
    pace: Pace

    def serve(self, row: RoutedRow) -> dict[str, Any]:
        """Ask the models of one row until an answer passes."""
        calls: list[dict[str, Any]] = []
        best, best_model, problem = Result(id=row.id, error="no model"), None, "no model"
        for model in (row.model, *row.fallbacks) if row.model else ():
            call, cost_usd, billed_usd = self._ask(row, model)
            problem = call.result.error or self.options.checks.problem_of(call.result)
            calls.append(
                {
                    "model": model,
                    "problem": problem,
                    "is_answer": call.result.error is None,
                    "n_tokens_in": call.result.n_tokens_in,
                    "n_tokens_out": call.result.n_tokens_out,
                    "cost_usd": cost_usd,
                    "billed_usd": billed_usd,
                    "latency_s": round(call.latency_s, 6),
                }
            )
            if call.result.error is None or best.answer is None:
                best, best_model = call.result, model
            if problem is None:
                break
        ours = {"answer": best.answer, "answer_model": best_model, "problem": problem}
        return beside(row.values, ours | {"calls": calls})

    def _ask(self, row: RoutedRow, model: str) -> tuple[Call, float | None, float]:
        """Ask one model; returns the call, its known cost, and the most it can have cost."""
        options = self.options
        name = options.template.models.get(model, model)
        chat = chat_of(row.payload, row.text, options.template)
        most = options.most_usd(model, openai_body(chat, name, options.template))
        held = most * options.caller.n_tries if options.max_usd is not None else 0.0
        self.purse.hold(held)
        billed = held  # whatever ends this call otherwise
        try:
            self.pace.wait()
            call = options.caller.ask(self.client, row.id, name, chat, options.template)
            cost = options.cost_usd(model, call.result)
            unknown = most if call.result.error is None else 0.0
            billed = call.n_lost * most + (unknown if cost is None else cost)
        finally:
            self.purse.settle(held, billed)
        return call, cost, billed


def _note_spent(target: Path, run_id: str, spent_usd: float) -> None:
    """Keep what was spent: answers behind the row where a run ends are paid, but not written."""
    with replaced_file(checkpoint_path(target)) as temporary:
        noted = {"run_id": run_id, "spent_usd": spent_usd}
        temporary.write_text(json.dumps(noted), encoding="utf-8")


def _spent_before(target: Path, run_id: str) -> float:
    """Return what an interrupted run spent; refuse to go on with one of another file."""
    if not checkpoint_path(target).exists():
        return 0.0
    found = json.loads(checkpoint_path(target).read_text(encoding="utf-8"))
    if found["run_id"] != run_id:
        raise UsageError(
            f"{target}: the interrupted run had another routed file, template or checks. Name "
            "those again, or run without --resume to start again."
        )
    return float(found["spent_usd"])


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What the part of an interrupted run holds, a broken last line aside."""

    n_rows: int = 0
    n_bytes: int = 0
    billed_usd: float = 0.0


def _read_part(target: Path) -> _Done:
    part = part_path(target)
    if not part.exists():
        return _Done()
    n_rows, n_bytes, billed_usd = 0, 0, 0.0
    with part.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                n_rows, n_bytes = n_rows + 1, n_bytes + len(line)
                billed_usd += sum(call["billed_usd"] for call in _calls_of(line))
    return _Done(n_rows=n_rows, n_bytes=n_bytes, billed_usd=billed_usd)


def _calls_of(line: bytes) -> list[dict[str, Any]]:
    found = json.loads(line)
    return found.get("promptshed_calls", found.get("calls"))


def _count_and_store(store: Store, routed: Path, written: Path, run_id: str, ran: Ran) -> None:
    """Count what the lines say, and keep each answered call as an outcome."""
    answered: list[Answered] = []
    with open_routed(routed) as file, written.open("rb") as lines:
        for row, line in zip(file.rows, lines, strict=False):  # a stopped run has fewer lines
            if not line.endswith(b"\n"):
                break
            calls = _calls_of(line)
            ran.n_answered += bool(calls) and calls[-1]["problem"] is None
            ran.n_failed += not calls or calls[-1]["problem"] is not None
            ran.n_escalated += len(calls) > 1
            ran.cost_usd += sum(call["billed_usd"] for call in calls)
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
