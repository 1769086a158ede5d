"""Batch files of OpenAI and those who speak like it, and of Anthropic: requests with results."""

from collections.abc import Iterable, Iterator, Mapping

from pipeline.readers.fields import FAILED, Fields, Item, Reader, Refused, Skipped, row_of
from pipeline.readers.paths import Record, first_at, value_at

_RESULT = ("response", "result", "error")
_FIELDS = Fields(
    prompt=("body", "params"),
    model=("body.model", "params.model"),
    n_tokens_in=(
        "response.body.usage.prompt_tokens",
        "response.body.usage.input_tokens",
        "result.message.usage.input_tokens",
    ),
    n_tokens_out=(
        "response.body.usage.completion_tokens",
        "response.body.usage.output_tokens",
        "result.message.usage.output_tokens",
    ),
    request_id=("custom_id",),
    started=("response.body.created", "response.body.created_at"),
    time_unit="s",
)


def _read(items: Iterable[Item]) -> Iterator[Item | Skipped | Refused]:
    requests: dict[object, Item] = {}
    results: dict[object, Item] = {}
    for item in items:
        is_result = any(name in item.record for name in _RESULT)
        side = results if is_result else requests
        if item.record.get("custom_id") in side:
            yield Refused(item=item, reason="custom_id repeats")
        else:
            side[item.record.get("custom_id")] = item
    for custom_id, request in requests.items():
        yield _row(request, results.pop(custom_id, None))
    for item in results.values():
        reason = "no request has this custom_id; import the file of requests with it"
        yield Refused(item=item, reason=reason)


def _row(request: Item, result: Item | None) -> Item | Skipped:
    """Return the row of a request; without a result it is a prompt of no model."""
    if result is None:
        row = row_of(request.record, _FIELDS)
        return Item(line=request.line, record={**row, "model": None})
    if not _succeeded(result.record):
        return Skipped(reason=FAILED)
    return Item(line=request.line, record=row_of({**result.record, **request.record}, _FIELDS))


def _succeeded(result: Record) -> bool:
    if isinstance(result.get("result"), Mapping):
        return value_at(result, "result.type") == "succeeded"
    return first_at(result, ("response.status_code",)) == 200


READERS = (
    Reader(
        name="openai-batch",
        title="batch requests and results (OpenAI, Anthropic)",
        signatures=(
            ("custom_id", "method", "url", "body"),
            ("custom_id", "body.messages"),
            ("custom_id", "params.messages"),
            ("custom_id", "response.status_code"),
            ("custom_id", "result.type"),
            ("custom_id", "error.code"),
        ),
        read=_read,
        note="results have no cost; `promptshed profile --reprice` takes it from the tokens",
        is_joined=True,
    ),
)
