"""lm-evaluation-harness: `samples_*.jsonl`, with the model from `results_*.json`."""

from collections.abc import Iterable, Iterator

from pipeline.readers.fields import Fields, Item, Reader, Refused, Skipped, row_of
from pipeline.readers.paths import Record, list_at, mapping_at, value_at

_FIELDS = Fields(
    prompt=("arguments.gen_args_0.arg_0", "arguments.0.0"),
    model=("model",),
    label=("doc.category", "doc.subject", "doc.subset"),
    scores=lambda record: mapping_at(record, "scores"),
)
_KNOWN = (
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash",
)  # fmt: skip


def _read(items: Iterable[Item]) -> Iterator[Item | Skipped | Refused]:
    """Yield one row for each document: there is a record for each filter of its answer."""
    model: object = None
    docs: dict[object, Item] = {}
    scores: dict[object, dict[str, object]] = {}
    for item in items:
        if "doc_id" not in item.record:
            model = value_at(item.record, "model_name") or value_at(item.record, "config.model")
            continue
        key = (value_at(item.record, "doc_hash"), value_at(item.record, "doc_id"))
        docs.setdefault(key, item)
        scores.setdefault(key, {}).update(_scores(item.record))
    for key, item in docs.items():
        record = {**item.record, "model": model, "scores": scores[key]}
        yield Item(line=item.line, record=row_of(record, _FIELDS))


def _scores(sample: Record) -> dict[str, object]:
    """Return the metrics of a sample as `metric,filter`, which is how the harness writes them."""
    named = [str(name) for name in list_at(sample, "metrics")]
    names = named or [name for name in sample if name not in _KNOWN]
    values = {name: value_at(sample, name) for name in names}
    return {
        f"{name},{sample.get('filter', 'none')}": value
        for name, value in values.items()
        if isinstance(value, int | float)
    }


READERS = (
    Reader(
        name="lm-eval",
        title="lm-evaluation-harness samples",
        signatures=(
            ("doc_id", "doc", "arguments", "filtered_resps"),
            ("results", "model_name", "n-samples"),
            ("results", "configs", "lm_eval_version"),
        ),
        read=_read,
        quality_scale="0-1",
        is_joined=True,
    ),
)
