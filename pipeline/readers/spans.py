"""Spans: OpenTelemetry's GenAI conventions, and OpenInference as Phoenix writes it.

Old and new names of the attributes are read, since both are in use.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pipeline.readers.chats import turns_at
from pipeline.readers.fields import (
    FAILED,
    NO_CALL,
    Fields,
    Reader,
    read_flat,
    spread,
)
from pipeline.readers.paths import Record, first_at, list_at, mapping_at, value_at

_CALLS = ("chat", "text_completion", "generate_content", "completion")
_FIELDS = Fields(
    prompt=("input",),
    model=(
        "gen_ai.request.model",
        "llm.model_name",
        "llm.request.model_name",
        "gen_ai.response.model",
        "llm.response.model_name",
    ),
    cost_usd=("llm.cost.total",),
    n_tokens_in=(
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    n_tokens_out=(
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    request_id=("span_id",),
    started=("started",),
    ended=("ended",),
    scores=lambda record: mapping_at(record, "scores"),
)
_PROMPTS = ("gen_ai.input.messages", "llm.input_messages", "gen_ai.prompt", "input.value")
_EVALUATION = re.compile(r"^eval\.(.+)\.score$")
_ERRORS = ("ERROR", "STATUS_CODE_ERROR", "2")


def _skip(span: Record) -> str | None:
    operation = value_at(span, "gen_ai.operation.name")
    kind = first_at(span, ("openinference.span.kind", "span_kind"))
    is_call = (
        operation in _CALLS
        if operation is not None
        else kind == "LLM" or value_at(span, "gen_ai.request.model") is not None
    )
    if not is_call:
        return NO_CALL
    return FAILED if str(span["status"]) in _ERRORS else None


def _otlp_spans(request: Record) -> Iterator[Record]:
    """Yield the spans of an OTLP export request, flat."""
    for resource in list_at(request, "resourceSpans"):
        for scope in list_at(_record(resource), "scopeSpans"):
            for span in list_at(_record(scope), "spans"):
                yield _flat(_record(span))


def _flat(span: Record) -> Record:
    attributes = _attributes(span.get("attributes"))
    events = [_record(event) for event in list_at(span, "events")]
    found = [_attributes(event.get("attributes")) for event in events]
    scores = {
        str(event["gen_ai.evaluation.name"]): event.get("gen_ai.evaluation.score.value")
        for event in found
        if "gen_ai.evaluation.name" in event
    }
    return {
        **attributes,
        "span_id": span.get("spanId"),
        "started": span.get("startTimeUnixNano"),
        "ended": span.get("endTimeUnixNano"),
        "status": value_at(span, "status.code"),
        "input": _prompt(attributes),
        "scores": scores,
    }


def _attributes(pairs: object) -> dict[str, object]:
    """Return OTLP's list of keys and typed values as a mapping."""
    listed = [_record(pair) for pair in pairs] if isinstance(pairs, list) else []
    return {str(pair.get("key")): _plain(_record(pair.get("value"))) for pair in listed}


def _plain(value: Record) -> object:
    if "arrayValue" in value:
        return [_plain(_record(item)) for item in list_at(value, "arrayValue.values")]
    if "kvlistValue" in value:
        return _attributes(value_at(value, "kvlistValue.values"))
    return next(iter(value.values()), None)


def _phoenix_span(row: Record) -> Record:
    """Return a row of Phoenix's data frame, a span of its API or of OpenTelemetry's console."""
    nested = {str(k): v for k, v in mapping_at(row, "attributes").items()}
    prefix = "attributes."
    flat = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
    attributes = nested | flat
    scores = {found[1]: row[key] for key in row if (found := _EVALUATION.match(key))}
    return {
        **attributes,
        "span_kind": row.get("span_kind"),
        "span_id": value_at(row, "context.span_id"),
        "started": row.get("start_time"),
        "ended": row.get("end_time"),
        "status": first_at(row, ("status_code", "status.status_code")),
        "input": _prompt(attributes),
        "scores": scores,
    }


def _prompt(attributes: Record) -> object:
    """Return the chat of a span with its system instructions, however it was flattened."""
    turns = turns_at(attributes, "llm.input_messages") or turns_at(attributes, "gen_ai.prompt")
    chat = turns or first_at(attributes, _PROMPTS)
    rules = list_at(attributes, "gen_ai.system_instructions")
    asked = list_at({"chat": chat}, "chat")
    return [{"role": "system", "parts": rules}, *asked] if rules and asked else chat


def _record(value: object) -> Record:
    return value if isinstance(value, Mapping) else {}


READERS = (
    Reader(
        name="otel",
        title="OpenTelemetry spans (OTLP)",
        signatures=(("resourceSpans",),),
        read=spread(_otlp_spans, read_flat(replace(_FIELDS, time_unit="ns"), skip=_skip)),
        note="the convention has no cost; `promptshed profile --reprice` takes it from the tokens",
    ),
    Reader(
        name="openinference",
        title="OpenInference spans (Phoenix)",
        signatures=(("context.span_id", "start_time", "end_time"),),
        read=spread(lambda row: [_phoenix_span(row)], read_flat(_FIELDS, skip=_skip)),
    ),
)
