"""Which kind of file this is: by its first bytes where they tell, otherwise by its name."""

from dataclasses import dataclass

from profiles.errors import InputFileError, UsageError

CSV, JSONL, PARQUET = "csv", "jsonl", "parquet"
DOCUMENT = "json"
"""One JSON value over the whole file; it is read as JSON Lines."""
SUPPORTED = "CSV, JSON, JSON Lines or Parquet, plain or compressed as .gz or .zst"

_BY_EXTENSION = {
    ".csv": CSV,
    ".tsv": CSV,
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".json": JSONL,
    ".parquet": PARQUET,
    ".pq": PARQUET,
}
_CODECS = {".gz": "gzip", ".zst": "zstd"}
_CODEC_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_PARQUET_MAGIC = b"PAR1"
_REFUSED_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet (.xlsx, .ods)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"ARROW1", "an Arrow or Feather file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF"),
    (b"BZh", "a file compressed with bzip2"),
    (b"\xfd7zXZ", "a file compressed with xz"),
    *((bytes([0x80, protocol]), "a Python pickle") for protocol in range(2, 6)),
)
_REFUSED_EXTENSIONS = (".xlsx", ".xls", ".ods", ".pkl", ".pickle", ".feather", ".arrow", ".zip")
_LINES = (".jsonl", ".ndjson")
_NEXT_STEP = "Save it as CSV (UTF-8), JSON Lines or Parquet and try again."


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file and how it is compressed."""

    kind: str
    """One of `CSV`, `JSONL`, `PARQUET`, `DOCUMENT`."""
    codec: str | None
    """`gzip`, `zstd`, or null for plain."""


def codec_of(head: bytes) -> str | None:
    """Return how data that starts with `head` is compressed, or None."""
    return next((codec for magic, codec in _CODEC_MAGIC if head.startswith(magic)), None)


def kind_of(head: bytes, name: str) -> str:
    """Return the kind of an uncompressed file from its first bytes, then from its name.

    Raises
    ------
    InputFileError
        If it is of a kind that cannot be read, such as a spreadsheet or a pickle.
    """
    extension, _ = _split_name(name)
    for magic, found in _REFUSED_MAGIC:
        if head.startswith(magic):
            raise InputFileError(f"{name}: expected {SUPPORTED}, found {found}. {_NEXT_STEP}")
    if head.startswith(_PARQUET_MAGIC):
        return PARQUET
    if extension in _REFUSED_EXTENSIONS or _BY_EXTENSION.get(extension) == PARQUET:
        raise InputFileError(
            f"{name}: expected {SUPPORTED}, found a file named {extension} that is none of them. "
            f"{_NEXT_STEP}"
        )
    return _text_kind(head.removeprefix(b"\xef\xbb\xbf").lstrip(), name)


def target_format(name: str) -> Format | None:
    """Return the format that the name of an output file asks for; None for `-`.

    Raises
    ------
    UsageError
        If the name has no extension that can be written.
    """
    if name == "-":
        return None
    extension, codec = _split_name(name)
    if extension not in _BY_EXTENSION:
        raise UsageError(
            f"{name}: expected a target that ends in .csv, .jsonl or .parquet (with .gz or .zst "
            f"if you like), found {extension or 'no extension'}. Rename the target."
        )
    return Format(kind=_BY_EXTENSION[extension], codec=codec)


def _split_name(name: str) -> tuple[str, str | None]:
    """Return the extension without its compression, and the compression."""
    stem, codec = name.lower(), None
    for ending, its_codec in _CODECS.items():
        if stem.endswith(ending):
            stem, codec = stem.removesuffix(ending), its_codec
    base = stem.rsplit("/", 1)[-1]
    return (f".{base.rsplit('.', 1)[-1]}" if "." in base else ""), codec


def _text_kind(head: bytes, name: str) -> str:
    extension, _ = _split_name(name)
    by_name = _BY_EXTENSION.get(extension)
    if by_name != CSV and _is_document(head, is_lines=extension in _LINES):
        return DOCUMENT
    return by_name or (JSONL if head.startswith(b"{") else CSV)


def _is_document(head: bytes, *, is_lines: bool) -> bool:
    """Tell an array, and an object over several lines, from one object for each line."""
    first_line = head.split(b"\n", 1)[0].rstrip()
    is_open = (
        b"\n" in head and first_line.startswith(b"{") and first_line.endswith((b"{", b"[", b","))
    )
    return head.startswith(b"[") or (is_open and not is_lines)
