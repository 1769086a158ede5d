"""The archive in which inspect_ai keeps a log: a ZIP file of JSON, each part Zstandard or plain."""

import json
import zipfile
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

HEADER = "header.json"
_SAMPLES = "samples/"
_ZSTANDARD = 93
_LOCAL_HEADER = 30  # bytes, before the name and the extra field


def read_log(path: Path) -> dict[str, object] | None:
    """Return the log in an archive as one document with `samples`; None if it is no such archive.

    Raises
    ------
    OSError, ValueError, zipfile.BadZipFile
        If the archive is damaged.
    """
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        parts = {part.filename: part for part in archive.infolist()}
        if HEADER not in parts:
            return None
        names = sorted(name for name in parts if name.startswith(_SAMPLES))
        samples = [json.loads(_content(archive, stream, parts[name])) for name in names]
        return {**json.loads(_content(archive, stream, parts[HEADER])), "samples": samples}


def _content(archive: zipfile.ZipFile, stream: BinaryIO, part: zipfile.ZipInfo) -> bytes:
    """Return a part's bytes; Python's own reader knows Zstandard from 3.14 on."""
    if part.compress_type != _ZSTANDARD:
        return archive.read(part)
    stream.seek(part.header_offset)
    head = stream.read(_LOCAL_HEADER)
    n_name, n_extra = (int.from_bytes(head[i : i + 2], "little") for i in (26, 28))
    stream.seek(n_name + n_extra, 1)
    packed = pa.BufferReader(stream.read(part.compress_size))
    with pa.CompressedInputStream(packed, "zstd") as inflated:
        return inflated.read()
