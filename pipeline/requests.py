"""Requests to providers: a chat and a template in, a line of a batch file out.

Each provider has its own form (`FORMS`); ids and limits are the strictest of all of them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from profiles.errors import InputFileError

OPENAI, ANTHROPIC, GEMINI, MISTRAL = (
    f"{provider}-batch" for provider in ("openai", "anthropic", "gemini", "mistral")
)
_OWN = ("model", "messages", "max_tokens", "max_completion_tokens", "n", "stream")
"""Fields that `extra` may not hold: the routed row or a key of its own says them, or there would be
several answers."""
_KEYS = ("system", "max_tokens", "temperature", "tools", "extra", "models")
_DEFAULT_MAX_TOKENS = 4096  # Anthropic takes no request without a limit
Json: TypeAlias = dict[str, Any]
Message: TypeAlias = Mapping[str, Any]


class UnsayableError(ValueError):
    """A chat that a provider's form has no words for."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """What all requests of a batch have in common; None is left to the provider."""

    system: str | None = None
    """For chats without a system prompt of their own."""
    max_tokens: int | None = None
    temperature: float | None = None
    tools: tuple[Json, ...] = ()
    """In the provider's own form."""
    extra: Json = field(default_factory=dict[str, Any])
    """Further fields of the request, as they are."""
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    """The provider's name of a model, by the name in the routed file; the same where absent."""


def parse_template(text: str, *, name: str) -> Template:
    """Read a template; an empty text asks for nothing.

    Raises
    ------
    InputFileError
        If it is no YAML, or a key is unknown or has the wrong type.
    """
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise InputFileError(
            f"{name}: expected YAML, found {' '.join(str(error).split())}."
        ) from None
    if not isinstance(found, dict):
        raise InputFileError(f"{name}: expected the keys {', '.join(_KEYS)}, found {found!r}.")
    types: dict[str, tuple[type, ...]] = {
        "system": (str,),
        "max_tokens": (int,),
        "temperature": (int, float),
        "tools": (list,),
        "extra": (dict,),
        "models": (dict,),
    }
    for key, value in found.items():
        if key not in types:
            raise InputFileError(
                f"{name}: expected the keys {', '.join(_KEYS)}, found {key!r}. Correct the file."
            )
        if not isinstance(value, types[key]) or isinstance(value, bool):
            raise InputFileError(
                f"{name}: {key}: expected {types[key][-1].__name__}, found {value!r}. "
                "Correct the file."
            )
    own = sorted(set(found.get("extra", ())) & set(_OWN))
    if own:
        raise InputFileError(
            f"{name}: extra: found {own[0]!r}, which is said by the routed file or the key "
            "max_tokens, or asks for several answers. Leave it out."
        )
    given: dict[str, Any] = {**found, "tools": tuple(found.get("tools", ()))}
    return Template(**given)


def chat_of(payload: str | None, text: str, template: Template) -> list[Message]:
    """Return the messages to send: the whole chat, or the text as one; with a system prompt.

    Parameters
    ----------
    payload
        JSON list of messages; null for a plain prompt.
    """
    chat: list[Message] = json.loads(payload) if payload else [{"role": "user", "content": text}]
    if template.system and not any(turn["role"] in ("system", "developer") for turn in chat):
        return [{"role": "system", "content": template.system}, *chat]
    return chat


def is_text(payload: str | None) -> bool:
    """Tell whether a chat (as in `chat_of`) has no pictures, sounds or files."""
    chat: list[Message] = json.loads(payload) if payload else []
    try:
        return all(_plain(turn) is not None for turn in chat if turn.get("content") is not None)
    except UnsayableError:
        return False


def openai_body(chat: Sequence[Message], model: str, template: Template) -> Json:
    """Return a chat completion request."""
    return {
        "model": model,
        "messages": list(chat),
        **_known(max_completion_tokens=template.max_tokens, temperature=template.temperature),
        **({"tools": list(template.tools)} if template.tools else {}),
        **template.extra,
    }


def _openai(wanted: str, chat: Sequence[Message], model: str, template: Template) -> Json:
    return {
        "custom_id": wanted,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": openai_body(chat, model, template),
    }


def _mistral(wanted: str, chat: Sequence[Message], _model: str, template: Template) -> Json:
    """Return a line whose model is named where the job is made."""
    renamed = [
        {**turn, "role": "system"} if turn["role"] == "developer" else dict(turn) for turn in chat
    ]
    body = {
        "messages": renamed,
        **_known(max_tokens=template.max_tokens, temperature=template.temperature),
        **({"tools": list(template.tools)} if template.tools else {}),
        **template.extra,
    }
    return {"custom_id": wanted, "body": body}


def _anthropic(wanted: str, chat: Sequence[Message], model: str, template: Template) -> Json:
    system, turns = _apart(chat)
    params = {
        "model": model,
        "max_tokens": template.max_tokens or _DEFAULT_MAX_TOKENS,
        "messages": [{"role": turn["role"], "content": _plain(turn)} for turn in turns],
        **_known(system=system, temperature=template.temperature),
        **({"tools": list(template.tools)} if template.tools else {}),
        **template.extra,
    }
    return {"custom_id": wanted, "params": params}


def _gemini(wanted: str, chat: Sequence[Message], _model: str, template: Template) -> Json:
    """Return a line whose model is named where the job is made."""
    system, turns = _apart(chat)
    roles = {"user": "user", "assistant": "model"}
    settings = _known(max_output_tokens=template.max_tokens, temperature=template.temperature)
    request = {
        "contents": [
            {"role": roles[turn["role"]], "parts": [{"text": _plain(turn)}]} for turn in turns
        ],
        **({"system_instruction": {"parts": [{"text": system}]}} if system else {}),
        **({"generation_config": settings} if settings else {}),
        **({"tools": list(template.tools)} if template.tools else {}),
        **template.extra,
    }
    return {"key": wanted, "request": request}


Form: TypeAlias = Callable[[str, Sequence[Message], str, Template], Json]
"""Id, chat, the provider's model and template to one line; raises UnsayableError."""

FORMS: Mapping[str, Form] = {
    OPENAI: _openai,
    ANTHROPIC: _anthropic,
    GEMINI: _gemini,
    MISTRAL: _mistral,
}


def _known(**values: object) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _apart(chat: Sequence[Message]) -> tuple[str | None, list[Message]]:
    """Return the system prompt, and the turns of user and assistant."""
    system = [_plain(turn) for turn in chat if turn["role"] in ("system", "developer")]
    turns = [turn for turn in chat if turn["role"] not in ("system", "developer")]
    for turn in turns:
        if turn["role"] not in ("user", "assistant") or turn.get("tool_calls"):
            raise UnsayableError(f"a turn of {turn['role']} with tools has no form here")
    if not turns:
        raise UnsayableError("a chat without a turn of the user")
    return "\n\n".join(system) or None, turns


def _plain(turn: Message) -> str:
    """Return the text of a turn; pictures and sounds cannot be said."""
    content = turn.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise UnsayableError("a turn that is not text has no form here")
    return "\n".join(map(str, texts))
