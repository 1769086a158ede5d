import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread

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
    with recorded(store_path, ["discover"]) as end:
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
    with pytest.raises(type(error)), recorded(store_path, ["route"]):
        raise error
    [job] = read_jobs(store_path)
    assert (job.state, job.exit_code) == (state, code)


def test_one_discovery_at_a_time(store_path):
    """The second is refused with who runs and since when; other verbs are not."""
    with recorded(store_path, ["discover"]):
        with (
            pytest.raises(UsageError, match=rf"runs since .*process {os.getpid()}.*cancel it"),
            recorded(store_path, ["discover"]),
        ):
            pass
        with recorded(store_path, ["evaluate"]):
            pass


def test_of_many_that_start_at_once_one_runs(store_path):
    """Each looks and then says that it runs: nobody may look in between."""
    ready, done, ran, refused = Barrier(8), Barrier(8), [], []

    def start():
        ready.wait(_PATIENCE_S)
        try:
            with recorded(store_path, ["discover"]) as end:
                ran.append(1)
                done.wait(_PATIENCE_S)
                end(0)
        except UsageError:
            refused.append(1)
            done.wait(_PATIENCE_S)

    threads = [Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE_S)
    assert (len(ran), len(refused)) == (1, 7)


def test_a_page_is_told_at_once_that_a_discovery_runs(store_path):
    """No process is started only to be refused; other verbs are started."""
    with recorded(store_path, ["discover"]), pytest.raises(UsageError, match="cancel it first"):
        start_job(store_path, ["discover"])
    assert len(read_jobs(store_path)) == 1


def test_a_killed_process_is_seen(store_path):
    """Nobody could write its end; the process is gone all the same, and another may start."""
    code = "import sys, time; sys.argv = ['promptshed', 'discover']\n"
    code += "from pathlib import Path; from pipeline.jobs import recorded\n"
    code += f"with recorded(Path({str(store_path)!r}), ['discover']): time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        waited(store_path, lambda job: job.state == RUNNING)
        process.kill()
        process.wait(_PATIENCE_S)
    assert read_jobs(store_path)[0].state == DIED
    with recorded(store_path, ["discover"]) as end:
        end(0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_number_that_was_used_again_is_another_process(store_path):
    """A process that began at another moment is not the job's, however old its record is."""
    with recorded(store_path, ["route"]) as end:
        [job] = read_jobs(store_path)
        assert job.state == RUNNING
        assert replace(job, born="1").state == DIED
        assert replace(job, born=None).state == RUNNING  # of an older record it is not known
        end(0)


def test_jobs_of_one_second_are_in_the_order_they_were_started(store_path):
    """The newest is first, also of some that start at once."""
    verbs = ["profile", "import", "route", "evaluate", "export", "axes"]
    for verb in verbs:
        with recorded(store_path, [verb]) as end:
            end(0)
    assert [job.verb for job in read_jobs(store_path)] == verbs[::-1]


def test_broken_records_are_passed_over(store_path):
    """A half-written or foreign file hides no other job."""
    with recorded(store_path, ["profile"]) as end:
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
