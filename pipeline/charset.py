"""Which characters the bytes of a text file are."""

import codecs
from io import BufferedReader
from pathlib import Path

from profiles.errors import UsageError

UTF8 = "utf-8"
_ASCII = bytes(range(128))
_CHUNK_BYTES = 1 << 20
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-16", "utf-32")


def encoding_named(name: str) -> str:
    """Return Python's name of an encoding that a person has named.

    Raises
    ------
    UsageError
        If there is none of that name, or its lines cannot be told apart without decoding them.
    """
    try:
        found = codecs.lookup(name).name
        if found.startswith(_WIDE) or _ASCII.decode(found) == _ASCII.decode():
            return UTF8 if found == "utf-8-sig" else found
    except (LookupError, ValueError):
        pass
    raise UsageError(
        f"--encoding {name}: expected the name of a text encoding, such as windows-1252, "
        "latin-1, shift_jis or utf-16. Name another, or save the file in UTF-8."
    )


def wide_encoding(head: bytes, given: str) -> str | None:
    """Return the encoding of text with several bytes to every character; None for any other.

    Parameters
    ----------
    head
        The first bytes of the file; a byte order mark tells.
    given
        What a person has named, as `encoding_named` returns it.
    """
    if given.startswith(_WIDE):
        return given
    return next((name for mark, name in _WIDE_MARKS if head.startswith(mark)), None)


def write_in_utf8(stream: BufferedReader, encoding: str, target: Path) -> None:
    """Copy text into a file in UTF-8, line ends as they are, in constant memory.

    Raises
    ------
    UnicodeError
        If the bytes are no text in that encoding.
    """
    parts = iter(lambda: stream.read(_CHUNK_BYTES), b"")
    with target.open("w", encoding=UTF8, newline="") as copy:
        copy.writelines(codecs.iterdecode(parts, encoding))
