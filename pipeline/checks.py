"""Checks of an answer: cheap signs that another model should be asked."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.results import Result
from profiles.errors import InputFileError

_REFUSALS = re.compile(
    r"\s*(i.?m sorry|i am sorry|sorry,|i can.?t|i cannot|i can not|i.?m unable|i am unable|"
    r"i.?m not able|i am not able|as an ai\b|unfortunately, i)",
    re.IGNORECASE,
)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "refusal": bool,
    "complete": bool,
    "json_keys": list,
    "regex": str,
    "min_chars": int,
    "max_chars": int,
}


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What an answer must pass; an empty one never does."""

    refusal: bool = True
    """It must not begin like a refusal (English)."""
    complete: bool = True
    """It must not have been cut off at the limit of tokens."""
    json_keys: tuple[str, ...] | None = None
    """It must be a JSON object with these keys; None asks for nothing."""
    regex: str | None = None
    """Must be found in it."""
    min_chars: int = 1
    max_chars: int | None = None

    def problem_of(self, result: Result) -> str | None:
        """Return why an answer does not pass; None if it does."""
        answer = (result.answer or "").strip()
        most = math.inf if self.max_chars is None else self.max_chars
        found = (
            (not answer, "empty answer"),
            (self.refusal and _REFUSALS.match(answer), "refusal"),
            (self.complete and result.finish_reason == "length", "cut off"),
            (len(answer) < self.min_chars, f"shorter than {self.min_chars} characters"),
            (len(answer) > most, f"longer than {most} characters"),
            (self.regex and not re.search(self.regex, answer), "does not match the regex"),
        )
        return next((problem for is_so, problem in found if is_so), self._json_problem(answer))

    def _json_problem(self, answer: str) -> str | None:
        if self.json_keys is None:
            return None
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            return "no JSON"
        if not isinstance(found, dict):
            return "no JSON object"
        missing = [key for key in self.json_keys if key not in found]
        return f"JSON without {missing[0]}" if missing else None


def parse_checks(text: str, *, name: str) -> Checks:
    """Read checks from YAML.

    Raises
    ------
    InputFileError
        If a key is unknown, has the wrong type, or the regex is none.
    """
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise InputFileError(f"{name}: expected YAML, found {error}.") from None
    if not isinstance(found, dict) or not set(found) <= set(_TYPES):
        raise InputFileError(f"{name}: expected the keys {', '.join(_TYPES)}, found {found!r}.")
    for key, value in found.items():
        if not isinstance(value, _TYPES[key]):
            raise InputFileError(f"{name}: {key}: found {value!r}. Correct the file.")
    given: dict[str, Any] = dict(found)
    if "json_keys" in given:
        given["json_keys"] = tuple(map(str, given["json_keys"]))
    try:
        re.compile(given.get("regex", ""))
    except re.error as error:
        raise InputFileError(f"{name}: regex: {error}. Correct the file.") from None
    return Checks(**given)
