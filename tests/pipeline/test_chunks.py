import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest

from pipeline.chunks import CsvChunk, JsonChunk, ParquetChunk, as_text

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("a", "a"), (True, "true"), (0.1, "0.1"), (10**20, "1" + "0" * 20),
        ([1, "ä"], '[1, "ä"]'), ({"a": None}, '{"a": null}'), (NOON, "2026-01-31T12:00:00+00:00"),
        (Decimal("1.50"), "1.50"), (b"a\xff", "a\\xff"),
    ],
)  # fmt: skip
def test_every_raw_value_has_a_text(value, text):
    """Null stays null; numbers keep all their digits."""
    assert as_text(value) == text


def test_csv_rows_have_every_shape():
    """CSV knows only strings."""
    chunk = CsvChunk(columns=("a", "b"), lines=[2], rows=[["1", "x"]], raws=["1,x"])
    assert chunk.column("b") == ["x"]
    assert list(chunk.cells()) == [["1", "x"]]
    assert chunk.json_lines() == ['{"a": "1", "b": "x"}']
    assert chunk.arrow(None).to_pylist() == [{"a": "1", "b": "x"}]


def test_json_rows_have_every_shape():
    """A missing key is null, an empty cell, or no member at all."""
    raws = ['{"a": 1.10,"b":[1]}', "{}"]
    rows = [json.loads(raw) for raw in raws]
    chunk = JsonChunk(columns=("a", "b"), lines=[1, 2], rows=rows, raws=raws)
    assert chunk.column("a") == [1.1, None]
    assert list(chunk.cells()) == [["1.1", "[1]"], ["", ""]]
    assert chunk.json_lines() == raws
    assert chunk.arrow(None).to_pylist() == [{"a": 1.1, "b": [1]}, {"a": None, "b": None}]


def test_json_values_of_several_types_become_text_in_arrow():
    """So do those of a column that has none yet."""
    rows: list[dict[str, object]] = [{"a": 1, "b": None}, {"a": "x", "b": None}]
    chunk = JsonChunk(columns=("a", "b"), lines=[1, 2], rows=rows, raws=["", ""])
    table = chunk.arrow(None)
    assert table.to_pylist() == [{"a": "1", "b": None}, {"a": "x", "b": None}]
    assert table.schema.types == [pa.string(), pa.string()]


def test_later_json_rows_take_the_types_of_the_first():
    """A value that does not fit is an error, not a null."""
    schema = pa.schema([("a", pa.int64())])
    fitting = JsonChunk(columns=("a",), lines=[1], rows=[{"a": 2}], raws=[""])
    assert fitting.arrow(schema).schema == schema
    odd = JsonChunk(columns=("a",), lines=[1], rows=[{"a": "x"}], raws=[""])
    with pytest.raises(pa.ArrowInvalid):
        odd.arrow(schema)


def test_parquet_rows_have_every_shape():
    """Times become ISO 8601, also those in nanoseconds; nested values become JSON."""
    nanoseconds = pa.array([1769860800000000001], pa.timestamp("ns", tz="Europe/Berlin"))
    batch = pa.record_batch({"t": nanoseconds, "x": pa.array([[1]]), "n": pa.array([None])})
    chunk = ParquetChunk(lines=[1], batch=batch)
    assert chunk.column("t") == [NOON]
    assert list(chunk.cells()) == [("2026-01-31T12:00:00+00:00", "[1]", "")]
    assert json.loads(chunk.json_lines()[0]) == {"t": str(NOON), "x": [1], "n": None}
    assert chunk.arrow(None).schema == batch.schema
