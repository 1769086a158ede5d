import pytest

from pipeline.checks import Checks, parse_checks
from pipeline.results import Result
from profiles.errors import InputFileError


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "expected YAML"),
        ("judge: x", "expected the keys refusal"),
        ("min_chars: many", "min_chars: found 'many'"),
        ("regex: '('", "regex: missing"),
    ],
)
def test_wrong_checks_are_refused(text, message):
    """The file and the key are named."""
    with pytest.raises(InputFileError, match=message):
        parse_checks(text, name="c.yml")
