import json

import pytest

from pipeline.requests import (
    ANTHROPIC,
    FORMS,
    GEMINI,
    MISTRAL,
    OPENAI,
    Template,
    UnsayableError,
    chat_of,
    parse_template,
)
from profiles.errors import InputFileError

CHAT = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {"role": "assistant", "content": "Yes?"},
    {"role": "user", "content": "Bye"},
]
ASKED = Template(max_tokens=64, temperature=0.0, extra={"seed": 1})


def test_openai_keeps_the_chat_whole():
    """The body has model, messages as they are, and the template's fields."""
    line = FORMS[OPENAI]("r-000001", CHAT, "gpt", ASKED)
    assert (line["custom_id"], line["url"]) == ("r-000001", "/v1/chat/completions")
    assert line["body"] == {
        "model": "gpt",
        "messages": CHAT,
        "max_completion_tokens": 64,
        "temperature": 0.0,
        "seed": 1,
    }


def test_mistral_has_no_model_in_the_line_and_no_developer():
    """The job names the model; a developer's turn is the system's."""
    body = FORMS[MISTRAL]("r-000001", CHAT, "mistral", ASKED)["body"]
    assert "model" not in body
    assert (body["max_tokens"], body["messages"][0]["role"]) == (64, "system")


def test_anthropic_takes_the_system_prompt_apart():
    """max_tokens is always there."""
    params = FORMS[ANTHROPIC]("r-000001", CHAT, "claude", Template())["params"]
    assert params["system"] == "Be brief."
    assert [turn["content"] for turn in params["messages"]] == ["Hi", "Yes?", "Bye"]
    assert params["max_tokens"] > 0
    assert "temperature" not in params


def test_gemini_says_model_for_assistant():
    """Texts are parts; limits are the generation's."""
    request = FORMS[GEMINI]("r-000001", CHAT, "gemini", ASKED)["request"]
    assert [turn["role"] for turn in request["contents"]] == ["user", "model", "user"]
    assert request["contents"][0]["parts"] == [{"text": "Hi"}]
    assert request["system_instruction"] == {"parts": [{"text": "Be brief."}]}
    assert request["generation_config"] == {"max_output_tokens": 64, "temperature": 0.0}


@pytest.mark.parametrize("provider", [ANTHROPIC, GEMINI])
@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"role": "tool", "content": "3"}, "a turn of tool"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "not text"),
        ({"role": "system", "content": "x"}, "without a turn of the user"),
    ],
)
def test_what_a_form_cannot_say_is_refused(provider, turn, message):
    """Tools' turns and pictures are not translated."""
    with pytest.raises(UnsayableError, match=message):
        FORMS[provider]("r-000001", [turn], "m", Template())


def test_the_templates_system_prompt_is_for_chats_without_one():
    """A plain prompt becomes one turn of the user."""
    template = Template(system="Help.")
    assert chat_of(None, "Hi", template) == [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "Hi"},
    ]
    assert chat_of(json.dumps(CHAT), "", template) == CHAT


def test_a_template_is_read():
    """Every key, and none at all."""
    found = parse_template("system: Help.\nmodels: {a: gpt}\ntools: [{type: x}]\n", name="t.yml")
    assert found == Template(system="Help.", models={"a": "gpt"}, tools=({"type": "x"},))
    assert parse_template("", name="t.yml") == Template()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "expected YAML"),
        ("- a", "expected the keys"),
        ("max_token: 3", r"t\.yml: expected the keys .* found 'max_token'"),
        ("max_tokens: many", "max_tokens: expected int, found 'many'"),
        ("temperature: true", "temperature: expected float, found True"),
    ],
)
def test_a_wrong_template_is_refused(text, message):
    """File, key, expected and found."""
    with pytest.raises(InputFileError, match=message):
        parse_template(text, name="t.yml")
