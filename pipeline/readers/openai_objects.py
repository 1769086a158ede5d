"""OpenAI's stored completions, each with its messages, and the output items of its evals."""

from pipeline.readers.fields import FAILED, Fields, Reader, read_flat
from pipeline.readers.paths import Record, list_at, mapping_at, value_at


def _results(item: Record) -> dict[str, object]:
    """Return the score of each grader; where it only passes or fails, that."""
    found = [mapping_at({"result": result}, "result") for result in list_at(item, "results")]
    return {
        str(result.get("name")): result.get("passed")
        if result.get("score") is None
        else result["score"]
        for result in found
    }


def _failed(item: Record) -> str | None:
    error = value_at(item, "sample.error.code") or value_at(item, "sample.error.message")
    return FAILED if error else None


READERS = (
    Reader(
        name="openai",
        title="stored completions (OpenAI)",
        signatures=(("choices", "messages", "created", "model"),),
        read=read_flat(
            Fields(
                prompt=("messages",),
                model=("model",),
                n_tokens_in=("usage.prompt_tokens",),
                n_tokens_out=("usage.completion_tokens",),
                request_id=("id",),
                started=("created",),
                time_unit="s",
            )
        ),
        note="they have no cost; `promptshed profile --reprice` takes it from the tokens",
    ),
    Reader(
        name="openai",
        title="output items of evals (OpenAI)",
        signatures=(("datasource_item", "sample.input", "results"),),
        read=read_flat(
            Fields(
                prompt=("sample.input",),
                model=("sample.model",),
                n_tokens_in=("sample.usage.prompt_tokens",),
                n_tokens_out=("sample.usage.completion_tokens",),
                request_id=("id",),
                started=("created_at",),
                time_unit="s",
                scores=_results,
            ),
            skip=_failed,
        ),
        note="quality is a grader's score, or whether it passed",
    ),
)
