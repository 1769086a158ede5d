import csv
import gzip
import io
import json
import sys
import tracemalloc

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import EMPTY_PROMPT, RECEIPT, route_file
from pipeline.csv_text import csv_text
from pipeline.mapping import ColumnMapping
from pipeline.rows import open_source, read_chunks
from profiles.errors import InputFileError, SchemaError, UsageError


def decide(texts, lines=()):
    """Long prompts go to `large`; the cost of `small` is unknown."""
    is_long = [len(text) > 5 for text in texts]
    return pl.DataFrame(
        {
            "model": ["large" if long else "small" for long in is_long],
            "domain": ["=maths" if long else None for long in is_long],
            "confidence": 0.5,
            "expected_quality": 0.75,
            "quality_lo": 0.5,
            "quality_hi": None,
            "expected_cost_usd": [0.25 if long else None for long in is_long],
            "fallback": ["small" if long else "large" for long in is_long],
            "fallbacks": [["small", "tiny"] if long else [] for long in is_long],
            "reason": "test",
            "propensity": 1.0,
            "table_version": 3,
        },
        schema=RECEIPT,
    )


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, strict=True))


def test_a_csv_file_gets_receipts(tmp_path):
    """Input columns stay first and in order; the summary adds up."""
    source = write(tmp_path / "in.csv", "id,prompt,x\n1,Hi,é\n2,Write a poem,\n3, ,z\n")
    target = tmp_path / "out.csv"
    done = []
    summary = route_file(source, target, decide, progress=done.append, chunk_rows=2)
    rows = read_csv(target)
    assert list(rows[0]) == ["id", "prompt", "x", *RECEIPT]
    assert [row["model"] for row in rows] == ["small", "large", ""]
    assert [row["x"] for row in rows] == ["é", "", "z"]
    assert rows[0]["expected_cost_usd"] == ""
    assert (rows[1]["expected_cost_usd"], rows[1]["fallback"]) == ("0.25", "small")
    assert (rows[1]["domain"], rows[1]["table_version"]) == ("'=maths", "3")
    assert (rows[2]["reason"], rows[2]["table_version"]) == (EMPTY_PROMPT, "")
    assert (summary.n_rows, summary.n_routed, summary.n_unroutable) == (3, 2, 1)
    assert summary.calls == {"large": 1, "small": 1}
    assert (summary.expected_cost_usd, summary.n_cost_unknown) == (0.25, 1)
    assert (summary.path, summary.rejects_path, summary.n_guarded) == (target, None, 1)
    assert done == [2, 3]


MEMBERS = [
    '"n": 1.10', '"n":1e400', '"a": {"b": [1, {"c": null}]}', '"é": "h\\u00e9"',
    '"big":12345678901234567890', '"same": 1, "same": 2', '"s": "\\ud83d\\ude00"', '"z": -0.0',
    '"t": "a\\r\\nb"', '"u": "\\u0000"',
]  # fmt: skip


@given(
    rows=st.lists(st.lists(st.sampled_from(MEMBERS), max_size=3), min_size=1, max_size=4),
    space=st.sampled_from(["", " ", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    packing=st.sampled_from(["", ".gz", ".zst"]),
)
def test_json_lines_keep_every_character(tmp_path_factory, rows, space, end, packing):
    """Numbers, escapes, repeated keys and spacing of the input are not rewritten."""
    folder = tmp_path_factory.mktemp("jsonl")
    members = [", ".join(['"prompt":"Hi"', *row]) for row in rows]
    lines = [f"{{{space}{text}{space}}}" for text in members]
    source = write(folder / "in.jsonl", end.join(lines))
    target = folder / f"out.jsonl{packing}"
    route_file(source, target, decide)
    receipt = json.dumps(decide(["Hi"]).row(0, named=True))
    data = unpacked(target).decode()
    assert data == "".join(f"{line[:-1].rstrip()}, {receipt[1:]}\n" for line in lines)


CELLS = [
    "", "00123", "1.10", "1e400", '"quoted"', '"a ""b"" c"', '"line\r\nend"', '"line\nend"',
    " pad ", '"=1"', "é", '"a,b"', "\x00", "'",
]  # fmt: skip


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS)), min_size=1, max_size=4
    ),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.sampled_from(["", "\ufeff"]),
    packing=st.sampled_from(["", ".gz", ".zst"]),
)
def test_csv_keeps_every_character(tmp_path_factory, rows, end, bom, packing):
    """Also a byte order mark, and quotes that were not needed; all line ends are line feeds."""
    folder = tmp_path_factory.mktemp("csv")
    lines = [f"{first},Hi,{last}" for first, last in rows]
    source = write(folder / "in.csv", bom + end.join(["a,prompt,b", *lines]))
    target = folder / f"out.csv{packing}"
    route_file(source, target, decide, guard_formulas=False)
    [_, receipt] = route_one(folder)
    head = ",".join([f"{bom}a,prompt,b", *RECEIPT])
    assert unpacked(target).decode() == "".join(
        f"{line}\n" for line in [head, *(f"{line}{receipt}" for line in lines)]
    )


def unpacked(path):
    data = path.read_bytes()
    if path.suffix in (".csv", ".jsonl"):
        return data
    codec = "gzip" if path.suffix == ".gz" else "zstd"
    with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
        return stream.read()


def route_one(folder):
    """Return the header and what is added to a row whose prompt is Hi."""
    source = write(folder / "one.csv", "prompt\nHi\n")
    route_file(source, folder / "one-out.csv", decide)
    head, row = (folder / "one-out.csv").read_text(encoding="utf-8").splitlines()
    return head.removeprefix("prompt"), row.removeprefix("Hi")


def test_parquet_keeps_its_types_and_its_row_order(tmp_path):
    """Nested and dictionary columns come back with the type they had."""
    table = pa.table(
        {
            "prompt": pa.array(["Hi", None, "Write a poem"]).dictionary_encode(),
            "tags": [["a"], [], None],
            "at": pa.array([1, 2, 3], pa.timestamp("ns", tz="UTC")),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    summary = route_file(tmp_path / "in.parquet", tmp_path / "out.parquet", decide, chunk_rows=1)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(["prompt", "tags", "at"]).equals(table)
    assert found.schema.names[3:] == list(RECEIPT)
    assert found["model"].to_pylist() == ["small", None, "large"]
    assert found.schema.field("expected_cost_usd").type == pa.float64()
    assert summary.n_unroutable == 1


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("target_kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("source_kind", ["csv", "jsonl", "parquet"])
def test_any_format_is_written_as_any_other(tmp_path, source_kind, target_kind, packing):
    """The extension of the target is its format, compression included."""
    frame = pl.DataFrame({"prompt": ["Hi", "Write a poem"], "id": [1, 2]})
    source, target = tmp_path / f"in.{source_kind}", tmp_path / f"out.{target_kind}{packing}"
    writers = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}
    writers[source_kind](source)
    route_file(source, target, decide)
    with open_source(target) as opened:
        [chunk] = read_chunks(opened)
        assert opened.kind == target_kind
        assert opened.columns == ("prompt", "id", *RECEIPT)
        assert chunk.column("model") == ["small", "large"]
        assert [str(value) for value in chunk.column("id")] == ["1", "2"]


@given(
    prompts=st.lists(st.sampled_from(["", "Hi", "=1", "a\r\nb", 'Say "so"', "-1"]), min_size=1),
    chunk_rows=st.integers(1, 3),
)
def test_no_row_is_lost_or_moved(tmp_path_factory, prompts, chunk_rows):
    """Every input cell comes back equal, in order, whatever the chunks are."""
    folder = tmp_path_factory.mktemp("batch")
    text = csv_text([["n", "prompt"], *([str(n), text] for n, text in enumerate(prompts))])
    source, target = write(folder / "in.csv", text), folder / "out.csv"
    summary = route_file(source, target, decide, chunk_rows=chunk_rows, guard_formulas=False)
    rows = read_csv(target)
    assert [(row["n"], row["prompt"]) for row in rows] == [
        (str(number), text) for number, text in enumerate(prompts)
    ]
    assert summary.n_rows == summary.n_routed + summary.n_unroutable == len(prompts)
    assert sum(summary.calls.values()) == summary.n_routed
    assert summary.n_guarded == 0


def test_broken_lines_go_to_a_rejects_file(tmp_path):
    """They are counted and kept with their line; a later clean run takes the file away."""
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    write(source, "id,prompt\n1,Hi\n=2\n3,Ho\n")
    summary = route_file(source, target, decide)
    assert (summary.n_rows, summary.n_routed, summary.n_rejected) == (3, 2, 1)
    assert summary.rejects_path == tmp_path / "out.csv.rejects.csv"
    assert read_csv(summary.rejects_path) == [
        {"line": "3", "reason": "expected 2 fields, found 1", "row": "'=2"}
    ]
    assert summary.first_rejects[0].line == 3
    write(source, "id,prompt\n1,Hi\n")
    assert route_file(source, target, decide).rejects_path is None
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.csv"}


@pytest.mark.parametrize(
    ("columns", "prefix"),
    [
        (["prompt"], ""),
        (["prompt", "model"], "promptshed_"),
        (["prompt", "reason", "promptshed_model"], "promptshed2_"),
    ],
)
def test_taken_names_get_a_prefix_for_all(tmp_path, columns, prefix):
    """The input's own column is never overwritten, and the receipt stays together."""
    source = write(tmp_path / "in.csv", csv_text([columns, ["Hi"] * len(columns)]))
    summary = route_file(source, tmp_path / "out.csv", decide)
    assert summary.receipt_columns == tuple(f"{prefix}{name}" for name in RECEIPT)
    [row] = read_csv(tmp_path / "out.csv")
    assert list(row) == [*columns, *summary.receipt_columns]
    assert [row[name] for name in columns] == ["Hi"] * len(columns)


def test_a_name_that_is_taken_on_a_late_line_gets_a_prefix_too(tmp_path):
    """All keys of a JSON Lines file are known before the first line is written."""
    source = write(tmp_path / "in.jsonl", '{"prompt": "Hi"}\n{"prompt": "Ho", "model": "mine"}\n')
    route_file(source, tmp_path / "out.jsonl", decide, chunk_rows=1)
    last = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])
    assert (last["model"], last["promptshed_model"]) == ("mine", "small")


def test_request_bodies_are_routed_by_their_chat(tmp_path):
    """An OpenAI batch line needs no mapping."""
    body = {"model": "x", "messages": [{"role": "user", "content": "Write a poem"}]}
    source = write(tmp_path / "in.jsonl", json.dumps({"custom_id": "1", "body": body}))
    seen = []
    route_file(source, tmp_path / "o.jsonl", lambda texts, _: seen.extend(texts) or decide(texts))
    assert seen == ["Write a poem"]


def test_formulas_are_guarded_in_csv_only(tmp_path):
    """Text that a spreadsheet would run gets an apostrophe; numbers and other formats do not."""
    source = write(tmp_path / "in.csv", "prompt,n\n=HYPERLINK(),-1\n- item,+x\n")
    summary = route_file(source, tmp_path / "out.csv", decide)
    rows = read_csv(tmp_path / "out.csv")
    assert [(row["prompt"], row["n"]) for row in rows] == [
        ("'=HYPERLINK()", "-1"), ("'- item", "'+x"),
    ]  # fmt: skip
    assert summary.n_guarded == 5  # two prompts, one n, two domains
    route_file(source, tmp_path / "out.jsonl", decide)
    assert '"=HYPERLINK()"' in (tmp_path / "out.jsonl").read_text()


def test_a_dry_run_writes_nothing(tmp_path):
    """It decides and counts like a real one."""
    source = write(tmp_path / "in.csv", "prompt,x\nHi,\nbroken\nHo,\n")
    summary = route_file(source, tmp_path / "out.csv", decide, dry_run=True)
    assert (summary.n_routed, summary.n_rejected) == (2, 1)
    assert (summary.path, summary.rejects_path) == (None, None)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "out.csv.gz"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_the_target_as_it_was(tmp_path, name, error):
    """Neither a half-written target nor a temporary file stays behind."""

    def fail_later(n_rows):
        if n_rows > 2:
            raise error

    source = write(tmp_path / "in.csv", "prompt,x\n" + "Hi,1\n" * 5 + "broken\n" + "Hi,1\n" * 5)
    target = write(tmp_path / name, "old")
    with pytest.raises(error):
        route_file(source, target, decide, chunk_rows=2, progress=fail_later)
    assert target.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", name}


@pytest.mark.parametrize("data", ["prompt\nHi\n", '{"prompt": "Hi"}\n'])
def test_pipes_keep_the_format_of_the_source(monkeypatch, data):
    """From standard input to standard output, nothing else is written."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    summary = route_file("-", "-", decide)
    text = out.buffer.getvalue().decode()
    assert text.startswith(data.rstrip("}\n")[:6])
    assert "small" in text
    assert summary.path is None


def test_the_same_input_gives_the_same_bytes(tmp_path):
    """Also in compressed formats."""
    source = write(tmp_path / "in.csv", "prompt\nHi\nWrite a poem\n")
    for name in ("a.csv.gz", "a.parquet", "a.jsonl.zst"):
        first, second = tmp_path / name, tmp_path / f"second_{name}"
        route_file(source, first, decide)
        route_file(source, second, decide)
        assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"prompt,model,")


@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, extension):
    """Four times the rows need no more memory."""
    peaks = []
    for n_rows in (5_000, 20_000):
        frame = pl.DataFrame({"prompt": ["x" * 200] * n_rows})
        source = tmp_path / f"in.{extension}"
        (frame.write_csv if extension == "csv" else frame.write_ndjson)(source)
        tracemalloc.start()
        route_file(source, tmp_path / f"out.{extension}", decide, chunk_rows=500)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_costs_that_are_all_unknown_have_no_sum(tmp_path):
    """Unknown is not zero."""
    source = write(tmp_path / "in.csv", "prompt\nHi\n")
    summary = route_file(source, tmp_path / "out.csv", decide)
    assert (summary.expected_cost_usd, summary.n_cost_unknown) == (None, 1)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("out.xlsx", "expected a target that ends in .csv, .jsonl or .parquet"),
        ("out", "found no extension"),
        ("in.csv", "expected another file than the source"),
        ("gone/out.csv", "expected its folder to exist"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused(tmp_path, target, message):
    """The error comes before any row is decided."""
    source = write(tmp_path / "in.csv", "prompt\nHi\n")
    with pytest.raises(UsageError, match=message):
        route_file(source, tmp_path / target, decide)


def test_the_prompt_column_must_be_known(tmp_path):
    """It is detected or named; other columns do not matter."""
    source = write(tmp_path / "in.csv", "a,b\nHi,Ho\n")
    with pytest.raises(UsageError, match=r"in\.csv: .*--mapping prompt=COLUMN"):
        route_file(source, tmp_path / "out.csv", decide)
    summary = route_file(source, tmp_path / "out.csv", decide, mapping=ColumnMapping(prompt="b"))
    assert summary.n_routed == 1


def test_json_that_fits_no_column_type_is_refused_for_parquet(tmp_path):
    """A later row of another type is an error that names the way out."""
    source = write(tmp_path / "in.jsonl", '{"prompt": "a", "x": 1}\n{"prompt": "b", "x": "y"}\n')
    with pytest.raises(InputFileError, match=r"near line 2: .*Write to a \.jsonl target"):
        route_file(source, tmp_path / "out.parquet", decide, chunk_rows=1)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    "broken",
    [lambda texts, _: decide(texts).drop("reason"), lambda texts, _: decide([*texts, "x"])],
)
def test_receipts_must_be_complete(tmp_path, broken):
    """One row per text, with every column."""
    source = write(tmp_path / "in.csv", "prompt\nHi\n")
    with pytest.raises(SchemaError, match="Expected 1 receipts with model"):
        route_file(source, tmp_path / "out.csv", broken)


def test_a_rejects_file_is_not_replaced_while_it_is_read(tmp_path):
    """Routing the rejects of a target to that target would delete its own source."""
    source = write(tmp_path / "out.csv.rejects.csv", "prompt\nHi\n")
    with pytest.raises(UsageError, match="expected another file than the source"):
        route_file(source, tmp_path / "out.csv", decide)
    assert source.read_text() == "prompt\nHi\n"


def test_what_is_no_number_is_null_in_json(tmp_path):
    """JSON has no NaN, and most readers take none."""
    pl.DataFrame({"prompt": ["Hi"], "score": [float("nan")]}).write_parquet(tmp_path / "in.parquet")
    route_file(tmp_path / "in.parquet", tmp_path / "out.jsonl", decide)
    assert pl.read_ndjson(tmp_path / "out.jsonl")["score"].to_list() == [None]
