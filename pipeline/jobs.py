"""Jobs: the long verbs as processes of their own, each with a small record beside the store.

A record is a JSON file that only its own process replaces, so a page, another terminal or the
page after a restart all read the same. Nothing about a running job enters the store.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.atomic import replaced_file
from pipeline.progress import watched
from profiles.errors import INTERRUPTED, SOME_ROWS_REJECTED, UsageError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

RUNNING, DONE, FAILED, CANCELLED, DIED = "running", "done", "failed", "cancelled", "died"
_JOB_ID = "PROMPTSHED_JOB"
_KEPT = 100
_LEAST_BETWEEN_WRITES_S = 0.5
_FINE = {0, SOME_ROWS_REJECTED}
_LOG_TAIL_BYTES = 4000
_ALONE = {
    "demo",
    "discover",
}  # two at once would make two newest runs
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One long verb, running or ended."""

    job_id: str
    arguments: tuple[str, ...]
    """As after `promptshed`."""
    pid: int
    started_at: str
    """ISO 8601, UTC."""
    ended_at: str | None = None
    exit_code: int | None = None
    """None while it runs, and for ever if it was killed."""
    counting: str | None = None
    """What is being counted, such as `encode`."""
    n_done: int = 0
    n_total: int | None = None
    born: str | None = None
    """When the process began, in ticks since the machine did: a number that was used again has
    another one. None where the system does not say."""

    @property
    def state(self) -> str:
        """Return running, done, failed, cancelled, or died (killed without a word)."""
        if self.exit_code is None:
            return RUNNING if _is_alive(self) else DIED
        if self.exit_code == INTERRUPTED:
            return CANCELLED
        return DONE if self.exit_code in _FINE else FAILED

    @property
    def verb(self) -> str:
        """Return the verb, such as `discover`."""
        return self.arguments[0] if self.arguments else ""


def folder_of(store_path: Path) -> Path:
    """Return where the records and logs of a store's jobs are."""
    return store_path.with_name(f"{store_path.name}.jobs")


def read_jobs(store_path: Path) -> tuple[Job, ...]:
    """Return the jobs of a store, newest first; a broken record is passed over."""
    jobs = []
    for path in folder_of(store_path).glob("*.json"):
        with suppress(OSError, ValueError, TypeError, LookupError):
            fields = json.loads(path.read_text(encoding="utf-8"))
            jobs.append(Job(**fields | {"arguments": tuple(fields["arguments"])}))
    return tuple(sorted(jobs, key=lambda job: (job.started_at, job.job_id), reverse=True))


def start_job(store_path: Path, arguments: Sequence[str]) -> str:
    """Start a verb in a process of its own, which outlives this one; returns its id.

    What it prints is kept in `log_of`.

    Raises
    ------
    UsageError
        If the verb runs alone, and another one of it runs.
    """
    job_id = _new_id()
    folder = folder_of(store_path)
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder):
        if arguments[0] in _ALONE:
            _require_alone(store_path, _fresh(job_id, arguments, os.getpid()))
        _spawn(store_path, job_id, arguments)
    return job_id


def _spawn(store_path: Path, job_id: str, arguments: Sequence[str]) -> None:
    folder = folder_of(store_path)
    named = [] if "--store" in arguments else ["--store", str(store_path)]  # a job that goes on
    command = [sys.executable, "-m", "pipeline", *arguments, *named]
    environment = os.environ | {_JOB_ID: job_id, "PYTHONPATH": os.pathsep.join(sys.path)}
    with _log_path(folder, job_id).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own verbs, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    _CHILDREN[process.pid] = process
    _write(folder, _fresh(job_id, arguments, process.pid))


def started_by_page() -> bool:
    """Tell whether this process was started by `start_job`, which waits for its record."""
    return _JOB_ID in os.environ


def cancel_job(job: Job) -> None:
    """Interrupt a running job as Ctrl-C does: what it saved stays, and it can be run again."""
    if job.state == RUNNING:
        os.kill(job.pid, signal.SIGINT)


def log_of(store_path: Path, job: Job, *, most_bytes: int = _LOG_TAIL_BYTES) -> str:
    """Return the end of what a job printed; empty for one that was started at a terminal."""
    path = _log_path(folder_of(store_path), job.job_id)
    if not path.is_file():
        return ""
    return path.read_bytes()[-most_bytes:].decode("utf-8", "replace")


@contextmanager
def recorded(store_path: Path, arguments: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Keep a record of the verb that runs inside; gives a function that takes its exit code.

    Raises
    ------
    UsageError
        If the verb runs alone, and another one of it runs; `start_job` has looked already.
    """
    folder = folder_of(store_path)
    job = _fresh(os.environ.get(_JOB_ID) or _new_id(), arguments, os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    _prune(folder)
    record = _Record(folder=folder, job=job)
    with _one_at_a_time(folder):
        if job.verb in _ALONE and not started_by_page():
            _require_alone(store_path, job)
        record.write()
    try:
        with watched(record.count):
            yield record.end
    except KeyboardInterrupt:
        record.end(INTERRUPTED)
        raise
    except BaseException as error:
        record.end(getattr(error, "exit_code", 1))
        raise


@dataclass(kw_only=True)
class _Record:
    folder: Path
    job: Job
    written_at: float = 0.0

    def count(self, label: str, n_done: int, n_total: int | None) -> None:
        self.job = replace(self.job, counting=label, n_done=n_done, n_total=n_total)
        if time.monotonic() - self.written_at > _LEAST_BETWEEN_WRITES_S:
            self.write()

    def end(self, exit_code: int) -> None:
        self.job = replace(self.job, exit_code=exit_code, ended_at=_now())
        self.write()

    def write(self) -> None:
        self.written_at = time.monotonic()
        _write(self.folder, self.job)


def _fresh(job_id: str, arguments: Sequence[str], pid: int) -> Job:
    return Job(
        job_id=job_id, arguments=tuple(arguments), pid=pid, started_at=_now(), born=_born(pid)
    )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time look whether it may run and say that it does."""
    with (folder / "starting.lock").open("w", encoding="utf-8") as stream:
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _require_alone(store_path: Path, job: Job) -> None:
    for other in read_jobs(store_path):
        same = other.verb == job.verb and other.job_id != job.job_id
        if same and other.state == RUNNING:
            raise UsageError(
                f"Another `promptshed {job.verb}` of this store runs since {other.started_at} "
                f"(process {other.pid}). Wait for it, or cancel it first."
            )


def _write(folder: Path, job: Job) -> None:
    with replaced_file(folder / f"{job.job_id}.json") as temporary:
        temporary.write_text(json.dumps(asdict(job)), encoding="utf-8")


def _prune(folder: Path) -> None:
    """Forget the oldest jobs; ids begin with the time."""
    for path in sorted(folder.glob("*.json"))[:-_KEPT]:
        path.unlink(missing_ok=True)
        _log_path(folder, path.stem).unlink(missing_ok=True)


def _log_path(folder: Path, job_id: str) -> Path:
    return folder / f"{job_id}.log"


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_alive(job: Job) -> bool:
    if job.pid in _CHILDREN:
        return _CHILDREN[job.pid].poll() is None  # one that ended stays a zombie until it is asked
    try:
        os.kill(job.pid, 0)
    except OSError:  # gone, or someone else's by now
        return False
    return job.born is None or _born(job.pid) in {None, job.born}


def _born(pid: int) -> str | None:
    """Return when a process began, in ticks since the machine did; None where there is no /proc.

    A killed one that nobody has waited for is still listed, but has ended.
    """
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return "ended" if state in {"Z", "X"} else fields[18]
