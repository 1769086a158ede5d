import datetime as dt

import pytest

from pipeline.readers.chats import chat_of
from pipeline.readers.paths import first_at, has_all, list_at, mapping_at, value_at
from pipeline.units import read_time, seconds, seconds_between

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
EPOCH = 1769860800


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2026-01-31T12:00:00Z", "iso"), ("2026-01-31 13:00:00+01:00", "iso"),
        ("2026-01-31 12:00:00", "iso"), (str(EPOCH), "s"), (f"{EPOCH}000", "ms"),
        (f"{EPOCH}000000000", "ns"), (f"{EPOCH}.0", "s"),
    ],
)  # fmt: skip
def test_a_moment_is_one_in_every_unit(text, unit):
    """All are noon in UTC."""
    assert read_time(text, unit) == NOON


@pytest.mark.parametrize(("text", "unit"), [("1769860800", "iso"), ("x", "s"), ("1e30", "s")])
def test_what_is_no_moment_is_none(text, unit):
    """A number is no ISO time, and a time too far away is none."""
    assert read_time(text, unit) is None


def test_a_duration_is_in_seconds_and_unknown_stays_unknown():
    """A second is the same in every unit."""
    assert [seconds(v, u) for v, u in ((1, "s"), ("1000", "ms"), (1e9, "ns"))] == [1.0, 1.0, 1.0]
    assert (seconds(None, "ms"), seconds_between(None, "2026-01-31", "iso")) == (None, None)


def test_paths_enter_lists_text_and_flat_names():
    """CSV holds JSON as text; data frames have dots in their names."""
    record = {"a": '{"b": [{"c": 7}]}', "x.y": {"z": 0}, "n": None, "e": [], "t": "[1, 2]"}
    assert value_at(record, "a.b.0.c") == 7
    assert value_at(record, "x.y.z") == 0
    assert [value_at(record, path) for path in ("a.b.1.c", "n", "e", "q.r", "a.q")] == [None] * 5
    assert first_at(record, ("n", "e", "x.y.z")) == 0
    assert (list_at(record, "t"), list_at(record, "x.y"), mapping_at(record, "t")) == (
        [1, 2],
        [],
        {},
    )
    assert has_all(record, ("a", "n", "x.y.z"))
    assert not has_all(record, ("a", "missing"))


USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    "chat",
    [
        [USER],
        '[{"role": "user", "content": "hi"}]',
        [{"from": "human", "value": "hi"}],
        [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        [{"message.role": "user", "message.content": "hi"}],
        [{"message": {"role": "user", "content": "hi"}}],
        [[{"id": ["langchain", "HumanMessage"], "kwargs": {"content": "hi"}}]],
        [{"type": "human", "data": {"content": "hi"}}],
    ],
)
def test_a_chat_is_one_however_a_tool_writes_it(chat):
    """Roles and contents are named alike."""
    assert chat_of(chat) == [USER]


@pytest.mark.parametrize("value", ["hi", "[1]", [], [1], [{"a": 1}], None, 3])
def test_what_is_no_chat_stays_as_it_is(value):
    """A prompt may well look like a list."""
    assert chat_of(value) == value


def test_a_turn_is_kept_whole():
    """Tool calls and names stay, and so does what stands beside the messages of a body."""
    turn = USER | {"name": "ana", "tool_calls": [{"id": "1"}]}
    assert chat_of({"messages": [turn], "system": "x"}) == {"messages": [turn], "system": "x"}
