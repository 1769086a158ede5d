import gzip
import io
import json
import os
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.csv_text import csv_text
from pipeline.rows import open_source, read_chunks
from profiles.errors import InputFileError

CSV = b"id,prompt\n1,Hello\n2,World\n"
JSONL = b'{"id": 1, "prompt": "Hello"}\n{"id": 2, "prompt": "World"}\n'


def parquet(table):
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PARQUET = parquet(pa.table({"id": [1, 2], "prompt": ["Hello", "World"]}))
LARGE = parquet(pa.table({"prompt": [f"{number**9:x}" for number in range(50_000)]}))
PACKERS = {"": bytes, ".gz": gzip.compress, ".zst": zstd}


def read(path, chunk_rows=100, encoding="utf-8"):
    """Return the source, [(line, {column: value})] and [(line, reason, row)]."""
    rows, rejects = [], []
    with open_source(path, encoding) as source:
        for chunk in read_chunks(source, chunk_rows=chunk_rows):
            columns = [chunk.column(name) for name in source.columns]
            values = [
                dict(zip(source.columns, row, strict=True)) for row in zip(*columns, strict=True)
            ]
            rows += zip(chunk.lines, values, strict=True)
            rejects += [(item.line, item.reason, item.row) for item in chunk.rejects]
    return source, rows, rejects


def write(tmp_path, data, name="in.csv"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize(
    ("extension", "data", "first_line"),
    [(".csv", CSV, 2), (".jsonl", JSONL, 1), (".ndjson", JSONL, 1), (".parquet", PARQUET, 1)],
)
def test_every_format_and_compression_reads_alike(tmp_path, extension, data, first_line, packing):
    """The rows and their line numbers do not depend on how the file is packed."""
    path = write(tmp_path, PACKERS[packing](data), f"in{extension}{packing}")
    source, rows, rejects = read(path)
    assert source.columns == ("id", "prompt")
    assert [line for line, _ in rows] == [first_line, first_line + 1]
    assert [row["prompt"] for _, row in rows] == ["Hello", "World"]
    assert rejects == []


@pytest.mark.parametrize("data", [CSV, JSONL, PARQUET, gzip.compress(PARQUET, mtime=0)])
def test_the_content_tells_without_a_name(tmp_path, data):
    """A file without an extension, or standard input, is recognised by its first bytes."""
    assert len(read(write(tmp_path, data, "noname"))[1]) == 2


@pytest.mark.parametrize("data", [CSV, PARQUET, zstd(JSONL)])
def test_a_dash_is_standard_input(monkeypatch, data):
    """Standard input may hold any format, compressed or not."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    source, rows, _ = read("-")
    assert (source.name, len(rows)) == ("standard input", 2)


def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    """A shell's <(command) is one: it can be read once, and looking at it would use it up."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a,prompt\n1,x\n",), daemon=True)
    writer.start()
    source, rows, _ = read(pipe)
    assert (source.columns, len(rows)) == (("a", "prompt"), 1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_read_from_the_header(tmp_path, delimiter):
    """Comma, semicolon and tab are told apart; the others may occur in cells."""
    text = csv_text([["id", "prompt"], ["1", "a,b;c\td"]], delimiter=delimiter)
    source, [(_, row)], _ = read(write(tmp_path, text.encode()))
    assert (source.delimiter, row) == (delimiter, {"id": "1", "prompt": "a,b;c\td"})


@pytest.mark.parametrize(("data", "name"), [(CSV, "in.csv"), (JSONL, "in.jsonl")])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path, data, name):
    """Excel writes one before UTF-8 text."""
    assert read(write(tmp_path, b"\xef\xbb\xbf" + data, name))[0].columns == ("id", "prompt")


CELLS = st.text(alphabet='ab",;\n\r\t\x00é ', max_size=6)


@given(rows=st.lists(st.tuples(st.just("x"), CELLS), min_size=1, max_size=5))
def test_csv_cells_round_trip(tmp_path_factory, rows):
    """Quotes, line ends, NUL and white space in a cell come back as they were."""
    path = write(tmp_path_factory.mktemp("csv"), csv_text([["k", "v"], *rows]).encode())
    assert [tuple(row.values()) for _, row in read(path)[1]] == rows


def test_a_record_is_named_by_the_line_on_which_it_starts(tmp_path):
    """Line ends inside quotes and blank lines are counted."""
    data = b'id,prompt\n1,"a\nb\nc"\n\n2,x\n3,"d\n'
    _, rows, rejects = read(write(tmp_path, data))
    assert [line for line, _ in rows] == [2, 6]
    assert rejects == [(7, "invalid CSV: unexpected end of data", '3,"d')]


def test_a_reject_is_named_by_its_first_line_too(tmp_path):
    """Its raw text holds all its lines."""
    _, _, rejects = read(write(tmp_path, CSV + b'3,"a\nb\nc",d\n'))
    assert rejects == [(4, "expected 2 fields, found 3", '3,"a\nb\nc",d')]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1,2,3", "expected 2 fields, found 3"),
        (b"1", "expected 2 fields, found 1"),
        (b"1,\xc3\xa9\xff", "invalid UTF-8: byte 0xff at column 4; --encoding names another one"),
        (b'1,"a"b', "invalid CSV: ',' expected after '\"'"),
        (b'1,"\xff"b', "invalid UTF-8: byte 0xff at column 4; --encoding names another one"),
    ],
)
def test_a_broken_csv_row_is_rejected_and_the_next_is_read(tmp_path, line, reason):
    """A reject has its line, its reason and its text, and costs no other row."""
    _, rows, rejects = read(write(tmp_path, CSV + line + b"\n3,End\n"))
    assert [row["id"] for _, row in rows] == ["1", "2", "3"]
    assert rejects == [(4, reason, line.decode(errors="backslashreplace"))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": 3', "invalid JSON: Expecting ',' delimiter"),
        (b"[1]", "expected a JSON object, found an array"),
        (b"null", "expected a JSON object, found null"),
        (b'"x"', "expected a JSON object, found a string"),
        (b'{"id": "\xff"}', "invalid UTF-8: byte 0xff at column 9; --encoding names another one"),
        (b'{"id": "\\ud83d"}', "invalid Unicode: half of a surrogate pair"),
        (b"[" * 200_000, "invalid JSON: nested too deeply"),
        (b'{"id": ' + b"9" * 5000 + b"}", "invalid JSON: Exceeds the limit"),
    ],
)
def test_a_broken_json_line_is_rejected_and_the_next_is_read(tmp_path, line, reason):
    """Anything but an object in UTF-8 is a reject."""
    _, rows, rejects = read(write(tmp_path, JSONL + line + b"\n\n" + JSONL, "in.jsonl"))
    assert [number for number, _ in rows] == [1, 2, 5, 6]
    [(number, found, row)] = rejects
    assert number == 3
    assert found.startswith(reason)
    assert row == line.decode(errors="backslashreplace")


@pytest.mark.parametrize(("data", "name"), [(CSV + b"3", "in.csv"), (JSONL + b'{"i', "in.jsonl")])
def test_a_cut_off_last_line_is_said_to_be_that(tmp_path, data, name):
    """A broken last line without a line end hints at an unfinished file."""
    [(_, reason, _)] = read(write(tmp_path, data, name))[2]
    assert reason.endswith("; the file may be cut off here")


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize(("extension", "data"), [(".csv", CSV), (".jsonl", JSONL)])
def test_cut_off_compressed_data_is_a_reject_at_its_end(tmp_path, extension, data, packing):
    """The rows before the cut are kept, and the loss is reported."""
    lines = data.splitlines(keepends=True)
    many = lines[0] + b"".join(lines[1:] * 100_000)
    packed = PACKERS[packing](many)
    path = write(tmp_path, packed[: len(packed) * 2 // 3], f"in{extension}{packing}")
    _, rows, rejects = read(path, chunk_rows=10_000)
    assert 1000 < len(rows) < len(lines[1:]) * 100_000
    assert "the compressed data ends or is damaged here" in rejects[-1][1]


def test_a_short_file_that_is_cut_off_keeps_its_rows(tmp_path):
    """Even if the cut is within the first bytes that are looked at."""
    lines = b"".join(b"%d,%d\n" % (number, number**7) for number in range(3000))
    path = write(tmp_path, gzip.compress(b"id,prompt\n" + lines, mtime=0)[:-3000], "in.csv.gz")
    _, rows, rejects = read(path)
    assert len(rows) > 100
    assert len(rejects) == 1


def test_fields_of_megabytes_are_read_in_small_chunks(tmp_path):
    """A long field is no error, and long rows make short chunks."""
    text = "x" * (6 << 20)
    path = write(tmp_path, b"prompt\n" + f"{text}\n".encode() * 4)
    with open_source(path) as source:
        chunks = list(read_chunks(source))
    assert [len(chunk.lines) for chunk in chunks] == [3, 1]
    assert chunks[0].column("prompt")[0] == text


@given(chunk_rows=st.integers(1, 6))
def test_chunks_lose_nothing(tmp_path_factory, chunk_rows):
    """Rows and rejects do not depend on the size of the chunks."""
    path = write(tmp_path_factory.mktemp("c"), JSONL + b"broken\n" + JSONL, "in.jsonl")
    _, rows, rejects = read(path, chunk_rows)
    assert [line for line, _ in rows] == [1, 2, 4, 5]
    assert [line for line, _, _ in rejects] == [3]


def test_json_columns_are_the_keys_of_all_lines(tmp_path):
    """A key that first occurs late is a column too; lines without it have None."""
    data = b'{"b": 1}\n{"a": [2], "b": null}\n{}\n'
    source, rows, _ = read(write(tmp_path, data, "in.jsonl"), chunk_rows=1)
    assert source.columns == ("b", "a")
    assert [row for _, row in rows] == [
        {"b": 1, "a": None}, {"b": None, "a": [2]}, {"b": None, "a": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("in.csv", b"", "found an empty file"),
        ("in.csv", gzip.compress(b"", mtime=0), "only white space"),
        ("in.csv", b"\xef\xbb\xbf \n\n", "only white space"),
        ("in.csv", b"id,prompt\n\n", "found only the header id, prompt"),
        ("in.csv", b"id,prompt", "found only the header id, prompt"),
        ("in.csv", b"id,id\n1,2\n", "every column name once, found .'id'. more than once"),
        ("in.csv", b"id,pr\xff\n1,2\n", "found in the header invalid UTF-8: byte 0xff at column 6"),
        ("in.csv", b'id,"p"x\n1,2\n', "header line of column names"),
        ("in.csv", b"id,prompt\n1\n2\n", r"line 2: expected 2 fields, found 1"),
        ("in.jsonl", b"x\n", "line 1: invalid JSON"),
        ("in.json", b"[1", "one JSON document, or one object on each line, found"),
        ("in.json", b"[]", "found none that can be read .no rows"),
        ("in.csv", CSV.decode().encode("utf-16")[:-1], "text in UTF-16, found: .*truncated data"),
        ("in.xlsx", b"PK\x03\x04...", "found a ZIP archive or a spreadsheet"),
        ("in.csv", b"PK\x03\x04...", "found a ZIP archive or a spreadsheet"),
        ("in.pkl", b"\x80\x04\x95", "found a Python pickle"),
        ("in.xlsx", b"text", r"found a file named .xlsx that is none of them"),
        ("in.parquet", b"text", r"found a file named .parquet that is none of them"),
        ("in.parquet", PARQUET[:-9], "damaged or cut-off parquet"),
        ("in.parquet.gz", gzip.compress(LARGE, mtime=0)[:-9], "damaged or cut-off parquet"),
        ("in.parquet", parquet(pa.table({"prompt": pa.array([], pa.string())})), "without rows"),
        ("in.csv.gz", gzip.compress(CSV, mtime=0)[:12], "gzip data, found damage at the start"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, data, message):
    """The error names the file, what was expected, what was found and what to do."""
    with pytest.raises(InputFileError, match=f"(?s){name}: expected.*{message}.*[.]$"):
        read(write(tmp_path, data, name))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    """A path that holds no file is said to hold none."""
    with pytest.raises(InputFileError, match=r"gone\.csv: expected a file, found nothing"):
        read(tmp_path / "gone.csv")
    with pytest.raises(InputFileError, match="found a folder"):
        read(tmp_path)


def test_parquet_with_broken_text_is_refused(tmp_path):
    """Bytes that are no UTF-8 in a text column are damage."""
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    path = write(tmp_path, parquet(pa.table({"prompt": broken})), "in.parquet")
    with pytest.raises(InputFileError, match=r"in\.parquet: expected.*UTF8"):
        read(path)


def test_nul_bytes_are_ordinary_characters(tmp_path):
    """A NUL in a cell neither ends nor breaks the row."""
    assert read(write(tmp_path, b"id,prompt\n1,a\x00b\n"))[1] == [
        (2, {"id": "1", "prompt": "a\x00b"})
    ]
    line = json.dumps({"prompt": "a\x00b"}).encode()
    assert read(write(tmp_path, line, "in.jsonl"))[1] == [(1, {"prompt": "a\x00b"})]


FRENCH = [{"id": "1", "prompt": "Où est l\u2019œuvre ?"}, {"id": "2", "prompt": "naïve\nça"}]
FRENCH_CSV = csv_text([["id", "prompt"], *(row.values() for row in FRENCH)])
FRENCH_JSON = {
    "in.csv": FRENCH_CSV,
    "in.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in FRENCH),
    "in.json": json.dumps(FRENCH, ensure_ascii=False, indent=1),
}


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("name", FRENCH_JSON)
@pytest.mark.parametrize("packing", PACKERS)
def test_text_in_another_encoding_is_read(tmp_path, encoding, name, packing):
    """Every kind of text file, plain and compressed, gives the same rows in any encoding."""
    data = PACKERS[packing](FRENCH_JSON[name].encode(encoding))
    _, rows, rejects = read(write(tmp_path, data, name + packing), encoding=encoding)
    assert ([row for _, row in rows], rejects) == (FRENCH, [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding):
    """A spreadsheet's "Unicode text" needs no option; Parquet does not mind one."""
    _, rows, rejects = read(write(tmp_path, FRENCH_CSV.encode(encoding)))
    assert ([row for _, row in rows], rejects) == (FRENCH, [])
    _, rows, _ = read(write(tmp_path, PARQUET, "in.parquet"), encoding="utf-16-le")
    assert [row["prompt"] for _, row in rows] == ["Hello", "World"]


def test_a_byte_that_the_encoding_lacks_is_a_reject(tmp_path):
    """0x81 is no character of windows-1252: its row is named, and the next one is read."""
    _, rows, rejects = read(write(tmp_path, b"id,prompt\n1,\xe9\x81\n2,b\n"), encoding="cp1252")
    assert [row["prompt"] for _, row in rows] == ["b"]
    reason = "invalid CP1252: byte 0x81 at column 4; --encoding names another one"
    assert rejects == [(2, reason, "1,é\\x81")]


def test_damaged_compressed_wide_text_is_told(tmp_path):
    """It cannot be copied into UTF-8 to its end."""
    packed = gzip.compress((FRENCH_CSV * 20_000).encode("utf-16"), mtime=0)
    path = write(tmp_path, packed[:-200], "in.csv.gz")
    with pytest.raises(InputFileError, match=r"to copy its text .*found: .*download the file"):
        read(path)
