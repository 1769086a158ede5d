from pipeline.chunks import Reject
from pipeline.records import Lines, csv_records, json_records, read_header


def lines(data):
    return Lines(stream=iter(data.splitlines(keepends=True)))


def test_csv_records_follow_their_header():
    """A record has the line on which it starts, its cells and its raw text."""
    text = lines(b'a,b\n1,"x\ny"\n2\n')
    assert read_header(text, ",") == ("a", "b")
    assert list(csv_records(text, delimiter=",", n_columns=2)) == [
        (2, ["1", "x\ny"], '1,"x\ny"\n'),
        Reject(line=4, reason="expected 2 fields, found 1", row="2"),
    ]


def test_json_records_skip_blank_lines():
    """A blank line is no row, but it is counted."""
    assert list(json_records(lines(b'\n{"a": 1}\n\n'))) == [(2, {"a": 1}, '{"a": 1}')]


def test_no_lines_are_no_records():
    """An empty stream ends at once."""
    assert list(json_records(lines(b""))) == []
