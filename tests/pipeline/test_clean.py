import polars as pl
import pytest

from pipeline.clean import RAW, clean_rows
from pipeline.mapping import ColumnMapping
from profiles.errors import UsageError


def raw(*rows):
    filled = [{**dict.fromkeys(RAW), "line": line, **row} for line, row in enumerate(rows, 1)]
    return pl.DataFrame(filled, schema=RAW)


def test_values_are_typed_and_units_applied():
    """Milliseconds become seconds, stars become quality, text becomes a time in UTC."""
    row = {"prompt_id": "p", "model": " m ", "quality": "3", "latency": "1500",
           "n_tokens_in": "7.0", "occurred_at": "2026-01-31"}  # fmt: skip
    cleaned = clean_rows(raw(row), ColumnMapping(latency_unit="ms", quality_scale="1-5"))
    [found] = cleaned.rows.rows(named=True)
    assert (found["model"], found["quality"], found["latency_s"]) == ("m", 0.5, 1.5)
    assert (found["n_tokens_in"], found["occurred_at"].isoformat()) == (
        7, "2026-01-31T00:00:00+00:00",
    )  # fmt: skip
    assert cleaned.refused.is_empty()


def test_repeated_rows_get_different_ids_and_the_same_again():
    """The k-th occurrence of a row is numbered, so ids depend only on the rows before it."""
    row = {"prompt_id": "p", "model": "m"}
    ids = clean_rows(raw(row, row), ColumnMapping()).rows["request_id"].to_list()
    assert len(set(ids)) == 2
    assert clean_rows(raw(row), ColumnMapping()).rows["request_id"].to_list() == ids[:1]
    assert ids[0] == "84b424016768f4ef6ab09fec14c25149"  # stored: it must never change


def test_refused_rows_keep_their_raw_text():
    """What is shown to the user is what was in the file."""
    cleaned = clean_rows(raw({"prompt_id": "p", "model": "m", "cost_usd": " -1 "}), ColumnMapping())
    [refused] = cleaned.refused.rows(named=True)
    assert (refused["line"], refused["cost_usd"]) == (1, " -1 ")
    assert "found '-1'" in refused["reason"]


def test_no_rows_are_clean():
    """An empty frame gives empty frames."""
    cleaned = clean_rows(raw(), ColumnMapping())
    assert (cleaned.rows.height, cleaned.refused.height) == (0, 0)


def test_an_unknown_scale_is_an_error():
    """It is the user's mistake, not that of the rows."""
    with pytest.raises(UsageError, match="Unknown quality scale 'stars'"):
        clean_rows(raw(), ColumnMapping(quality_scale="stars"))
