import io
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.chunks import CsvChunk
from pipeline.formats import Format
from pipeline.rows import Source
from pipeline.targets import open_target

SOURCE = Source(name="in.csv", path=Path("in.csv"), kind="csv", codec=None, columns=("a",),
                delimiter=";")  # fmt: skip
CHUNK = CsvChunk(columns=("a",), lines=[2, 3], rows=[["=1"], ["x"]], raws=["=1", "x"])
RECEIPTS = pl.DataFrame({"model": ["m", None], "cost": [0.5, None], "safe": [True, None]})


def written(kind, chunks=(CHUNK,), *, guard_formulas=True):
    stream = io.BytesIO()
    names = tuple(RECEIPTS.columns)
    with open_target(
        stream, Format(kind=kind, codec=None), SOURCE, receipt_columns=names,
        guard_formulas=guard_formulas,
    ) as target:  # fmt: skip
        for chunk in chunks:
            target.write(chunk, RECEIPTS)
    return stream.getvalue(), target.n_guarded


@pytest.mark.parametrize(("guard_formulas", "cell"), [(True, "'=1"), (False, "=1")])
def test_csv_keeps_the_delimiter(guard_formulas, cell):
    """Null is an empty cell; the guard is counted and can be switched off."""
    text, n_guarded = written("csv", guard_formulas=guard_formulas)
    assert text.decode() == f"a;model;cost;safe\n{cell};m;0.5;true\nx;;;\n"
    assert n_guarded == int(guard_formulas)


def test_json_lines_have_native_values():
    """Null, numbers and booleans are JSON's own."""
    assert written("jsonl")[0].decode() == (
        '{"a": "=1", "model": "m", "cost": 0.5, "safe": true}\n'
        '{"a": "x", "model": null, "cost": null, "safe": null}\n'
    )


def test_parquet_collects_chunks_into_row_groups():
    """Small chunks do not become small row groups."""
    file = pq.ParquetFile(io.BytesIO(written("parquet", [CHUNK] * 3)[0]))
    assert (file.num_row_groups, file.metadata.num_rows) == (1, 6)
    assert file.read()["safe"].to_pylist() == [True, None] * 3


def test_no_rows_leave_a_header():
    """A CSV target without rows still names its columns."""
    assert written("csv", [])[0] == b"a;model;cost;safe\n"
