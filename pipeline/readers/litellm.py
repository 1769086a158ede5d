"""LiteLLM: rows of the SpendLogs table, and the payload of its logging callbacks."""

from pipeline.readers.fields import FAILED, Fields, Reader, read_flat
from pipeline.readers.paths import Record

_PROMPT = ("messages", "proxy_server_request.messages", "proxy_server_request.body")


def _failed(record: Record) -> str | None:
    return FAILED if record.get("status") == "failure" else None


_SPEND = Fields(
    prompt=_PROMPT,
    model=("model",),
    cost_usd=("spend",),
    n_tokens_in=("prompt_tokens",),
    n_tokens_out=("completion_tokens",),
    request_id=("request_id",),
    latency=("request_duration_ms",),
    latency_unit="ms",
    started=("startTime",),
    ended=("endTime",),
)
_PAYLOAD = Fields(
    prompt=_PROMPT,
    model=("model",),
    cost_usd=("response_cost",),
    n_tokens_in=("prompt_tokens",),
    n_tokens_out=("completion_tokens",),
    request_id=("id",),
    latency=("response_time",),
    started=("startTime",),
    ended=("endTime",),
    time_unit="s",
)
READERS = (
    Reader(
        name="litellm",
        title="LiteLLM spend logs",
        signatures=(("request_id", "spend", "startTime", "endTime", "call_type"),),
        read=read_flat(_SPEND, skip=_failed),
        note="prompts are there only if the proxy had store_prompts_in_spend_logs: true",
    ),
    Reader(
        name="litellm",
        title="LiteLLM logging payload",
        signatures=(("response_cost", "litellm_call_id", "model_map_information"),),
        read=read_flat(_PAYLOAD, skip=_failed),
    ),
)
