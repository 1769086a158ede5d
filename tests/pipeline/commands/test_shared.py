import json

import pytest

from pipeline.commands.shared import print_json, print_table, say
from tests.support import NAN


def test_columns_are_aligned(capsys):
    """Texts to the left, numbers to the right, unknown as a dash, line ends as spaces."""
    print_table(["name", "n"], [("a", 5), ("long\nname", 1_000), ("b", None), ("c", NAN)])
    assert capsys.readouterr().out.splitlines() == [
        "name          n",
        "a             5",
        "long name  1000",
        "b             –",
        "c             –",
    ]


def test_a_table_without_rows_is_its_header(capsys):
    """Nothing to show is still a table."""
    print_table(["name", "n"], [])
    assert capsys.readouterr().out == "name  n\n"


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf")])
def test_json_has_no_nan(capsys, value):
    """NaN and infinity are null, at any depth; other values stay."""
    print_json({"a": [value, {"b": (value, 0.5)}], "c": "é"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [None, {"b": [None, 0.5]}], "c": "é"}
    assert "é" in out


def test_people_are_told_on_standard_error(capsys):
    """Standard output stays free."""
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
