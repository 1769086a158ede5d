"""What lets an interrupted run go on: a part of the output, and a checkpoint that says how far.

The checkpoint is replaced after the bytes it speaks of are on the disk, so whatever ends the run
leaves a checkpoint that is true; bytes written after it are cut off when the run goes on.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from pipeline.atomic import replaced_file
from profiles.errors import PromptshedError, UsageError

try:
    import fcntl
except ImportError:  # Windows has no such lock: there two runs of one target are not told apart
    fcntl = None

_HEAD_BYTES = 1 << 20
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """How far a run came."""

    asked: Mapping[str, object]
    """What names the run: the input's identity, the table version, the options."""
    n_rows: int
    """Rows that are done, for the eye."""
    n_chunks: int
    """Chunks of the input that are done."""
    n_bytes: int
    """Of the part that they fill."""
    n_reject_bytes: int
    """Of the part of the rejects file; 0 if there is none."""
    counts: Mapping[str, object]
    """What was counted so far."""
    state: Mapping[str, float]
    """What the decisions so far leave to those to come, such as the money that is left."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """That a run can go on after an interrupt, and from where."""

    asked: Mapping[str, object]
    resume: Checkpoint | None = None
    """None: from the beginning."""
    state: Callable[[], Mapping[str, float]] = field(default=dict[str, float])


def checkpoint_path(target: Path) -> Path:
    """Return where the checkpoint of a target is."""
    return target.with_name(f".{target.name}.checkpoint.json")


def part_path(target: Path) -> Path:
    """Return where a target is while it is written."""
    return target.with_name(f".{target.name}.part")


def rejects_path(target: Path) -> Path:
    """Return where the rows go that could not be read."""
    return target.with_name(f"{target.name}.rejects.csv")


def input_identity(path: Path) -> dict[str, object]:
    """Return what tells whether an input file is still the same: size, time and first bytes."""
    found = path.stat()
    with path.open("rb") as stream:
        head = hashlib.blake2b(stream.read(_HEAD_BYTES), digest_size=16).hexdigest()
    return {
        "input": str(path.resolve()),
        "input_bytes": found.st_size,
        "input_modified_ns": found.st_mtime_ns,
        "input_head": head,
    }


def read_checkpoint(target: Path, asked: Mapping[str, object]) -> Checkpoint | None:
    """Return how far an interrupted run of this target came; None if there is nothing to go on.

    Raises
    ------
    UsageError
        If that run was asked for something else, or its checkpoint is damaged.
    """
    path = checkpoint_path(target)
    if not path.exists() or not part_path(target).exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, checkpoint = found.pop("version"), Checkpoint(**found)
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{path}: expected a checkpoint, found {error}. Run without --resume to start again."
        ) from error
    was, now = {"version": version} | {**checkpoint.asked}, {"version": _VERSION} | {**asked}
    changed = [name for name in now if was.get(name) != now[name]]
    if changed:
        name = changed[0]
        raise UsageError(
            f"{target}: the interrupted run had {name} {was.get(name)!r}, this one has "
            f"{now[name]!r}. Ask for the same thing again, or run without --resume to start again."
        )
    is_whole = not checkpoint.n_reject_bytes or part_path(rejects_path(target)).exists()
    is_whole &= part_path(target).stat().st_size >= checkpoint.n_bytes
    return checkpoint if is_whole else None  # else it was killed while beginning or ending


def write_checkpoint(target: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a target."""
    with replaced_file(checkpoint_path(target)) as temporary:
        content = {"version": _VERSION} | asdict(checkpoint)
        temporary.write_text(json.dumps(content), encoding="utf-8")


@contextmanager
def kept_part(target: Path, n_bytes: int, *, is_paid: bool = False) -> Iterator[BinaryIO]:
    """Open the part of a target after its first `n_bytes`; a success gives it the target's name.

    A usage error or another error of ours removes it, unless it `is_paid` for; whatever else ends
    the block, such as an interrupt or a full disk, leaves it for the next run.

    Raises
    ------
    UsageError
        If the folder is missing, or another process is writing the same part.
    """
    part = part_path(target)
    if not target.parent.is_dir() or target.is_dir():
        raise UsageError(
            f"{target}: expected the name of a file in a folder that exists. Make the folder, or "
            "name another target."
        )
    part.touch()
    with part.open("r+b") as stream:
        _lock(stream, target)
        _require_same(stream, part, target, n_bytes)
        stream.truncate(n_bytes)
        stream.seek(n_bytes)
        try:
            yield stream
            settle(stream)
        except PromptshedError:
            if not is_paid:
                part.unlink()
            raise
        part.replace(target)


def settle(stream: BinaryIO) -> int:
    """Put what was written on the disk; returns how many bytes there are."""
    stream.flush()
    os.fsync(stream.fileno())
    return stream.tell()


def _lock(stream: BinaryIO, target: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _taken(target) from error


def _require_same(stream: BinaryIO, part: Path, target: Path, n_bytes: int) -> None:
    """Check that no other run finished, or cut, the part between its opening and its lock."""
    found = os.fstat(stream.fileno())
    if not part.exists() or part.stat().st_ino != found.st_ino or found.st_size < n_bytes:
        raise _taken(target)


def _taken(target: Path) -> UsageError:
    return UsageError(
        f"{target}: expected to be the only one writing it, found another run at it. Wait for "
        "that, or name another target."
    )


def forget(target: Path) -> None:
    """Remove what an interrupted run left beside its part: who holds the part's lock may."""
    for path in (checkpoint_path(target), part_path(rejects_path(target))):
        path.unlink(missing_ok=True)
