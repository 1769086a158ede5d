import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.errors import SchemaError
from profiles.table import Table, conform
from profiles.tables import MEMBER_SETS, PROMPTS, RECEIPT, RUNS, STORED

ROWS = [("p2", "two", None), ("p1", "one", "maths")]


def frame(rows=ROWS):
    return pl.DataFrame(rows, schema=["prompt_id", "text", "label"], orient="row")


def test_rows_are_sorted_by_key():
    """A conformed table has its declared columns in order and its rows by key."""
    found = conform(frame().select("label", "text", "prompt_id"), PROMPTS)
    assert found.rows() == ROWS[::-1]
    assert dict(found.schema) == dict(PROMPTS.schema)


@given(st.permutations(range(5)))
def test_row_order_is_irrelevant(order):
    """Any order of rows conforms to the same table."""
    rows = [(f"p{i}", "text", None) for i in order]
    assert conform(frame(rows), PROMPTS).equals(conform(frame(sorted(rows)), PROMPTS))


def test_values_are_cast_and_nulls_stay():
    """Integers become the declared floats; null stays null."""
    row = dict.fromkeys(RUNS.schema, None) | {"run_id": "r", "n_prompts": 3, "duration_s": 2}
    found = conform(pl.DataFrame([row]), RUNS)
    assert found.row(0, named=True) == row
    assert found.schema["duration_s"] == pl.Float64


def test_a_missing_and_an_unknown_column_are_named():
    """The error says which columns are missing and which are not declared."""
    with pytest.raises(SchemaError, match=r"prompts: missing columns \['label'\].*\['note'\]"):
        conform(frame().rename({"label": "note"}), PROMPTS)


def test_a_wrong_type_is_refused():
    """A text that is no number does not become null."""
    table = Table(name="t", schema=pl.Schema({"k": pl.Int64}), key=("k",))
    with pytest.raises(SchemaError, match="t: a column has the wrong type"):
        conform(pl.DataFrame({"k": ["one"]}), table)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(None, "x", None)], r"prompts: the key \('prompt_id',\) has a null"),
        ([("p", "x", None), ("p", "y", None)], "has repeated values"),
    ],
)
def test_a_key_names_one_row(rows, message):
    """Null and repeated keys are refused."""
    with pytest.raises(SchemaError, match=message):
        conform(frame(rows), PROMPTS)


def test_a_key_of_two_columns_may_repeat_each():
    """Only the whole key must be unique."""
    rows = pl.DataFrame({"member_set_id": ["s", "s", "t"], "prompt_id": ["p", "q", "p"]})
    assert conform(rows, MEMBER_SETS).height == 3


@pytest.mark.parametrize("table", STORED, ids=lambda table: table.name)
def test_every_table_conforms_when_empty(table):
    """A table without rows is a valid table, and its key is among its columns."""
    assert conform(table.empty(), table).is_empty()
    assert set(table.key) <= set(table.schema)


def test_names_are_unique():
    """No two tables share a name."""
    assert len({table.name for table in STORED}) == len(STORED)


def test_a_receipt_names_the_model_first():
    """The columns routing adds begin with the model and say why."""
    assert next(iter(RECEIPT)) == "model"
    assert {"reason", "fallback", "table_version"} <= set(RECEIPT)
