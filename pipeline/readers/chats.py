"""The ways in which tools write a chat, as one: a list of turns with `role` and `content`."""

from collections.abc import Mapping

from pipeline.readers.paths import Record, first_at, from_json, value_at

_ROLES = ("role", "message.role", "from", "kwargs.type", "type")
_CONTENTS = ("content", "message.content", "value", "kwargs.content", "data.content", "parts")
_NAMES = {
    "human": "user",
    "humanmessage": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "aimessage": "assistant",
    "model": "assistant",
    "systemmessage": "system",
}
"""What LangChain, ShareGPT and Gemini call a role, in small letters."""


def chat_of(value: object) -> object:
    """Return a chat with `role` and `content` in every turn; anything else as it is.

    Parameters
    ----------
    value
        A list of turns as OpenAI, OpenTelemetry, OpenInference, LangChain or ShareGPT write
        them, an object with such a list as `messages`, either as JSON text, or plain text.
    """
    held = from_json(value) if isinstance(value, str) else value
    if isinstance(held, Mapping) and isinstance(held.get("messages"), list):
        return {**held, "messages": chat_of(held["messages"])}
    if isinstance(held, list) and len(held) == 1 and isinstance(held[0], list):
        return chat_of(held[0])  # LangChain logs a batch of one
    if not isinstance(held, list) or not held or not all(isinstance(t, Mapping) for t in held):
        return value
    turns = [_turn(turn) for turn in held]
    return [turn for turn in turns if turn] if all(turns) else value


def _turn(turn: Record) -> dict[str, object] | None:
    """Return a turn with `role` and `content`; None if it has no role."""
    role = _role(turn)
    if role is None:
        return None
    if "role" in turn and "content" in turn:
        return {**turn, "role": role}
    return {"role": role, "content": _content(turn)}


def _role(turn: Record) -> str | None:
    name = first_at(turn, _ROLES)
    kinds = turn.get("id")
    if isinstance(kinds, list) and kinds:  # LangChain's own: ["langchain", …, "HumanMessage"]
        name = kinds[-1]
    return _NAMES.get(name.lower(), name.lower()) if isinstance(name, str) else None


def _content(turn: Record) -> object:
    content = first_at(turn, _CONTENTS)
    if not isinstance(content, list):
        return content
    texts = [first_at(part, ("text", "content")) for part in content if isinstance(part, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))


def user_turns(texts: list[object]) -> list[dict[str, object]]:
    """Return a chat of which only the user's side is known."""
    return [{"role": "user", "content": text} for text in texts]


def turns_at(attributes: Record, prefix: str) -> list[dict[str, object]]:
    """Return the list that was flattened to keys such as `prefix.0.message.role`.

    A key without a value is there because a table has the columns of all its rows.

    >>> turns_at({"p.1.role": "b", "p.0.role": "a", "p.0.content": "hi", "q": 1}, "p")
    [{'role': 'a', 'content': 'hi'}, {'role': 'b'}]
    """
    items: dict[int, dict[str, object]] = {}
    for key in attributes:
        number, _, rest = key.removeprefix(f"{prefix}.").partition(".")
        if not (key.startswith(f"{prefix}.") and number.isdigit() and rest):
            continue
        if (value := value_at(attributes, key)) is not None:
            items.setdefault(int(number), {})[rest] = value
    return [items[number] for number in sorted(items)]
