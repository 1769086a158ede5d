import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.prompt_text import normalise_text, prompt_id_of, read_prompt, routing_text

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "What is 2 + 2?"}, {"type": "image_url"}],
    },
]
ROUTED = "What is 2 + 2?\n\nBe brief."
TEXTS = st.text(alphabet="ab \t\r\n\u00a0é\u0301", max_size=12)


def test_normalise_collapses_white_space_and_line_ends():
    """A run of white space is one space, or one line end if it holds one; none at the ends."""
    assert normalise_text("  a \t b\r\n\r\n  c\rd ") == "a b\nc\nd"


@given(text=TEXTS)
def test_normalise_is_idempotent(text):
    """Normalising twice changes nothing, so neither does it change the id."""
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert prompt_id_of(once) == prompt_id_of(text)


def test_id_ignores_composition_and_spacing_only():
    """Composed and combining letters are one prompt; another case, word or line is another."""
    assert prompt_id_of("caf\u00e9  x") == prompt_id_of("cafe\u0301 x ")
    assert len({prompt_id_of(text) for text in ("a b", "A b", "a\nb", "ab")}) == 4


def test_id_is_128_bits_of_blake2b():
    """The id is 32 hexadecimal digits and never changes between versions."""
    assert prompt_id_of("What is 2 + 2?") == "75c8e3c325068a1f7905cee1648820c2"


@pytest.mark.parametrize(
    "value",
    [
        CHAT,
        json.dumps(CHAT),
        {"model": "m", "messages": CHAT},
        json.dumps({"model": "m", "messages": CHAT}),
        {"custom_id": "1", "method": "POST", "body": {"model": "m", "messages": CHAT}},
        {"custom_id": "1", "params": {"system": "Be brief.", "messages": CHAT[1:]}},
        {"model": "m", "instructions": "Be brief.", "input": "What is 2 + 2?"},
    ],
)
def test_chats_are_read_from_every_wrapping(value):
    """A chat, a body and a batch line give the last user turn, then the system prompt."""
    assert routing_text(value) == ROUTED


@pytest.mark.parametrize(
    "text", ["plain ", "[not json", "[1, 2]", '{"a": 1}', "[]", '{"messages": "x"}', "[" * 100_000]
)
def test_plain_text_stays_exactly_as_it_is(text):
    """Text that only looks like JSON is a prompt like any other."""
    prompt = read_prompt(text)
    assert (prompt.text, prompt.payload) == (text, None)


def test_payload_keeps_the_whole_chat():
    """The payload is the chat as JSON, all turns in order."""
    payload = read_prompt({"messages": CHAT}).payload
    assert payload is not None
    assert json.loads(payload) == CHAT


@pytest.mark.parametrize(
    ("chat", "text"),
    [
        ([{"role": "user", "content": None}], ""),
        ([{"role": "user"}], ""),
        ([{"role": "system", "content": "Only rules."}], "Only rules."),
        ([{"role": "assistant", "content": "Only me."}], "Only me."),
        ([{"role": "user", "content": "half \ud83d"}], "half \ufffd"),
        ([{"role": "developer", "content": "D"}, {"role": "user", "content": "U"}], "U\n\nD"),
    ],
)
def test_odd_chats_have_the_text_that_there_is(chat, text):
    """A chat without a user turn gives its last turn; without any text it is empty."""
    assert routing_text(chat) == text


@pytest.mark.parametrize(("value", "text"), [(None, ""), (7, "7"), ({"a": 1}, '{"a": 1}')])
def test_other_values_are_their_json(value, text):
    """A missing prompt is empty and a number is its digits."""
    assert routing_text(value) == text
