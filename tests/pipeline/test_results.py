import json
import re

import pytest

from pipeline.results import Result, read_result

OPENAI = {
    "id": "batch_req_1",
    "custom_id": "r-000001",
    "response": {
        "status_code": 200,
        "body": {
            "choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        },
    },
    "error": None,
}
ANTHROPIC = {
    "custom_id": "r-000001",
    "result": {
        "type": "succeeded",
        "message": {
            "content": [{"type": "text", "text": "Yes."}],
            "stop_reason": "stop",
            "usage": {"input_tokens": 3, "output_tokens": 2},
        },
    },
}
GEMINI = {
    "key": "r-000001",
    "response": {
        "candidates": [{"content": {"parts": [{"text": "Yes."}]}, "finishReason": "stop"}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
    },
}


@pytest.mark.parametrize("line", [OPENAI, ANTHROPIC, GEMINI])
def test_answers_of_every_form_read_alike(line):
    """Id, text, reason and tokens."""
    assert read_result(json.dumps(line)) == Result(
        id="r-000001", answer="Yes.", finish_reason="stop", n_tokens_in=3, n_tokens_out=2
    )


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (OPENAI | {"response": None, "error": {"code": "batch_expired"}}, "batch_expired"),
        (
            OPENAI
            | {"response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}},
            "status 429: slow down",
        ),
        (OPENAI | {"response": {"status_code": 200, "body": {}}}, "not the form of an answer"),
        (ANTHROPIC | {"result": {"type": "expired"}}, "expired"),
        (
            ANTHROPIC
            | {
                "result": {
                    "type": "errored",
                    "error": {"type": "error", "error": {"type": "api_error", "message": "no"}},
                }
            },
            "api_error: no",
        ),
        ({"key": "r-000001", "error": {"code": 3, "message": "bad"}}, "3: bad"),
        (
            {"key": "r-000001", "response": {"promptFeedback": {"blockReason": "SAFETY"}}},
            "no candidate: .*SAFETY",
        ),
    ],
)
def test_failures_of_every_form_say_why(line, error):
    """There is no answer then, and tokens are unknown."""
    found = read_result(json.dumps(line))
    assert found.answer is None
    assert found.error is not None
    assert re.search(error, found.error)


def test_cached_and_thought_tokens_are_counted_and_cached_ones_have_another_price():
    """All tokens count; with cached ones the plain price does not hold."""
    usage = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 10}
    line = json.loads(json.dumps(ANTHROPIC))
    line["result"]["message"]["usage"] = usage
    found = read_result(json.dumps(line))
    assert (found.n_tokens_in, found.is_plain) == (13, False)
    line = json.loads(json.dumps(GEMINI))
    line["response"]["usageMetadata"]["thoughtsTokenCount"] = 7
    assert read_result(json.dumps(line)).n_tokens_out == 9


@pytest.mark.parametrize("line", ["{", "3", "[]", '{"id": "x"}', '{"custom_id": 3}', "[" * 100_000])
def test_other_lines_are_no_result(line):
    """They are counted by who reads the file."""
    assert read_result(line) is None
