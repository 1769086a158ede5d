"""Checks of an answer: signs that another model should be asked, cheap ones first."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module, util
from typing import Any

import yaml

from pipeline.judge import Judge
from pipeline.results import Result
from profiles.errors import InputFileError, UsageError

_REFUSALS = re.compile(
    r"\s*(i.?m sorry|i am sorry|sorry,|i can.?t|i cannot|i can not|i.?m unable|i am unable|"
    r"i.?m not able|i am not able|as an ai\b|unfortunately, i)",
    re.IGNORECASE,
)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "refusal": bool,
    "complete": bool,
    "json_keys": list,
    "json_schema": dict,
    "regex": str,
    "min_chars": int,
    "max_chars": int,
    "judge": dict,
}
_JUDGE_TYPES: Mapping[str, type] = {"model": str, "criterion": str, "max_tokens": int}


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What an answer must pass; an empty one never does."""

    refusal: bool = True
    """It must not begin like a refusal (English)."""
    complete: bool = True
    """It must not have been cut off at the limit of tokens."""
    json_keys: tuple[str, ...] | None = None
    """It must be a JSON object with these keys; None asks for nothing."""
    json_schema: Mapping[str, Any] | None = None
    """It must be JSON that this JSON Schema (2020-12) accepts; None asks for nothing."""
    regex: str | None = None
    """Must be found in it."""
    min_chars: int = 1
    max_chars: int | None = None
    judge: Judge | None = None
    """Asked about what passes all else; None asks nobody. Not a part of `problem_of`."""

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
        if self.json_keys is None and self.json_schema is None:
            return None
        try:
            found = json.loads(answer)
            wrong = None if self.json_schema is None else self._against_schema(found)
        except (ValueError, RecursionError):
            return "no JSON"
        if wrong or self.json_keys is None:
            return wrong
        if not isinstance(found, dict):
            return "no JSON object"
        missing = [key for key in self.json_keys if key not in found]
        return f"JSON without {missing[0]}" if missing else None

    def _against_schema(self, found: object) -> str | None:
        unresolvable: Any = import_module("referencing.exceptions").Unresolvable
        errors = (error.json_path for error in self._validator.iter_errors(found))
        try:
            path = next(errors, None)
        except unresolvable as error:
            return f"the JSON schema refers to nothing: {error}"[:200]
        return None if path is None else f"not as the JSON schema says, at {path}"[:200]

    @cached_property
    def _validator(self) -> Any:  # noqa: ANN401 - of an extra that need not be there
        return import_module("jsonschema").Draft202012Validator(self.json_schema)


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
    _require_types(found, _TYPES, name)
    given: dict[str, Any] = dict(found)
    if "json_keys" in given:
        given["json_keys"] = tuple(map(str, given["json_keys"]))
    if "json_schema" in given:
        _require_schema(given["json_schema"], name)
    if "judge" in given:
        given["judge"] = _judge_of(given["judge"], name)
    try:
        re.compile(given.get("regex", ""))
    except re.error as error:
        raise InputFileError(f"{name}: regex: {error}. Correct the file.") from None
    return Checks(**given)


def _require_types(
    found: Mapping[str, object], types: Mapping[str, type | tuple[type, ...]], name: str
) -> None:
    for key, value in found.items():
        wanted = types[key]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise InputFileError(f"{name}: {key}: found {value!r}. Correct the file.")


def _judge_of(found: Mapping[str, Any], name: str) -> Judge:
    if "model" not in found or not set(found) <= set(_JUDGE_TYPES):
        raise InputFileError(
            f"{name}: judge: expected model, and if you like {', '.join(list(_JUDGE_TYPES)[1:])}; "
            f"found {dict(found)!r}. Correct the file."
        )
    _require_types(found, _JUDGE_TYPES, f"{name}: judge")
    return Judge(**found)


def _require_schema(schema: Mapping[str, Any], name: str) -> None:
    """Refuse what is no JSON Schema, or refers to another file: nothing is fetched."""
    if util.find_spec("jsonschema") is None:
        raise UsageError("json_schema needs an extra: pip install 'promptshed[run]'.")
    jsonschema: Any = import_module("jsonschema")
    away = [ref for ref in _references(schema) if not ref.startswith("#")]
    if away:
        raise InputFileError(
            f"{name}: json_schema: expected references within it, found {away[0]!r}. Copy in what "
            "it refers to."
        )
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise InputFileError(
            f"{name}: json_schema: {error.message} at {error.json_path}. Correct the file."
        ) from None


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(value[key]) for key in ("$ref", "$dynamicRef") if key in value)
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
