"""Helicone: requests, as its API and its exporter write them."""

from pipeline.readers.fields import FAILED, Fields, Reader, read_flat
from pipeline.readers.paths import Record, mapping_at, value_at

_FIRST_ERROR = 400


def _failed(record: Record) -> str | None:
    status = str(record.get("response_status") or "")
    return FAILED if status.lstrip("-").isdigit() and not 0 <= int(status) < _FIRST_ERROR else None


def _scores(record: Record) -> dict[str, object]:
    rating = value_at(record, "feedback_rating")
    return {"feedback": rating, **{str(k): v for k, v in mapping_at(record, "scores").items()}}


READERS = (
    Reader(
        name="helicone",
        title="Helicone requests",
        signatures=(("request_id", "request_created_at", "delay_ms"),),
        read=read_flat(
            Fields(
                prompt=("request_body",),
                model=("model", "request_model", "response_model"),
                cost_usd=("cost", "costUSD"),
                n_tokens_in=("prompt_tokens",),
                n_tokens_out=("completion_tokens",),
                request_id=("request_id",),
                latency=("delay_ms",),
                latency_unit="ms",
                started=("request_created_at",),
                scores=_scores,
            ),
            skip=_failed,
        ),
    ),
)
