"""inspect_ai: a log, as `.json` or `.eval` (a ZIP archive, read as one log)."""

from collections.abc import Iterable, Mapping

from pipeline.readers.fields import FAILED, Fields, Reader, read_flat, spread
from pipeline.readers.paths import Record, list_at, mapping_at, value_at

_GRADES = {"C": 1, "I": 0, "P": 0.5, "N": 0}
"""Correct, incorrect, partial, no answer: the harness's own values."""
_FIELDS = Fields(
    prompt=("input",),
    model=("eval.model",),
    cost_usd=("usage.total_cost",),
    n_tokens_in=("usage.input_tokens",),
    n_tokens_out=("usage.output_tokens",),
    prompt_id=("id",),
    request_id=("uuid",),
    label=("eval.task",),
    latency=("output.time", "working_time", "total_time"),
    started=("started_at", "eval.created"),
    scores=lambda sample: _scores(mapping_at(sample, "scores")),
)


def _samples(log: Record) -> Iterable[Record]:
    """Yield each sample with what the log says of all of them."""
    header = mapping_at(log, "eval")
    for sample in list_at(log, "samples"):
        held = sample if isinstance(sample, Mapping) else {}
        usage = mapping_at(held, "model_usage").get(str(header.get("model")), {})
        yield {**held, "eval": header, "usage": usage}


def _scores(scores: Record) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, score in scores.items():
        value = value_at(score, "value")
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        found |= {
            f"{name}.{part}".rstrip("."): _GRADES.get(str(grade), grade)
            for part, grade in parts
            if isinstance(grade, int | float | str)
        }
    return found


READERS = (
    Reader(
        name="inspect",
        title="inspect_ai log",
        signatures=(("eval.task", "samples"), ("eval.model", "samples")),
        read=spread(
            _samples, read_flat(_FIELDS, skip=lambda s: FAILED if s.get("error") else None)
        ),
        quality_scale="0-1",
    ),
)
