"""What a prompt is: its identity, and the text that is routed when it came as a chat."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeGuard

_SPACES = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n[ \n]*")
_DIGEST_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt as read from a file."""

    text: str
    """What is encoded and routed; empty if there is nothing to route."""
    payload: str | None
    """JSON list of the whole chat; null for a plain prompt."""


def normalise_text(text: str) -> str:
    r"""Return `text` in the form that decides identity; never stored, never encoded.

    Unicode NFC; a run of white space becomes one line end if it holds one, otherwise one space;
    none at either end.

    >>> normalise_text(" What is\t 2 + 2?\r\n\r\n Think. ")
    'What is 2 + 2?\nThink.'
    """
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return _LINE_ENDS.sub("\n", _SPACES.sub(" ", lines)).strip()


def prompt_id_of(text: str) -> str:
    """Return the 128-bit BLAKE2b digest of the normalised text, as 32 hexadecimal digits."""
    return blake2b(normalise_text(text).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def routing_text(messages: object) -> str:
    """Return the text to route: the last user turn, then the system prompt.

    The user turn comes first because encoders cut off the tail.

    Parameters
    ----------
    messages
        A list of chat messages, a request body or a batch line that holds one, any of these as
        JSON text, or plain text, which is returned exactly as it is.

    Returns
    -------
    str
        Empty if there is no text.
    """
    return read_prompt(messages).text


def read_prompt(value: object) -> Prompt:
    """Read one cell of a prompt column; see `routing_text`.

    Parameters
    ----------
    value
        None is an empty prompt; a number or another object is its JSON text.
    """
    if value is None:
        return Prompt(text="", payload=None)
    chat = _find_chat(_parse_json(value) if isinstance(value, str) else value)
    if chat is not None:
        payload = json.dumps(chat, ensure_ascii=False, default=str)
        return Prompt(text=well_formed(_chat_text(chat)), payload=well_formed(payload))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return Prompt(text=text, payload=None)


def well_formed(text: str) -> str:
    """Replace the halves of characters that a JSON escape can spell but UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _parse_json(text: str) -> object:
    """Return the chat-like value that `text` spells, or None if it is plain text."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a prompt may well begin with a bracket
        return None


def _find_chat(value: object) -> list[Mapping[str, object]] | None:
    """Return the messages in a chat, an OpenAI or Anthropic body, or a batch line; or None."""
    if isinstance(value, Mapping):
        for wrapper in ("body", "params"):  # OpenAI and Anthropic batch lines
            if isinstance(value.get(wrapper), Mapping):
                return _find_chat(value[wrapper])
        messages = value.get("messages", value.get("input"))
        if isinstance(messages, str) and "input" in value and "model" in value:
            messages = [{"role": "user", "content": messages}]
        system = value.get("system", value.get("instructions"))
        chat = _find_chat(messages)
        return (
            chat if chat is None or not system else [{"role": "system", "content": system}, *chat]
        )
    return value if _is_chat(value) else None


def _is_chat(value: object) -> TypeGuard[list[Mapping[str, object]]]:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(turn, Mapping) and "role" in turn for turn in value)
    )


def _chat_text(chat: Sequence[Mapping[str, object]]) -> str:
    system = [turn for turn in chat if turn["role"] in ("system", "developer")]
    asked = [turn for turn in chat if turn["role"] == "user"]
    others = [turn for turn in chat if turn not in system]
    last = [_content_text(turn.get("content")) for turn in (asked or others)[-1:]]
    rules = [_content_text(turn.get("content")) for turn in system]
    return "\n\n".join(text for text in [*last, *rules] if text)


def _content_text(content: object) -> str:
    """Join the text parts of a message; images and sounds have none."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))
