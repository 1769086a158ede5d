import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.csv_text import csv_text, guard_cell

CELLS = st.text(alphabet='a",;\n\r\t=-1', max_size=5)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=4))
def test_what_is_written_is_read_back(rows):
    """Any cell comes back as it was, line ends of all kinds included."""
    text = csv_text(rows, delimiter=";")
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)) == rows


def test_no_rows_are_no_text():
    """Nothing in, nothing out."""
    assert csv_text([]) == ""


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\tx", "\r=1", "- item", "-"])
def test_formulas_get_an_apostrophe(text):
    """A spreadsheet shows such a cell as text."""
    assert guard_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "plain", "1", "-1.5", "+2e-3", "-.5", "a=b", " =1"])
def test_plain_text_and_numbers_stay(text):
    """A negative number is no formula."""
    assert guard_cell(text) == text
