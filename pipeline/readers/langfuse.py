"""Langfuse: observations of type GENERATION, and scores joined to them."""

from collections.abc import Iterable, Iterator

from pipeline.readers.fields import (
    FAILED,
    NO_CALL,
    Fields,
    Item,
    Reader,
    Refused,
    Skipped,
    row_of,
)
from pipeline.readers.notes import Notes
from pipeline.readers.paths import Paths, first_at, mapping_at

_TRACE, _OBSERVATION = ("traceId", "trace_id"), ("observationId", "observation_id")
_OBSERVATIONS: tuple[Paths, ...] = (
    ("traceId", "type", "startTime", "projectId"),
    ("traceId", "type", "startTime", "usageDetails"),
    ("trace_id", "type", "start_time", "project_id"),
    ("trace_id", "type", "start_time", "usage_details"),
    ("traceId", "type", "startTime", "usage"),
)
_SCORES: tuple[Paths, ...] = (
    ("traceId", "name", "dataType", "source", "value"),
    ("trace_id", "name", "data_type", "source", "value"),
    ("traceId", "name", "dataType", "source", "stringValue"),
)
_FIELDS = Fields(
    prompt=("input",),
    model=("model", "providedModelName", "provided_model_name"),
    cost_usd=("totalCost", "total_cost", "costDetails.total", "cost_details.total"),
    n_tokens_in=("usageDetails.input", "usage_details.input", "usage.input", "promptTokens"),
    n_tokens_out=("usageDetails.output", "usage_details.output", "usage.output"),
    request_id=("id",),
    label=("traceName", "trace_name"),
    latency=("latency",),
    started=("startTime", "start_time"),
    ended=("endTime", "end_time"),
    scores=lambda record: mapping_at(record, "scores"),
)


def _read(items: Iterable[Item]) -> Iterator[Item | Skipped | Refused]:
    scores = Notes()
    observations: list[Item] = []
    for item in items:
        if first_at(item.record, ("dataType", "data_type")) is None:
            observations.append(item)
        elif isinstance(value := item.record.get("value"), int | float | str) and value != "":
            about = first_at(item.record, _OBSERVATION) or first_at(item.record, _TRACE)
            scores.add(about, item.record.get("name"), value)
        else:
            yield Skipped(reason="scores that are no number")
    for item in observations:
        yield _row(item, scores)


def _row(item: Item, scores: Notes) -> Item | Skipped:
    """Return the row of an observation; its own scores win over those of its trace."""
    record = item.record
    if record.get("type") != "GENERATION":
        return Skipped(reason=NO_CALL)
    if record.get("level") == "ERROR":
        return Skipped(reason=FAILED)
    joined = scores.on(first_at(record, _TRACE), record.get("id"))
    return Item(line=item.line, record=row_of({**record, "scores": joined}, _FIELDS))


READERS = (
    Reader(
        name="langfuse",
        title="Langfuse observations and scores",
        signatures=(*_OBSERVATIONS, *_SCORES),
        read=_read,
        note="a score of a trace counts for each of its generations without one of their own; of "
        "several scores of one name the mean counts",
        is_joined=True,
    ),
)
