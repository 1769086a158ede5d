import csv
import datetime as dt
import io
import json
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.csv_text import csv_text
from pipeline.ingest import read_file, read_mapping, write_rejects
from pipeline.mapping import ColumnMapping, dump_mapping, parse_mapping
from pipeline.prompt_text import prompt_id_of
from pipeline.store import Store
from profiles.errors import UsageError
from profiles.tables import OUTCOMES, PROMPTS, REQUESTS

NOW = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
LONG = """prompt,model,quality,cost_usd,latency_ms,n_tokens_in,prompt_id,occurred_at,label
What is 2 + 2?,small,1,0.001,1500,12,p1,2026-01-31T13:00:00+01:00,
 What  is 2 + 2? ,large,0.5,,,,p1,2026-01-31,maths
Write a poem.,small,,0.002,250,9,p2,,art
"""
QUALITIES = ["", "0", "0.25", "0.5", "1"]


def read(tmp_path, text, name="in.csv", **options):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_file(path, imported_at=NOW, **options)


def reasons(ingest):
    return [(line, reason) for line, reason, _ in ingest.rejects.iter_rows()]


def test_a_long_file_becomes_three_tables(tmp_path):
    """Prompts once, requests per row, outcomes per model, units normalised, unknown null."""
    ingest = read(tmp_path, LONG)
    p1, p2 = prompt_id_of("What is 2 + 2?"), prompt_id_of("Write a poem.")
    assert sorted(ingest.prompts.rows()) == sorted(
        [(p1, "What is 2 + 2?", "maths"), (p2, "Write a poem.", "art")]
    )
    outcomes = {(row[0], row[1]): row[3:] for row in ingest.outcomes.rows()}
    assert outcomes == {
        (p1, "small"): (1.0, 0.001, 1.5, 12, None, None),
        (p1, "large"): (0.5, None, None, None, None, None),
        (p2, "small"): (None, 0.002, 0.25, 9, None, None),
    }
    times = dict(ingest.requests.select("external_id", "occurred_at").rows()[::-1])
    assert set(ingest.requests["external_id"]) == {"p1", "p2"}
    assert times["p2"] is None
    assert set(ingest.requests["occurred_at"]) == {None, NOW, NOW.replace(hour=0)}
    assert (ingest.n_rows, ingest.n_rejected) == (3, 0)


def test_the_import_row_names_the_file_and_the_mapping(tmp_path):
    """The same bytes and mapping have the same import id; another scale has another."""
    first, again = read(tmp_path, LONG), read(tmp_path, LONG)
    [row] = first.import_row.rows(named=True)
    assert (row["file_name"], row["n_rows"], row["n_rejected"]) == ("in.csv", 3, 0)
    assert (row["imported_at"], row["mapping"]) == (NOW, dump_mapping(first.mapping))
    assert first.mapping.quality_scale == "0-1"
    assert again.import_row.equals(first.import_row)
    other = read(tmp_path, LONG, quality_scale="0-10")
    assert other.import_row["import_id"].item() != row["import_id"]
    assert other.outcomes["quality"].max() == 0.1


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_tables(tmp_path, extension):
    """Ids and values do not depend on the kind of the file."""
    frame = pl.read_csv(io.StringIO(LONG))
    path = tmp_path / f"in.{extension}"
    writers = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}
    writers[extension](path)
    found, expected = read_file(path, imported_at=NOW), read(tmp_path, LONG, "expected.csv")
    assert found.prompts.equals(expected.prompts)
    assert found.outcomes.equals(expected.outcomes)
    assert found.requests.drop("import_id").equals(expected.requests.drop("import_id"))


@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(QUALITIES)), min_size=1),
    grown=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(QUALITIES))),
)
def test_importing_twice_or_grown_adds_only_what_is_new(tmp_path_factory, rows, grown):
    """No repeated row vanishes, and none is counted twice."""
    folder = tmp_path_factory.mktemp("grow")
    header = ["prompt", "model", "quality"]
    texts = [
        csv_text([header, *((prompt, "m", quality) for prompt, quality in part)])
        for part in (rows, [*rows, *grown])
    ]
    before, after = (read(folder, text) for text in texts)
    assert before.outcomes.height == before.requests.height == len(rows)
    assert after.outcomes.height == len(rows) + len(grown)
    assert set(before.requests["request_id"]) <= set(after.requests["request_id"])


def test_the_store_takes_an_import_once(tmp_path):
    """Appending the same file a second time adds no row to any table."""
    store = Store(path=tmp_path / "store.duckdb")
    ingest = read(tmp_path, LONG)
    assert store.append(*ingest.tables()) == {
        "imports": 1, "prompts": 2, "requests": 3, "outcomes": 3,
    }  # fmt: skip
    assert set(store.append(*read(tmp_path, LONG).tables()).values()) == {0}
    assert store.read(OUTCOMES).equals(ingest.outcomes)


def test_given_request_ids_are_kept(tmp_path):
    """One request may have several models; its repeat, or another prompt under it, is a reject."""
    text = "prompt,model,request_id\na,m,r1\na,n,r1\na,m,r1\nb,m,r1\nb,m,r2\n"
    ingest = read(tmp_path, text)
    assert ingest.requests["request_id"].to_list() == ["r1", "r2"]
    assert reasons(ingest) == [
        (4, "request_id 'r1' repeats for model 'm'"),
        (5, "request_id 'r1' already belongs to another prompt"),
    ]


def test_a_file_of_prompts_has_no_outcomes(tmp_path):
    """Only the prompt is required; each row is still a request."""
    ingest = read(tmp_path, "text\na\nb\na\n")
    assert (ingest.prompts.height, ingest.requests.height, ingest.outcomes.height) == (2, 3, 0)


def test_chats_keep_their_payload(tmp_path):
    """The stored text is what is routed; the whole chat is kept beside it."""
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    ingest = read(tmp_path, json.dumps({"messages": chat, "model": "m"}), "in.jsonl")
    assert ingest.prompts["text"].to_list() == ["U\n\nS"]
    assert json.loads(ingest.requests["payload"].item()) == chat


def test_the_wide_layout_is_one_outcome_per_known_cell(tmp_path):
    """A cell without quality and cost is no outcome; a row without any is still a prompt."""
    text = (
        "prompt,eval_name,a,a|total_cost,b,b|total_cost\n"
        "x,t,1,0.1,0.25,\ny,t,,,,0.2\nz,t,,,nan,\n,t,1,,1,\nw,t,2,0.3,1,\n"
    )
    ingest = read(tmp_path, text, quality_scale="0-1")
    x, y, z = map(prompt_id_of, "xyz")
    found = {(row[0], row[1]): row[3:5] for row in ingest.outcomes.rows()}
    assert found == {
        (x, "a"): (1, 0.1), (x, "b"): (0.25, None), (y, "b"): (None, 0.2),
        (prompt_id_of("w"), "b"): (1, None),
    }  # fmt: skip
    assert z in ingest.prompts["prompt_id"]
    assert reasons(ingest) == [
        (5, "empty prompt"),
        (6, "quality: expected a number from 0 to 1, found '2'"),
    ]
    assert json.loads(ingest.rejects["row"][1]) == {
        "prompt": "w", "eval_name": "t", "model": "a", "quality": "2", "cost_usd": "0.3",
    }  # fmt: skip
    assert (ingest.n_rows, ingest.n_rejected) == (5, 2)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("quality", "7", "quality: expected a number from 0 to 1, found '7'"),
        ("cost_usd", "abc", "cost_usd: expected a number, found 'abc'"),
        ("cost_usd", "-1", "cost_usd: expected a finite number of at least 0, found '-1'"),
        ("latency_s", "inf", "latency: expected a finite number of at least 0, found 'inf'"),
        ("n_tokens_in", "1.5", "n_tokens_in: expected a whole number of at least 0, found '1.5'"),
        ("n_tokens_out", "1e30", "n_tokens_out: expected a whole number of at least 0"),
        ("occurred_at", "1700000000", "occurred_at: expected a time such as 2026-01-31T12:00:00Z"),
        ("occurred_at", "2026-13-01", "occurred_at: expected a time"),
        ("propensity", "0", "propensity: expected a number above 0 and up to 1, found '0'"),
        ("propensity", "1.01", "propensity: expected a number above 0"),
        ("propensity", "x", "propensity: expected a number above 0"),
        ("model", "gpt-9", "unknown model 'gpt-9'; known: large, small"),
        ("model", "", "quality without a model"),
        ("prompt", " \t ", "empty prompt"),
    ],
)
def test_a_bad_value_rejects_its_row_only(tmp_path, column, value, reason):
    """The row is kept with its line and the reason; the others are imported."""
    good = {"prompt": "x", "model": "small", "quality": "1"}
    rows = [good, {**good, column: value}, good]
    columns = list(rows[1])
    text = csv_text([columns, *([row.get(name, "") for name in columns] for row in rows)])
    ingest = read(tmp_path, text, quality_scale="0-1", known_models=["small", "large"])
    [(line, found)] = reasons(ingest)
    assert line == 3
    assert found.startswith(reason)
    assert (ingest.outcomes.height, ingest.n_rejected, ingest.prompts.height) == (2, 1, 1)


def test_all_reasons_of_a_row_are_given(tmp_path):
    """Nobody should have to import five times to see five problems."""
    [(_, reason)] = reasons(read(tmp_path, "prompt,model,cost\nx,m,a\n,,1\n"))[1:]
    assert reason == "empty prompt; cost_usd without a model"


@pytest.mark.parametrize("value", ["", " ", "null", "NaN", "n/a", "None"])
def test_unknown_numbers_stay_unknown(tmp_path, value):
    """They are null, not zero, and no reason to reject."""
    ingest = read(tmp_path, f"prompt,model,quality,cost,latency,tokens_in\nx,m,{value},{value},,\n")
    assert ingest.outcomes.select("quality", "cost_usd").row(0) == (None, None)
    assert ingest.n_rejected == 0


@pytest.mark.parametrize(
    ("mapping", "value", "expected"),
    [
        ("occurred_at_s=t", "1769860800", NOW),
        ("occurred_at_ms=t", "1769860800000", NOW),
        ("occurred_at=t", "2026-01-31 12:00:00", NOW),
        ("occurred_at=t", "2026-01-31T12:00:00Z", NOW),
    ],
)
def test_times_are_utc(tmp_path, mapping, value, expected):
    """A time without a zone is UTC; a number needs its unit from the mapping."""
    ingest = read(tmp_path, f"prompt,t\nx,{value}\n", mapping=parse_mapping(mapping))
    assert ingest.requests["occurred_at"].to_list() == [expected]


def test_numbers_that_are_no_time_are_rejected(tmp_path):
    """Nothing is guessed from the size of a number."""
    text = "prompt,t\nx,1e300\ny,2026\n"
    ingest = read(tmp_path, text, mapping=ColumnMapping(occurred_at="t", occurred_at_unit="ms"))
    assert [line for line, _ in reasons(ingest)] == [2]


def test_broken_lines_and_bad_values_are_reported_together(tmp_path):
    """Rejects are sorted by line, whichever step found them."""
    text = "prompt,model\nx,m\ny\n,m\nz,m,1\n"
    assert reasons(read(tmp_path, text)) == [
        (3, "expected 2 fields, found 1"),
        (4, "empty prompt"),
        (5, "expected 2 fields, found 3"),
    ]


def test_the_order_of_rows_changes_no_id(tmp_path):
    """Only the label and the spelling of a prompt are taken from its first row."""
    header, *lines = LONG.splitlines(keepends=True)
    found, turned = read(tmp_path, LONG), read(tmp_path, header + "".join(lines[::-1]))
    assert turned.outcomes.equals(found.outcomes)
    assert turned.prompts.drop("text").equals(found.prompts.drop("text"))


def test_standard_input_is_imported(monkeypatch):
    """A dash reads from a pipe."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LONG.encode())))
    ingest = read_file("-", imported_at=NOW)
    assert ingest.n_rows == 3
    assert ingest.import_row["file_name"].item() == "standard input"


def test_frames_have_the_declared_columns(tmp_path):
    """Even if every row is a reject."""
    ingest = read(tmp_path, "prompt,model\n,m\n")
    for frame, table in (
        (ingest.prompts, PROMPTS), (ingest.requests, REQUESTS), (ingest.outcomes, OUTCOMES),
    ):  # fmt: skip
        assert frame.schema == table.schema
        assert frame.is_empty()


def test_mappings_are_read_from_a_file(tmp_path):
    """`@FILE` holds a preset or the text form; a missing one is named."""
    preset = tmp_path / "preset.json"
    preset.write_text(dump_mapping(ColumnMapping(prompt="q")), encoding="utf-8")
    assert read_mapping(f"@{preset}") == read_mapping("prompt=q") == ColumnMapping(prompt="q")
    with pytest.raises(UsageError, match="expected a mapping preset, found no file"):
        read_mapping("@gone.json")


def test_rejects_are_written_safely(tmp_path):
    """The file has a header, survives line ends in rows, and holds no formula."""
    rejects = pl.DataFrame(
        {"line": [2, 3], "reason": ["bad", "worse"], "row": ["=1+1", 'a\r\n"b"']}
    )
    path = tmp_path / "rejects.csv"
    write_rejects(path, rejects)
    with path.open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["line", "reason", "row"], ["2", "bad", "'=1+1"], ["3", "worse", 'a\r\n"b"'],
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo,bar\n1,2\n", "expected a column with the prompt, found 'foo', 'bar'"),
        ("prompt,model,quality\nHi,a,250\n", "quality: expected words or numbers from 0 to 1"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path, text, message):
    """Columns and scales that cannot be told are errors of that file."""
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"(?i)odd\.csv: {message}"):
        read_file(path)


def test_latencies_that_no_model_has_are_doubted(tmp_path):
    """Milliseconds under a name without a unit; with the unit, and where unknown, all is well."""
    for head, values, is_doubted in (
        ("latency", (1500, 900), True),
        ("latency_ms", (1500, 900), False),
        ("latency_ms", (2, 3), True),
        ("latency", ("", ""), False),
    ):
        rows = "".join(f"prompt {value},m,1,{value}\n" for value in values)
        path = tmp_path / "in.csv"
        path.write_text(f"prompt,model,quality,{head}\n{rows}", encoding="utf-8")
        last = read_file(path).described[-1]
        assert last.startswith("note: half of the latencies are ") == is_doubted
