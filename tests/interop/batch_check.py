"""Check emitted batch files, and our reading of results, with the providers' own SDK types.

    python3 -m venv check && check/bin/pip install openai anthropic mistralai google-genai
    for form in openai anthropic gemini mistral; do
      promptshed batch emit routed.jsonl --to $form-batch -o emitted/$form --request template.yml
    done
    PYTHONPATH=. check/bin/python tests/interop/batch_check.py emitted/*

Each line of each file is validated strictly as a request; then an answer made of the SDKs' own
response types must be read as what it says. No key, no network. Of this project it needs
`pipeline/results.py` alone.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from anthropic.types.messages import MessageBatchIndividualResponse
from anthropic.types.messages.batch_create_params import Request
from google.genai import types
from mistralai.client.models.batchrequest import BatchRequest
from mistralai.client.models.chatcompletionrequest import ChatCompletionRequest
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from pipeline.results import read_result

ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
OPENAI = TypeAdapter(CompletionCreateParamsNonStreaming)
ANTHROPIC = TypeAdapter(Request)


def check_openai(line: dict) -> str:
    """Validate an OpenAI line; messages are validated only when they are read."""
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert list(OPENAI.validate_python(line["body"])["messages"])
    return line["custom_id"]


def check_anthropic(line: dict) -> str:
    """Validate a request of a message batch."""
    request = ANTHROPIC.validate_python(line)
    assert list(request["params"]["messages"])
    return line["custom_id"]


def check_gemini(line: dict) -> str:
    """Validate contents, settings and system prompt; these types take no unknown field."""
    request = dict(line["request"])
    for content in request.pop("contents"):
        types.Content.model_validate(content)
    types.GenerationConfig.model_validate(request.pop("generation_config", {}))
    types.Content.model_validate(request.pop("system_instruction", {}))
    for tool in request.pop("tools", []):
        types.Tool.model_validate(tool)
    assert not request, f"unknown fields {sorted(request)}"
    return line["key"]


def check_mistral(line: dict) -> str:
    """Validate line and body, with the model that the job names."""
    BatchRequest.model_validate(line)
    ChatCompletionRequest.model_validate({"model": "named-by-the-job", **line["body"]})
    return line["custom_id"]


def form_of(line: dict) -> str:
    """Tell the form by its keys."""
    if "key" in line:
        return "gemini"
    if "params" in line:
        return "anthropic"
    return "openai" if "url" in line else "mistral"


CHECKS = {
    "openai": check_openai,
    "anthropic": check_anthropic,
    "gemini": check_gemini,
    "mistral": check_mistral,
}


def check_folder(folder: Path) -> Counter[str]:
    """Validate every file of a folder; returns how many lines of each form."""
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for path in sorted(folder.glob("*-[0-9][0-9][0-9][0-9].jsonl")):
        assert path.stat().st_size <= 95_000_000
        lines = path.read_text(encoding="utf-8").splitlines()
        assert 0 < len(lines) <= 50_000
        for text in lines:
            line = json.loads(text)
            form = form_of(line)
            wanted = CHECKS[form](line)
            assert ID.match(wanted), wanted
            assert wanted not in seen, f"{wanted} is there twice"
            seen.add(wanted)
            counts[form] += 1
    return counts


def check_results() -> None:
    """Let the SDKs write answers, and read them."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
    choice["message"]["content"] = "Yes."
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "usage": usage}
    completion = ChatCompletion.model_validate({**body, "choices": [choice]}).model_dump()
    message = {
        "id": "x", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None,
        "content": [{"type": "text", "text": "Yes."}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }  # fmt: skip
    succeeded = {"custom_id": "r-1", "result": {"type": "succeeded", "message": message}}
    answer = types.GenerateContentResponse.model_validate(
        {
            "candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
        }
    )
    lines = [
        {"custom_id": "r-1", "response": {"status_code": 200, "body": completion}, "error": None},
        MessageBatchIndividualResponse.model_validate(succeeded).model_dump(),
        {
            "key": "r-1",
            "response": answer.model_dump(by_alias=True, exclude_none=True, mode="json"),
        },
        {"key": "r-1", "response": answer.model_dump(exclude_none=True, mode="json")},
    ]
    for line in lines:
        found = read_result(json.dumps(line))
        assert found is not None, line
        assert (found.answer, found.n_tokens_in, found.n_tokens_out) == ("Yes.", 3, 2), found
    expired = {"custom_id": "r-1", "result": {"type": "expired"}}
    line = MessageBatchIndividualResponse.model_validate(expired).model_dump()
    assert read_result(json.dumps(line)).error == "expired"


def main() -> None:
    """Check the folders named on the command line."""
    check_results()
    for name in sys.argv[1:]:
        counts = check_folder(Path(name))
        assert counts, f"{name}: no batch file"
        found = ", ".join(f"{n:,} lines of {form}" for form, n in counts.items())
        sys.stdout.write(f"{name}: {found}: valid\n")


if __name__ == "__main__":
    main()
