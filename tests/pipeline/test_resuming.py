import json
import signal
import subprocess
import sys

import polars as pl
import pytest

from pipeline.batch import Shard, route_file
from pipeline.resuming import (
    Keeping,
    _require_same,
    checkpoint_path,
    input_identity,
    kept_part,
    part_path,
    read_checkpoint,
)
from profiles.errors import UsageError
from tests.pipeline.test_batch import decide

NAMES = ["out.csv", "out.jsonl", "out.csv.gz", "out.jsonl.zst"]
LINES = [f'{number},"Write a poem\nabout =1+1, é {number}"\n' for number in range(40)]
BROKEN = "7,x,broken,row\n"


class Counter:
    """A decision that depends on those before it, as a budget does."""

    def __init__(self, n_done=0, stop_after=None):
        self.n_done, self.stop_after = n_done, stop_after

    def decide(self, texts, _lines=()):
        if self.stop_after is not None and self.n_done >= self.stop_after:
            raise KeyboardInterrupt
        numbered = [f"{self.n_done + place}" for place in range(len(texts))]
        self.n_done += len(texts)
        return decide(texts).with_columns(pl.Series("reason", numbered))

    def state(self):
        return {"n_done": self.n_done}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.csv"
    text = "id,prompt\n" + "".join(LINES[:9]) + BROKEN + "".join(LINES[9:]) + BROKEN
    path.write_text(text, encoding="utf-8")
    return path


def route(source, target, *, stop_after=None, resume=False):
    asked = {"table version": 3} | input_identity(source)
    found = read_checkpoint(target, asked) if resume else None
    counter = Counter(int(found.state["n_done"]) if found else 0, stop_after)
    keeping = Keeping(asked=asked, resume=found, state=counter.state)
    return route_file(source, target, counter.decide, chunk_rows=3, keeping=keeping)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_was_stopped_often_ends_in_the_same_bytes(tmp_path, source, name):
    """Output, rejects and summary are those of one run, wherever the others were stopped."""
    whole = tmp_path / f"whole-{name}"
    expected = route(source, whole)
    target = tmp_path / name
    for stop_after in (0, 2, 9, 10, 30):
        with pytest.raises(KeyboardInterrupt):
            route(source, target, stop_after=stop_after, resume=True)
        assert not target.exists()
    with part_path(target).open("ab") as part:
        part.write(b"written after the last checkpoint")
    summary = route(source, target, resume=True)
    assert target.read_bytes() == whole.read_bytes()
    rejects = summary.rejects_path.read_bytes()
    assert rejects == expected.rejects_path.read_bytes()
    assert (summary.n_rows, summary.n_rejected, summary.n_guarded) == (42, 2, expected.n_guarded)
    assert summary.calls == expected.calls
    assert summary.first_rejects == expected.first_rejects
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


DYING = """
import os, sys
from pathlib import Path
from pipeline.batch import route_file
from pipeline.resuming import Keeping, input_identity, read_checkpoint
from tests.pipeline.test_resuming import Counter

source, target, n_rows_at_most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
asked = {"table version": 3} | input_identity(source)
found = read_checkpoint(target, asked)
counter = Counter(int(found.state["n_done"]) if found else 0)
keeping = Keeping(asked=asked, resume=found, state=counter.state)
die = lambda n_rows: n_rows >= n_rows_at_most and os.kill(os.getpid(), 9)
route_file(source, target, counter.decide, chunk_rows=3, keeping=keeping, progress=die)
"""


def test_a_process_that_is_killed_leaves_what_another_can_go_on_with(tmp_path, source):
    """Nothing cleans up after kill -9; `scale.py kill`, a benchmark, does it at random moments."""
    whole, target = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    route(source, whole)
    for n_rows_at_most in ("2", "17"):
        arguments = [sys.executable, "-c", DYING, source, target, n_rows_at_most]
        assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    route(source, target, resume=True)
    assert target.read_bytes() == whole.read_bytes()


def stop(source, target):
    with pytest.raises(KeyboardInterrupt):
        route(source, target, stop_after=9)


def test_another_input_is_refused(tmp_path, source):
    """Size, time and first bytes tell."""
    target = tmp_path / "out.csv"
    stop(source, target)
    source.write_text(source.read_text(encoding="utf-8") + LINES[0], encoding="utf-8")
    with pytest.raises(UsageError, match=r"had input_bytes \d+, this one has .*without --resume"):
        route(source, target, resume=True)


def test_another_table_is_refused(tmp_path, source):
    """The message names what differs and both values."""
    target = tmp_path / "out.csv"
    stop(source, target)
    asked = {"table version": 4} | input_identity(source)
    with pytest.raises(UsageError, match="had table version 3, this one has 4"):
        read_checkpoint(target, asked)


def test_a_damaged_checkpoint_is_refused(tmp_path, source):
    """It cannot be told how far the run came."""
    target = tmp_path / "out.csv"
    stop(source, target)
    checkpoint_path(target).write_text('{"version": 1', encoding="utf-8")
    with pytest.raises(UsageError, match="expected a checkpoint, found"):
        route(source, target, resume=True)
    checkpoint_path(target).write_text('{"version": 1, "n": 2}', encoding="utf-8")
    with pytest.raises(UsageError, match="expected a checkpoint, found"):
        route(source, target, resume=True)


def test_a_checkpoint_without_its_part_is_none(tmp_path, source):
    """The file got its name, and then the process was killed: the run starts again."""
    target = tmp_path / "out.csv"
    stop(source, target)
    part_path(target).rename(target)
    assert route(source, target, resume=True).n_rows == 42


def test_a_part_that_was_begun_anew_is_none(tmp_path, source):
    """Killed after the part was cut and before the old checkpoint was gone: it starts again."""
    target = tmp_path / "out.csv"
    stop(source, target)
    part_path(target).write_bytes(b"")
    assert route(source, target, resume=True).n_rows == 42
    assert target.read_text(encoding="utf-8").count("Write a poem") == 40


def test_without_resume_the_run_starts_again(tmp_path, source):
    """Nothing of the interrupted run is in the file."""
    target = tmp_path / "out.csv"
    stop(source, target)
    assert json.loads(checkpoint_path(target).read_text(encoding="utf-8"))["n_rows"] == 9
    assert route(source, target).n_rows == 42
    assert target.read_text(encoding="utf-8").count("Write a poem") == 40


def test_two_runs_of_one_target_are_told_apart(tmp_path):
    """The second one is refused and does no harm."""
    with kept_part(tmp_path / "out.csv", 0) as first:
        first.write(b"first")
        message = "found another run at it"
        with pytest.raises(UsageError, match=message), kept_part(tmp_path / "out.csv", 0):
            pass
    assert (tmp_path / "out.csv").read_bytes() == b"first"


def test_a_second_run_does_no_harm_to_the_first(tmp_path, source):
    """Started while the first one writes, it is refused, and the first one's file is whole."""
    whole, target = tmp_path / "whole.csv", tmp_path / "out.csv"
    route(source, whole)
    asked = {"table version": 3} | input_identity(source)

    def begin_another(n_rows):
        if n_rows == 9:
            with pytest.raises(UsageError, match="found another run at it"):
                route(source, target)

    counter = Counter()
    keeping = Keeping(asked=asked, state=counter.state)
    route_file(
        source, target, counter.decide, chunk_rows=3, keeping=keeping, progress=begin_another
    )
    assert target.read_bytes() == whole.read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_part_that_got_its_name_meanwhile_is_left_alone(tmp_path):
    """Between opening and locking the other run may have ended."""
    target = tmp_path / "out.csv"
    part_path(target).write_bytes(b"whole")
    with part_path(target).open("r+b") as stream:
        part_path(target).replace(target)
        with pytest.raises(UsageError, match="found another run at it"):
            _require_same(stream, part_path(target), target, 0)
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("of", [1, 3, 14])
def test_shards_one_after_the_other_are_the_whole(tmp_path, source, name, of):
    """Each row, and each reject, is in one of them; the header is in the first one alone."""
    whole = tmp_path / f"whole-{name}"
    route_file(source, whole, decide, chunk_rows=3)
    parts, n_rejected = b"", 0
    for number in range(1, of + 1):
        target = tmp_path / f"{number}-{name}"
        shard = Shard(number=number, of=of)
        n_rejected += route_file(source, target, decide, chunk_rows=3, shard=shard).n_rejected
        parts += target.read_bytes()
    assert parts == whole.read_bytes()
    assert n_rejected == 2


def test_more_shards_than_parts_are_refused(tmp_path, source):
    """The message says how many are possible."""
    with pytest.raises(UsageError, match=r"Use at most 14 shards\."):
        route_file(source, tmp_path / "o.csv", decide, chunk_rows=3, shard=Shard(number=1, of=15))
