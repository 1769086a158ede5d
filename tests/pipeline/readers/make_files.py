"""Make the files of `tests/pipeline/readers/files` that a tool writes itself.

    python3 -m venv made && made/bin/pip install litellm==1.104.0
    made/bin/python tests/pipeline/readers/make_files.py litellm > .../files/litellm_payload.jsonl

The other tools, each in an environment of its own: `langfuse` (langfuse 5.0.4), `langfuse_scores`,
`langsmith` and `langsmith_feedback` (langsmith 0.15.0), `otel` and `openinference`
(opentelemetry-sdk, -exporter-otlp and openinference-semantic-conventions 0.1.42),
`openai_completions` and `openai_eval_items` (openai 3.57.0), `inspect` and `inspect_eval`
(inspect-ai 0.3.285, `mockllm`). lm-eval 0.4.13 wrote its two files with its own
model `dummy` on a task of two questions; of the results
file only the keys that are not about the machine were kept, of the inspect log those that are read.
"""

import datetime as dt
import json
import sys
import tempfile
from pathlib import Path

START = dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC)
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 2?"}]


def write(record):
    sys.stdout.write(json.dumps(record, default=str) + "\n")


def _iso(value):
    return value.isoformat()


def litellm():
    """Let LiteLLM answer from a mock and log its standard payload."""
    import litellm as tool
    from litellm.integrations.custom_logger import CustomLogger

    class Logger(CustomLogger):
        def log_success_event(self, kwargs, *_others):
            write(_trimmed(kwargs["standard_logging_object"]))

        log_failure_event = log_success_event

    tool.callbacks = [Logger()]
    tool.suppress_debug_info = True
    tool.completion("gpt-4o-mini", CHAT, mock_response="4")
    tool.completion("gpt-4o", CHAT[1:], mock_response="It is 4.")
    try:
        tool.completion("gpt-4o", CHAT[1:], mock_response=Exception("down"), api_key="x")
    except Exception:  # noqa: BLE001 - the failure is what is logged
        sys.stderr.write("one call failed, as it should\n")
    import time

    time.sleep(3)  # callbacks run in threads of their own


def _trimmed(payload):
    """Leave out what is long, of this machine, and not read."""
    dropped = ("error_information", "error_str", "hidden_params", "metadata", "model_parameters")
    kept = {k: v for k, v in payload.items() if k not in dropped and v is not None}
    return kept | {"model_map_information": {}}


def langfuse():
    """Let Langfuse's own models check and write what its API returns."""
    from langfuse.api import ObservationV2
    from langfuse.api.core.pydantic_utilities import parse_obj_as

    for record in (
        {"id": "o1", "traceId": "t1", "type": "GENERATION", "model": "gpt-4o-mini", "input": CHAT,
         "usageDetails": {"input": 20, "output": 10, "total": 30}, "totalCost": 0.00012,
         "latency": 1.5, "timeToFirstToken": 0.3},
        {"id": "o2", "traceId": "t2", "type": "GENERATION", "model": "gpt-4o",
         "input": "Write a poem.", "usageDetails": {}},
        {"id": "o3", "traceId": "t1", "type": "SPAN", "input": "retrieval"},
        {"id": "o4", "traceId": "t2", "type": "GENERATION", "level": "ERROR", "model": "gpt-4o",
         "input": "Write a poem."},
    ):  # fmt: skip
        whole = {"projectId": "p", "startTime": START, "endTime": START + dt.timedelta(seconds=2)}
        sent = json.loads(json.dumps(whole | record, default=_iso))
        write(json.loads(parse_obj_as(ObservationV2, sent).json()))


def langfuse_scores():
    """Scores of the two generations, one of them through its trace."""
    from langfuse.api import BooleanScore, NumericScore
    from langfuse.api.core.pydantic_utilities import parse_obj_as

    common = {"environment": "default", "timestamp": START, "createdAt": START, "updatedAt": START}
    for kind, record in (
        (NumericScore, {"id": "s1", "name": "helpful", "value": 0.8, "dataType": "NUMERIC",
                        "source": "EVAL", "traceId": "t1", "observationId": "o1"}),
        (BooleanScore, {"id": "s2", "name": "helpful", "value": 0, "stringValue": "False",
                        "dataType": "BOOLEAN", "source": "ANNOTATION", "traceId": "t2"}),
    ):  # fmt: skip
        sent = json.loads(json.dumps({"projectId": "p"} | common | record, default=_iso))
        write(json.loads(parse_obj_as(kind, sent).json()))


def langsmith():
    """Let LangSmith's schema check and write runs."""
    from langsmith.schemas import Run

    one, two = "7b0a7f0e-1111-4222-8333-444455556666", "7b0a7f0e-1111-4222-8333-444455556667"
    lc = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"],
          "kwargs": {"content": "What is 2 + 2?", "type": "human"}}  # fmt: skip
    for record in (
        {"id": one, "name": "ChatOpenAI", "run_type": "llm",
         "inputs": {"messages": [[lc]]},
         "outputs": {"generations": [[{"text": "4"}]]},
         "extra": {"metadata": {"ls_model_name": "gpt-4o-mini", "ls_provider": "openai"}},
         "prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30, "total_cost": "0.00012",
         "feedback_stats": {"thumbs": {"n": 2, "avg": 0.5}}},
        {"id": two, "name": "ChatOpenAI", "run_type": "llm", "inputs": {"messages": CHAT},
         "extra": {"invocation_params": {"model": "gpt-4o"}}},
        {"id": "7b0a7f0e-1111-4222-8333-444455556668", "name": "chain", "run_type": "chain",
         "inputs": {"input": "What is 2 + 2?"}},
    ):  # fmt: skip
        whole = {
            "start_time": START,
            "end_time": START + dt.timedelta(seconds=1.25),
            "dotted_order": "x",
        }
        run = Run.model_validate(whole | {"trace_id": record["id"]} | record)
        write(run.model_dump(mode="json", exclude_none=True))


def langsmith_feedback():
    """Let LangSmith's schema check and write feedback on those runs."""
    from langsmith.schemas import Feedback

    one, two = "7b0a7f0e-1111-4222-8333-444455556666", "7b0a7f0e-1111-4222-8333-444455556667"
    given = ((one, "thumbs", True), (one, "thumbs", 0), (one, "thumbs", 1),
             (two, "thumbs", None), (two, "thumbs", 0.25))  # fmt: skip
    for number, (run, key, score) in enumerate(given):
        told = Feedback(
            id=f"7b0a7f0e-1111-4222-8333-44445555777{number}", run_id=run, trace_id=run, key=key,
            score=score, comment="=1+1", created_at=START, modified_at=START,
        )  # fmt: skip
        write(told.model_dump(mode="json"))


def _spans(attributes):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import SpanKind

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("made")
    start = int(START.timestamp()) * 10**9
    for name, values, event in attributes:
        span = tracer.start_span(name, kind=SpanKind.CLIENT, start_time=start, attributes=values)
        if event:
            span.add_event("gen_ai.evaluation.result", event, timestamp=start)
        span.end(start + 1_200_000_000)
    return kept.get_finished_spans()


def otel():
    """Let OpenTelemetry's SDK make spans and its exporter encode them as OTLP."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    chat = [{"role": "user", "parts": [{"type": "text", "content": "What is 2 + 2?"}]}]
    rules = [{"type": "text", "content": "Be brief."}]
    spans = _spans(
        [
            ("chat gpt-4o-mini", {
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 10,
                "gen_ai.system_instructions": json.dumps(rules),
                "gen_ai.input.messages": json.dumps(chat),
            }, {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.75}),
            ("chat gpt-4o", {
                "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
                "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Write a poem.",
            }, None),
            ("execute_tool search", {"gen_ai.operation.name": "execute_tool"}, None),
        ]
    )  # fmt: skip
    write(MessageToDict(encode_spans(spans)))


def openinference():
    """Let OpenTelemetry's SDK write spans with OpenInference's attributes as JSON."""
    from openinference.semconv.trace import SpanAttributes as A

    spans = _spans(
        [
            ("llm", {
                A.OPENINFERENCE_SPAN_KIND: "LLM", A.LLM_MODEL_NAME: "gpt-4o-mini",
                f"{A.LLM_INPUT_MESSAGES}.0.message.role": "system",
                f"{A.LLM_INPUT_MESSAGES}.0.message.content": "Be brief.",
                f"{A.LLM_INPUT_MESSAGES}.1.message.role": "user",
                f"{A.LLM_INPUT_MESSAGES}.1.message.content": "What is 2 + 2?",
                A.LLM_TOKEN_COUNT_PROMPT: 20, A.LLM_TOKEN_COUNT_COMPLETION: 10,
                A.LLM_COST_TOTAL: 0.00012,
            }, None),
            ("llm", {A.OPENINFERENCE_SPAN_KIND: "LLM", A.LLM_MODEL_NAME: "gpt-4o",
                     A.INPUT_VALUE: "Write a poem."}, None),
            ("retrieve", {A.OPENINFERENCE_SPAN_KIND: "RETRIEVER", A.INPUT_VALUE: "poem"}, None),
        ]
    )  # fmt: skip
    for span in spans:
        write(json.loads(span.to_json()))


def openai_completions():
    """Let the SDK's types check and write what the API stores, with the messages of each."""
    from openai.types.chat import ChatCompletion

    for number, (model, chat, usage) in enumerate(
        (("gpt-4o-mini", CHAT, {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}),
         ("gpt-4o", [{"role": "user", "content": "Write a poem."}], None))
    ):  # fmt: skip
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None,
                  "message": {"role": "assistant", "content": "4", "refusal": None}}  # fmt: skip
        told = ChatCompletion.model_validate(
            {"id": f"c{number}", "object": "chat.completion", "created": int(START.timestamp()),
             "model": model, "choices": [choice], "usage": usage}
        )  # fmt: skip
        write(told.model_dump(mode="json") | {"messages": chat})


def openai_eval_items():
    """Let the SDK's types check and write two items, one with a grader that only passes."""
    from openai.types.evals.runs import OutputItemListResponse

    counts = {"cached_tokens": 0, "prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    for number, (chat, score, error) in enumerate(
        ((CHAT, 0.75, ""), ([{"role": "user", "content": "Write a poem."}], None, ""),
         (CHAT, 0.0, "rate_limit"))
    ):  # fmt: skip
        sample = {"error": {"code": error, "message": error}, "finish_reason": "stop",
                  "input": chat, "max_completion_tokens": 9, "model": "gpt-4o-mini", "seed": 1,
                  "output": [{"role": "assistant", "content": "4"}], "temperature": 1.0,
                  "top_p": 1.0, "usage": counts}  # fmt: skip
        item = OutputItemListResponse.model_validate(
            {"id": f"i{number}", "object": "eval.run.output_item", "run_id": "r", "eval_id": "e",
             "created_at": int(START.timestamp()), "status": "completed", "datasource_item": {},
             "datasource_item_id": number, "sample": sample,
             "results": [{"name": "grader", "passed": False, "score": 0.75}]}
        )  # fmt: skip
        line = json.loads(item.model_dump_json())
        line["results"][0]["score"] = score
        write(line)


def inspect_eval():
    """Write the log as the archive that inspect_ai makes by default."""
    log = _run_inspect("eval")
    sys.stdout.buffer.write(log)


def inspect():
    """Write the log as JSON, without what is not read."""
    log = json.loads(_run_inspect("json"))
    kept = ("version", "status", "eval", "samples")
    about = ("created", "task", "task_id", "dataset", "model", "config")
    log = {name: log[name] for name in kept}
    log["eval"] = {name: log["eval"][name] for name in about}
    dropped = ("events", "events_data", "store", "attachments", "timelines", "messages")
    log["samples"] = [
        {k: v for k, v in sample.items() if k not in dropped} for sample in log["samples"]
    ]
    sys.stdout.write(json.dumps(log, indent=1) + "\n")


def _run_inspect(form):
    """Let inspect_ai run a task of two samples on its mock model; returns the log's bytes."""
    from inspect_ai import Task
    from inspect_ai import eval as run
    from inspect_ai.dataset import Sample
    from inspect_ai.model import (
        ChatMessageSystem,
        ChatMessageUser,
        ModelOutput,
        ModelUsage,
        get_model,
    )  # fmt: skip
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    answers = [ModelOutput.from_content("mockllm/model", text) for text in ("4", "a poem")]
    for answer in answers:
        answer.usage = ModelUsage(input_tokens=12, output_tokens=3, total_tokens=15)
    chat = [ChatMessageSystem(content="Be brief."), ChatMessageUser(content="Write a poem.")]
    samples = [
        Sample(id="s1", input="What is 2 + 2?", target="4"),
        Sample(id="s2", input=chat, target="verse"),
    ]
    task = Task(name="toy", dataset=samples, solver=generate(), scorer=match())
    with tempfile.TemporaryDirectory() as folder:
        model = get_model("mockllm/model", custom_outputs=answers)
        run(task, model=model, log_format=form, log_dir=folder, display="none",
            max_samples=1, max_connections=1)  # fmt: skip
        return next(Path(folder).glob(f"*.{form}")).read_bytes()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
