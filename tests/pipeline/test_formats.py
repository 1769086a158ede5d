import pytest

from pipeline.formats import Format, codec_of, kind_of, target_format
from profiles.errors import InputFileError, UsageError


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"PAR1", "x.csv", "parquet"), (b"a,b", "x", "csv"), (b"a\tb", "x.tsv", "csv"),
        (b' {"a": 1}', "x", "jsonl"), (b"\xef\xbb\xbf{", "x.txt", "jsonl"),
        (b"[1],2", "a.csv", "csv"), (b"[{}]", "x.txt", "json"), (b'{"a": [\n1]}', "x", "json"),
        (b'{"a": 1,\n', "x.jsonl", "jsonl"), (b'{"a": 1}\n{', "x.json", "jsonl"),
    ],
)  # fmt: skip
def test_content_tells_before_the_name(head, name, kind):
    """A file with a wrong or no extension is read for what it is."""
    assert kind_of(head, name) == kind


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("-", None),
        ("a.b/out.CSV", Format(kind="csv", codec=None)),
        ("out.ndjson.gz", Format(kind="jsonl", codec="gzip")),
        ("out.parquet.zst", Format(kind="parquet", codec="zstd")),
    ],
)
def test_a_target_is_what_its_name_says(name, expected):
    """Kind and compression come from the extension."""
    assert target_format(name) == expected


def test_codecs_are_told_by_their_first_bytes():
    """Anything else is plain."""
    assert [codec_of(head) for head in (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"")] == [
        "gzip", "zstd", None,
    ]  # fmt: skip


def test_unreadable_kinds_and_targets_are_refused():
    """The error says what was found and what to do."""
    with pytest.raises(InputFileError, match=r"found a PDF\. Save it as CSV"):
        kind_of(b"%PDF", "x.csv")
    with pytest.raises(UsageError, match=r"a\.b/out: .*found no extension. Rename"):
        target_format("a.b/out")
