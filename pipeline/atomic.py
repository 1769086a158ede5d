"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from profiles.errors import UsageError


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a temporary file in the same folder that replaces `path` if the block succeeds.

    Whatever ends the block early, also a keyboard interrupt, removes the temporary file and
    leaves `path` as it was.

    Raises
    ------
    UsageError
        If the folder is missing or `path` is a folder.
    """
    if not path.parent.is_dir():
        raise UsageError(f"{path}: expected its folder to exist, found none. Make {path.parent}.")
    if path.is_dir():
        raise UsageError(f"{path}: expected the name of a file, found a folder. Name a file in it.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
