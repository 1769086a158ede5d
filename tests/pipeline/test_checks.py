import sys

import pytest

from pipeline.checks import Checks, parse_checks
from pipeline.judge import Judge
from pipeline.results import Result
from profiles.errors import InputFileError, UsageError

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("checks", "answer", "problem"),
    [
        (Checks(), "Yes.", None),
        (Checks(), "  \n", "empty answer"),
        (Checks(), None, "empty answer"),
        (Checks(), "I'm sorry, but I can't help.", "refusal"),
        (Checks(refusal=False), "I cannot help.", None),
        (Checks(min_chars=5), "Yes.", "shorter than 5 characters"),
        (Checks(max_chars=3), "Yes.", "longer than 3 characters"),
        (Checks(regex=r"^\d+$"), "12", None),
        (Checks(regex=r"^\d+$"), "twelve", "does not match the regex"),
        (Checks(json_keys=("a",)), '{"a": 1}', None),
        (Checks(json_keys=("a",)), '{"b": 1}', "JSON without a"),
        (Checks(json_keys=()), "3", "no JSON object"),
        (Checks(json_keys=("a",)), "5", "no JSON object"),
        (Checks(json_keys=("a",)), "null", "no JSON object"),
        (Checks(json_keys=()), "{", "no JSON"),
        (Checks(json_schema=SCHEMA), '{"n": 1}', None),
        (Checks(json_schema=SCHEMA), '{"n": "1"}', "not as the JSON schema says, at $.n"),
        (Checks(json_schema=SCHEMA), "[]", "not as the JSON schema says, at $"),
        (Checks(json_schema=SCHEMA), "one", "no JSON"),
        (Checks(json_schema=SCHEMA), "[" * 100_000, "no JSON"),
        (Checks(json_schema=SCHEMA, json_keys=("m",)), '{"n": 1}', "JSON without m"),
    ],
)
def test_a_check_by_hand(checks, answer, problem):
    """What passes has no problem."""
    assert checks.problem_of(Result(id="r", answer=answer)) == problem


def test_an_answer_that_was_cut_off_does_not_pass():
    """Unless that is allowed."""
    result = Result(id="r", answer="Once upon", finish_reason="length")
    assert Checks().problem_of(result) == "cut off"
    assert Checks(complete=False).problem_of(result) is None


def test_checks_are_read():
    """An empty file is the default."""
    assert parse_checks("", name="c.yml") == Checks()
    found = parse_checks("json_keys: [a]\nregex: x\nmax_chars: 9\nrefusal: false", name="c.yml")
    assert found == Checks(json_keys=("a",), regex="x", max_chars=9, refusal=False)


def test_a_schema_and_a_judge_are_read():
    """A judge needs a model only."""
    found = parse_checks("json_schema: {type: object}\njudge: {model: small}", name="c.yml")
    assert found == Checks(json_schema={"type": "object"}, judge=Judge(model="small"))


def test_a_reference_to_nothing_lets_no_answer_pass():
    """It is found when it is followed, and said."""
    checks = parse_checks("json_schema: {$ref: '#/$defs/none'}", name="c.yml")
    assert "refers to nothing" in checks.problem_of(Result(id="r", answer="{}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "expected YAML"),
        ("critic: x", "expected the keys refusal"),
        ("max_chars: true", "max_chars: found True"),
        ("judge: x", "judge: found 'x'"),
        ("judge: {criterion: good}", "judge: expected model"),
        ("judge: {model: a, url: b}", "judge: expected model"),
        ("judge: {model: a, max_tokens: many}", "judge: max_tokens: found 'many'"),
        ("json_schema: {type: thing}", "json_schema: 'thing' is not valid"),
        ("json_schema: {allOf: [{$ref: 'http://example.org/x'}]}", "references within it"),
        ("min_chars: many", "min_chars: found 'many'"),
        ("regex: '('", "regex: missing"),
    ],
)
def test_wrong_checks_are_refused(text, message):
    """The file and the key are named."""
    with pytest.raises(InputFileError, match=message):
        parse_checks(text, name="c.yml")


def test_a_schema_without_the_extra_is_refused_before_anything_is_asked(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(UsageError, match=r"json_schema needs an extra: .*promptshed\[run\]"):
        parse_checks("json_schema: {type: object}", name="c.yml")
