"""Run: the rows of a routed file to their models, cheap ones first and others where they fail."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.atomic import replaced_file
from pipeline.flows.asking import Asker, RunOptions
from pipeline.flows.counting import Ran, billed_usd, calls_of, count_and_store
from pipeline.json_text import json_text
from pipeline.purse import NoMoneyError, Pace, Purse
from pipeline.requests import is_text
from pipeline.resuming import checkpoint_path, kept_part, part_path, settle
from pipeline.routed import RoutedRow, open_routed
from pipeline.store import Store
from profiles.errors import UsageError

_SETTLE_EVERY = 20


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
        asker = Asker(options=options, client=client, purse=purse, pace=pace)
        try:
            with open_routed(routed) as file:
                _write_answers(asker, file.rows, stream, ran, progress, n_done=done.n_rows)
        except NoMoneyError:
            ran.is_stopped = True
            raise
        finally:
            _note_spent(target, run_id, purse.spent_usd)
            count_and_store(store, routed, part_path(target), run_id, ran)
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
    if options.checks.judge is not None:
        models.add(options.checks.judge.model)
    unknown = sorted(models - options.prices.keys())
    if unknown or options.template.max_tokens is None:
        lack = f"the price of {unknown[0]}" if unknown else "max_tokens in the template"
        raise UsageError(
            f"--max-usd needs {lack}, or the most a call can cost is not known. Add it (prices: "
            "`promptshed prices`), or run without a cap."
        )


def _write_answers(
    asker: "Asker",
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
    stream.flush()  # it was paid: kill -9 must not lose it
    ran.n_rows += 1
    if ran.n_rows % _SETTLE_EVERY == 0:
        settle(stream)
    progress(ran.n_rows)


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
    n_rows, n_bytes, gone_usd = 0, 0, 0.0
    with part.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                n_rows, n_bytes = n_rows + 1, n_bytes + len(line)
                gone_usd += billed_usd(calls_of(line))
    return _Done(n_rows=n_rows, n_bytes=n_bytes, billed_usd=gone_usd)
