"""promptfoo: results of an evaluation, a JSON document or one result a line."""

from collections.abc import Iterable, Mapping

from pipeline.readers.fields import FAILED, Fields, Reader, read_flat, spread
from pipeline.readers.paths import Record, list_at, mapping_at, value_at

_ERROR = 2
_FIELDS = Fields(
    prompt=("prompt.raw",),
    model=("provider.id",),
    cost_usd=("cost",),
    n_tokens_in=("tokenUsage.prompt", "response.tokenUsage.prompt"),
    n_tokens_out=("tokenUsage.completion", "response.tokenUsage.completion"),
    request_id=("id",),
    label=("testCase.metadata.category", "testCase.description"),
    latency=("latencyMs",),
    latency_unit="ms",
    scores=lambda result: {
        "score": value_at(result, "score"),
        "success": value_at(result, "success"),
        **{str(k): v for k, v in mapping_at(result, "namedScores").items()},
    },
)
_OF_THE_CACHE = ("cost", "latencyMs")


def _results(document: Record) -> Iterable[Record]:
    results = list_at(document, "results.results") or [document]
    for result in results:
        held = result if isinstance(result, Mapping) else {}
        is_cached = value_at(held, "response.cached") is True
        yield {k: v for k, v in held.items() if not (is_cached and k in _OF_THE_CACHE)}


def _failed(result: Record) -> str | None:
    return FAILED if result.get("failureReason") == _ERROR else None


READERS = (
    Reader(
        name="promptfoo",
        title="promptfoo results",
        signatures=(
            ("promptIdx", "testIdx", "prompt.raw", "provider"),
            ("results.results", "results.version"),
        ),
        read=spread(_results, read_flat(_FIELDS, skip=_failed)),
        note="quality is the overall score; --score success, or a named one, takes another",
        score="score",
        quality_scale="0-1",
    ),
)
