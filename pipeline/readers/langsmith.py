"""LangSmith: runs of type llm, as the SDK dumps them and the bulk export writes them."""

from pipeline.readers.fields import FAILED, NO_CALL, Fields, Reader, read_flat
from pipeline.readers.paths import Record, mapping_at, value_at


def _skip(run: Record) -> str | None:
    if run.get("run_type") != "llm":
        return NO_CALL
    return FAILED if run.get("error") else None


def _scores(run: Record) -> dict[str, object]:
    return {
        str(name): value_at(stats, "avg")
        for name, stats in mapping_at(run, "feedback_stats").items()
    }


READERS = (
    Reader(
        name="langsmith",
        title="LangSmith runs",
        signatures=(("run_type", "trace_id", "start_time", "inputs"),),
        read=read_flat(
            Fields(
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
                scores=_scores,
            ),
            skip=_skip,
        ),
        note="quality is the mean of a run's feedback",
    ),
)
