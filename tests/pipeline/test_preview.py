"""How a file begins, whatever its size and kind."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from pipeline.preview import is_in_another_encoding, preview
from profiles.errors import InputFileError

N_ROWS = 40_000


@pytest.fixture(scope="module")
def frame():
    return pl.DataFrame(
        {"id": range(N_ROWS), "prompt": [f"row {n} " + "x" * 40 for n in range(N_ROWS)]}
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "jsonl.gz", "csv.gz"])
def test_the_first_rows_of_a_long_file(frame, tmp_path, ending):
    """The same columns and rows as reading all of it; the prompt is found by its name."""
    path = tmp_path / f"long.{ending}"
    plain = tmp_path / f"plain.{ending.removesuffix('.gz')}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[
        ending.removesuffix(".gz")
    ](plain)
    path.write_bytes(
        gzip.compress(plain.read_bytes(), mtime=0) if ending.endswith(".gz") else plain.read_bytes()
    )
    found = preview(path, n_rows=3)
    assert found.columns == ("id", "prompt")
    assert [row[1][:5] for row in found.rows] == ["row 0", "row 1", "row 2"]
    assert found.prompt == "prompt"


def test_only_the_beginning_is_read(tmp_path):
    """Rubbish after the first megabyte does not matter to it."""
    path = tmp_path / "long.jsonl"
    with path.open("wb") as stream:
        stream.write(b"".join(b'{"prompt": "%060d"}\n' % n for n in range(20_000)))
        stream.write(b"\xff" * 3_000_000)
    assert len(preview(path, n_rows=5).rows) == 5


def test_a_column_that_cannot_be_told_is_left_open(tmp_path):
    """Whoever asked chooses it."""
    path = tmp_path / "odd.csv"
    path.write_text("first,second\na,b\n")
    found = preview(path, n_rows=5)
    assert (found.columns, found.rows, found.prompt) == (("first", "second"), (("a", "b"),), None)


def test_a_document_is_read_whole(tmp_path):
    """One JSON array is no lines."""
    path = tmp_path / "all.json"
    path.write_text(json.dumps([{"prompt": "a"}, {"prompt": "b"}]))
    assert preview(path, n_rows=1).rows == (("a",),)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bbroken", b"PK\x03\x04zip"])
def test_what_cannot_be_read_is_an_error_that_names_the_file(tmp_path, content):
    """As routing it would say."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"bad\.csv"):
        preview(path, n_rows=5)


def test_wide_text_is_previewed(tmp_path):
    """A file in UTF-16, longer than what is looked at of others."""
    path = tmp_path / "wide.csv"
    path.write_bytes(("prompt\n" + "Où ?\n" * 200_000).encode("utf-16"))
    assert preview(path, n_rows=2).rows == (("Où ?",), ("Où ?",))


def test_another_encoding_is_seen_and_read(tmp_path):
    """Windows' own is no UTF-8; UTF-16 tells itself, Parquet has none, a cut character is fine."""
    windows, plain, wide = (tmp_path / f"{name}.csv" for name in ("windows", "plain", "wide"))
    windows.write_bytes("prompt\nO\u00f9 ?\n".encode("cp1252"))
    plain.write_bytes(b"prompt\n" + "\u00e9".encode() * (1 << 20))
    wide.write_bytes("prompt\nO\u00f9 ?\n".encode("utf-16"))
    pl.DataFrame({"prompt": ["a"]}).write_parquet(tmp_path / "in.parquet")
    assert is_in_another_encoding(windows)
    assert preview(windows, n_rows=1, encoding="cp1252").rows == (("O\u00f9 ?",),)
    assert not any(map(is_in_another_encoding, (plain, wide, tmp_path / "in.parquet")))


def test_a_log_of_inspect_is_previewed():
    """It is an archive, like a spreadsheet, which is refused."""
    log = Path(__file__).parent / "readers" / "files" / "inspect_made.eval"
    assert not is_in_another_encoding(log)
    assert preview(log, n_rows=1).tool is not None
