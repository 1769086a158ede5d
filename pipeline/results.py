"""A line of a provider's result file to what became of one request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pipeline.prompt_text import well_formed

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one request."""

    id: str
    answer: str | None = None
    """Null if it failed; an empty answer is an answer."""
    finish_reason: str | None = None
    n_tokens_in: int | None = None
    """Null is unknown; cached ones and those of reasoning included."""
    n_tokens_out: int | None = None
    is_plain: bool = True
    """No token came from a cache, so that the plain price holds."""
    error: str | None = None
    """Null if it succeeded."""

    def __post_init__(self) -> None:
        """Replace halves of characters, which JSON can spell but no file can hold."""
        for name in ("id", "answer", "finish_reason", "error"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, well_formed(value))


def read_result(line: str) -> Result | None:
    """Read a result line of OpenAI's form (also Mistral and others), Anthropic's or Gemini's.

    Returns
    -------
    Result or None
        None if it is none of them.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    try:
        if isinstance(found.get("key"), str):
            return _of_gemini(found["key"], found)
        if isinstance(found.get("custom_id"), str):
            is_anthropic = isinstance(found.get("result"), dict)
            return (_of_anthropic if is_anthropic else _of_openai)(found["custom_id"], found)
    except (LookupError, TypeError, AttributeError) as error:
        wanted = found.get("key", found.get("custom_id"))
        return Result(id=str(wanted), error=f"not the form of an answer: {error!r}")
    return None


def completion(wanted: str, body: Json) -> Result:
    """Return what a chat completion in OpenAI's form says."""
    choice, usage = body["choices"][0], body.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    content = choice["message"].get("content")
    return Result(
        id=wanted,
        answer=_text(content),
        finish_reason=choice.get("finish_reason"),
        n_tokens_in=usage.get("prompt_tokens"),
        n_tokens_out=usage.get("completion_tokens"),
        is_plain=not details.get("cached_tokens"),
    )


def _of_openai(wanted: str, found: Json) -> Result:
    response, error = found.get("response"), found.get("error")
    if response is None or error:
        return Result(id=wanted, error=_said(error or "no response"))
    if response.get("status_code", 200) != 200:
        body = response.get("body") or {}
        said = body.get("error", body) if isinstance(body, dict) else body
        return Result(id=wanted, error=f"status {response['status_code']}: {_said(said)}")
    return completion(wanted, response["body"])


def _of_anthropic(wanted: str, found: Json) -> Result:
    result = found["result"]
    if result["type"] != "succeeded":
        return Result(id=wanted, error=_said(result.get("error") or result["type"]))
    message = result["message"]
    usage = message.get("usage") or {}
    cached = [
        usage.get(name) or 0 for name in ("cache_creation_input_tokens", "cache_read_input_tokens")
    ]
    n_in = usage.get("input_tokens")
    parts = [part["text"] for part in message["content"] if part.get("type") == "text"]
    return Result(
        id=wanted,
        answer="".join(parts),
        finish_reason=message.get("stop_reason"),
        n_tokens_in=None if n_in is None else n_in + sum(cached),
        n_tokens_out=usage.get("output_tokens"),
        is_plain=not any(cached),
    )


def _of_gemini(wanted: str, found: Json) -> Result:
    response = found.get("response")
    if not isinstance(response, dict):
        return Result(id=wanted, error=_said(found.get("error") or found.get("status")))
    usage = response.get("usageMetadata") or response.get("usage_metadata") or {}
    blocked = response.get("promptFeedback") or response.get("prompt_feedback")
    if not response.get("candidates"):
        return Result(id=wanted, error=f"no candidate: {_said(blocked)}")
    candidate = response["candidates"][0]
    parts = (candidate.get("content") or {}).get("parts") or []
    n_out = _gemini_count(usage, "candidatesTokenCount", "candidates_token_count")
    thought = _gemini_count(usage, "thoughtsTokenCount", "thoughts_token_count")
    return Result(
        id=wanted,
        answer="".join(
            part["text"] for part in parts if "text" in part and not part.get("thought")
        ),
        finish_reason=candidate.get("finishReason") or candidate.get("finish_reason"),
        n_tokens_in=_gemini_count(usage, "promptTokenCount", "prompt_token_count"),
        n_tokens_out=None if n_out is None else n_out + (thought or 0),
        is_plain=not _gemini_count(usage, "cachedContentTokenCount", "cached_content_token_count"),
    )


def _gemini_count(usage: Json, *names: str) -> int | None:
    return next((usage[name] for name in names if name in usage), None)


def _text(content: object) -> str:
    """Return an answer's text; parts are joined, and none is an empty answer."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part.get("text") or "" for part in parts if isinstance(part, Mapping))


def _said(error: object) -> str:
    """Return an error as one line."""
    if isinstance(error, Mapping):
        inner = error.get("error")
        if isinstance(inner, Mapping):
            return _said(inner)
        named = [error.get("type") or error.get("code") or error.get("status")]
        named.append(error.get("message"))
        words = [str(word) for word in named if word]
        error = ": ".join(words) or json.dumps(dict(error), default=str)
    return " ".join(str(error).split())[:500]
