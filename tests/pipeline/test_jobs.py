import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.jobs import (
    CANCELLED,
    DIED,
    DONE,
    FAILED,
    RUNNING,
    Job,
    cancel_job,
    folder_of,
    log_of,
    read_jobs,
    recorded,
    start_job,
)
from pipeline.progress import progress_bar
from profiles.errors import UsageError
from tests.support import run_command

_PATIENCE_S = 60


@pytest.fixture
def store_path(tmp_path):
    return tmp_path / "store.duckdb"


def waited(store_path, condition):
    """Return the newest job as soon as the condition holds for it."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        jobs = read_jobs(store_path)
        if jobs and condition(jobs[0]):
            return jobs[0]
        time.sleep(0.05)
    raise AssertionError(read_jobs(store_path))


def test_a_verb_leaves_a_record(capsys, tmp_path, store_path):
    """Arguments, process, times and exit code are kept, whoever started it."""
    (tmp_path / "in.csv").write_text("prompt,model,quality\nHi,a,1\nHo,a,fast\n")
    assert run_command(capsys, "import", tmp_path / "in.csv", "--store", store_path)[0] == 3
    [job] = read_jobs(store_path)
    assert (job.verb, job.arguments[1], job.pid) == (
        "import",
        str(tmp_path / "in.csv"),
        os.getpid(),
    )
    assert (job.exit_code, job.state) == (3, DONE)
    assert job.started_at <= job.ended_at


def test_progress_is_told_while_it_runs(store_path):
    """What is counted, how many are done, and of how many."""
    with recorded(store_path, ["discover"], alone=True) as end:
        assert read_jobs(store_path)[0].state == RUNNING
        bar = progress_bar("encode", 10)
        bar.update(4)
        bar.update(3)
        bar.close()
        end(0)
    [job] = read_jobs(store_path)
    assert (job.counting, job.n_done, job.n_total, job.state) == ("encode", 7, 10, DONE)


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (UsageError("no"), FAILED, 2),
        (ValueError("bug"), FAILED, 1),
        (KeyboardInterrupt(), CANCELLED, 130),
    ],
)
def test_every_end_is_recorded(store_path, error, state, code):
    """A refusal, a bug and an interrupt each have their state, and are raised on."""
    with pytest.raises(type(error)), recorded(store_path, ["route"], alone=False):
        raise error
    [job] = read_jobs(store_path)
    assert (job.state, job.exit_code) == (state, code)


def test_one_discovery_at_a_time(store_path):
    """The second is refused with who runs and since when; other verbs are not."""
    with recorded(store_path, ["discover"], alone=True):
        with (
            pytest.raises(UsageError, match=rf"runs since .*process {os.getpid()}.*cancel it"),
            recorded(store_path, ["discover"], alone=True),
        ):
            pass
        with recorded(store_path, ["evaluate"], alone=True):
            pass


def test_a_killed_process_is_seen(store_path):
    """Nobody could write its end; the process is gone all the same."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    folder_of(store_path).mkdir()
    job = Job(
        job_id="x", arguments=("route",), pid=process.pid, started_at="2026-01-01T00:00:00+00:00"
    )
    record = {**job.__dict__, "arguments": ["route"]}
    (folder_of(store_path) / "x.json").write_text(json.dumps(record))
    assert read_jobs(store_path)[0].state == DIED
    living = replace(job, pid=os.getpid())
    assert living.state == DIED  # another process has the number by now
    assert replace(living, started_at="2126-01-01T00:00:00+00:00").state == RUNNING


def test_broken_records_are_passed_over(store_path):
    """A half-written or foreign file hides no other job."""
    with recorded(store_path, ["profile"], alone=False) as end:
        end(0)
    for name, text in {"a": "{", "b": "[]", "c": '{"job_id": "c"}'}.items():
        (folder_of(store_path) / f"{name}.json").write_text(text)
    assert [job.verb for job in read_jobs(store_path)] == ["profile"]


def test_a_job_runs_in_a_process_of_its_own(tmp_path, store_path):
    """Its record and its output can be read from here, and its result is in the store."""
    (tmp_path / "in.csv").write_text("prompt,model,quality\nHi,a,1\n")
    job_id = start_job(store_path, ["import", str(tmp_path / "in.csv")])
    job = waited(store_path, lambda found: found.state != RUNNING)
    assert (job.job_id, job.state, job.pid != os.getpid()) == (job_id, DONE, True)
    assert "1 rows, 1 prompts" in log_of(store_path, job)
    assert store_path.exists()


def test_a_refused_job_says_why(store_path):
    """Its log ends with the message that a terminal would have shown."""
    start_job(store_path, ["import", "nowhere.csv"])
    job = waited(store_path, lambda found: found.state != RUNNING)
    assert (job.state, job.exit_code) == (FAILED, 1)
    assert "nowhere.csv: expected a file" in log_of(store_path, job)


def test_a_cancelled_job_ends_as_by_ctrl_c(store_path, monkeypatch):
    """The interrupt reaches the process, whatever it is doing."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        now = datetime.now(UTC).isoformat()
        job = Job(job_id="x", arguments=("route",), pid=process.pid, started_at=now)
        cancel_job(job)
        assert process.wait(_PATIENCE_S) == -signal.SIGINT
    cancel_job(job)  # gone already: nothing to do
