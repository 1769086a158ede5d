"""LangSmith: runs of type llm, as the SDK dumps them and the bulk export writes them, and feedback.

Feedback stands in a run as averages, or in a file of its own, which is joined and then counts.
"""

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
from pipeline.readers.notes import Notes, number
from pipeline.readers.paths import first_at, mapping_at, value_at

_SCORES = "scores"
_FIELDS = Fields(
    prompt=("inputs.messages", "inputs.prompts.0", "inputs.input", "inputs"),
    model=(
        "extra.metadata.ls_model_name",
        "extra.invocation_params.model",
        "extra.invocation_params.model_name",
    ),
    cost_usd=("total_cost",),
    n_tokens_in=("prompt_tokens",),
    n_tokens_out=("completion_tokens",),
    request_id=("id",),
    started=("start_time",),
    ended=("end_time",),
    scores=lambda run: mapping_at(run, _SCORES),
)


def _read(items: Iterable[Item]) -> Iterator[Item | Skipped | Refused]:
    feedback = Notes()
    runs: list[Item] = []
    for item in items:
        if "run_type" in item.record:
            runs.append(item)
        elif (score := number(item.record.get("score"))) is not None:
            feedback.add(item.record.get("run_id"), item.record.get("key"), score)
        else:
            yield Skipped(reason="feedback without a number")
    for item in runs:
        yield _row(item, feedback)


def _row(item: Item, feedback: Notes) -> Item | Skipped:
    """Return the row of a run; its own feedback wins over that of the run it is a part of."""
    run = item.record
    if run.get("run_type") != "llm":
        return Skipped(reason=NO_CALL)
    if run.get("error"):
        return Skipped(reason=FAILED)
    stats = mapping_at(run, "feedback_stats").items()
    scores: dict[str, object] = {str(name): value_at(stat, "avg") for name, stat in stats}
    scores |= feedback.on(first_at(run, ("trace_id",)), run.get("id"))
    return Item(line=item.line, record=row_of({**run, _SCORES: scores}, _FIELDS))


READERS = (
    Reader(
        name="langsmith",
        title="LangSmith runs and feedback",
        signatures=(
            ("run_type", "trace_id", "start_time", "inputs"),
            ("run_id", "key", "score", "created_at"),
        ),
        read=_read,
        note="quality is the mean of a run's feedback; that of the root run counts for each of its "
        "calls without one of their own",
        is_joined=True,
    ),
)
