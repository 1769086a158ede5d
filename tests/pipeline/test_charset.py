import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.charset import encoding_named, wide_encoding, write_in_utf8
from profiles.errors import UsageError


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("Windows-1252", "cp1252"),
        ("latin1", "iso8859-1"),
        ("shift_jis", "shift_jis"),
        ("UTF-16LE", "utf-16-le"),
    ],
)
def test_encodings_have_many_names(name, found):
    """A person's name for it is taken, also one with a byte order mark in it."""
    assert encoding_named(name) == found


@pytest.mark.parametrize("name", ["klingon", "", "base64", "rot13", "utf-7", "cp037", "idna\0"])
def test_what_is_no_encoding_of_lines_is_refused(name):
    """Unknown names, codecs of no text, and text in which ASCII is written otherwise."""
    with pytest.raises(UsageError, match="expected the name of a text encoding"):
        encoding_named(name)


def test_a_mark_tells_wide_text():
    """UTF-32 begins like UTF-16 does; what is named needs no mark."""
    assert wide_encoding("a".encode("utf-16"), "utf-8") == "utf-16"
    assert wide_encoding("a".encode("utf-32"), "cp1252") == "utf-32"
    assert wide_encoding(b"a\0", "utf-16-le") == "utf-16-le"
    assert wide_encoding(b"\xef\xbb\xbfa", "utf-8") is None
    assert wide_encoding(b"", "utf-8") is None


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    encoding=st.sampled_from(["utf-16", "utf-16-be", "utf-32"]),
)
def test_any_text_survives(tmp_path_factory, text, encoding):
    """Line ends of any kind too."""
    target = tmp_path_factory.mktemp("charset") / "utf8"
    write_in_utf8(io.BufferedReader(io.BytesIO(text.encode(encoding))), encoding, target)
    assert target.read_bytes().decode() == text
