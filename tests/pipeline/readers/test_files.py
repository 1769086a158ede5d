"""Every format once, from a file that the tool made (`make_files.py`) or its documents describe."""

import datetime as dt
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.foreign import Origin
from pipeline.ingest import groups_of, read_file
from pipeline.readers.registry import READERS, detect, reader_named
from pipeline.rows import open_source, read_chunks
from profiles.errors import InputFileError, UsageError

FILES = Path(__file__).with_name("files")
START = dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC)
SUM, BRIEF, POEM = "What is 2 + 2?", "What is 2 + 2?\n\nBe brief.", "Write a poem."

# files: for each outcome model, prompt, quality, USD, seconds, tokens in and out, time
OUTCOMES = {
    "litellm_spend.csv": [
        ("gpt-4o", POEM, None, None, 0.5, None, None, START),
        ("gpt-4o-mini", BRIEF, None, 0.00012, 1.2, 20, 10, START),
    ],
    "langfuse.jsonl langfuse_scores.jsonl": [
        ("gpt-4o", POEM, 0.0, None, 2.0, None, None, START),
        ("gpt-4o-mini", BRIEF, 0.8, 0.00012, 1.5, 20, 10, START),
    ],
    "otel.jsonl": [
        ("gpt-4o", POEM, None, None, 1.2, None, None, START),
        ("gpt-4o-mini", BRIEF, 0.75, None, 1.2, 20, 10, START),
    ],
    "openinference.jsonl": [
        ("gpt-4o", POEM, None, None, 1.2, None, None, START),
        ("gpt-4o-mini", BRIEF, None, 0.00012, 1.2, 20, 10, START),
    ],
    "langsmith.jsonl": [
        ("gpt-4o", BRIEF, None, None, 1.25, None, None, START),
        ("gpt-4o-mini", SUM, 0.5, 0.00012, 1.25, 20, 10, START),
    ],
    "langsmith.jsonl langsmith_feedback.jsonl": [
        ("gpt-4o", BRIEF, 0.25, None, 1.25, None, None, START),
        ("gpt-4o-mini", SUM, pytest.approx(2 / 3), 0.00012, 1.25, 20, 10, START),
    ],
    "helicone.jsonl": [
        ("gpt-4o", POEM, None, None, None, None, None, START),
        ("gpt-4o-mini", BRIEF, 1.0, 0.00012, 1.0, 20, 10, START),
    ],
    "openai_batch_requests.jsonl openai_batch_results.jsonl": [
        ("gpt-4o-mini", BRIEF, None, None, None, 20, 10, START),
    ],
    "anthropic_batch_requests.jsonl anthropic_batch_results.jsonl": [
        ("claude-sonnet-4-5", BRIEF, None, None, None, 20, 10, None),
    ],
    "openai_completions.jsonl": [
        ("gpt-4o", POEM, None, None, None, None, None, START),
        ("gpt-4o-mini", BRIEF, None, None, None, 20, 10, START),
    ],
    "openai_eval_items.jsonl": [
        ("gpt-4o-mini", BRIEF, 0.75, None, None, 20, 10, START),
        ("gpt-4o-mini", POEM, 0.0, None, None, 20, 10, START),
    ],
    "promptfoo.json": [
        ("openai:gpt-4o", POEM, 0.25, None, None, None, None, None),
        ("openai:gpt-4o-mini", BRIEF, 1.0, 0.0001, 0.9, 20, 10, None),
    ],
    "alpaca_eval.json": [
        ("gpt-4o-mini", SUM, 0.75, None, None, None, None, None),
        ("gpt-4o-mini", POEM, None, None, None, None, None, None),
        ("ref", SUM, 0.25, None, None, None, None, None),
        ("ref", POEM, None, None, None, None, None, None),
    ],
    "arena.csv": [
        ("gpt-4o", SUM, 1.0, None, None, None, None, None),
        ("gpt-4o", POEM, 0.5, None, None, None, None, None),
        ("gpt-4o-mini", SUM, 0.0, None, None, None, None, None),
        ("gpt-4o-mini", POEM, 0.5, None, None, None, None, None),
    ],
    "arena_conversations.jsonl": [
        ("gpt-4o", BRIEF, 0.0, None, None, None, None, None),
        ("gpt-4o-mini", BRIEF, 1.0, None, None, None, None, None),
    ],
    "sharegpt.json": [],
    "wildchat.jsonl": [],
    "lmsys.jsonl": [],
}
OUTCOMES["promptfoo.jsonl"] = OUTCOMES["promptfoo.json"]
FORMATS = {
    "litellm_spend": "litellm", "litellm_payload": "litellm", "langfuse": "langfuse",
    "langfuse_scores": "langfuse", "otel": "otel", "openinference": "openinference",
    "langsmith": "langsmith", "langsmith_feedback": "langsmith",
    "helicone": "helicone", "openai_batch_requests": "openai-batch",
    "openai_completions": "openai", "openai_eval_items": "openai",
    "openai_batch_results": "openai-batch", "anthropic_batch_requests": "openai-batch",
    "anthropic_batch_results": "openai-batch", "promptfoo": "promptfoo", "inspect": "inspect",
    "inspect_made": "inspect",
    "lm_eval_samples": "lm-eval", "lm_eval_results": "lm-eval", "alpaca_eval": "alpaca-eval",
    "arena": "arena", "arena_conversations": "arena", "sharegpt": "sharegpt",
    "wildchat": "wildchat", "lmsys": "lmsys",
}  # fmt: skip
"""By stem; what is not listed is generic."""


def read(names, **origin):
    first, *others = [FILES / name for name in names.split()]
    return read_file(first, companions=others, origin=Origin(**origin))


def rows_of(ingest):
    texts = dict(ingest.prompts.select("prompt_id", "text").iter_rows())
    times = dict(ingest.requests.select("request_id", "occurred_at").iter_rows())
    kept = ("quality", "cost_usd", "latency_s", "n_tokens_in", "n_tokens_out")
    rows = [
        (
            row["model_id"],
            texts[row["prompt_id"]],
            *(row[k] for k in kept),
            times[row["request_id"]],
        )
        for row in ingest.outcomes.iter_rows(named=True)
    ]
    return sorted(rows, key=lambda row: (row[0], row[1] != SUM, row[1]))


def records_of(path):
    with open_source(path) as source:
        return [record for chunk in read_chunks(source) for record in chunk.records()]


@pytest.mark.parametrize("names", OUTCOMES)
def test_fields_units_and_unknowns_are_those_of_the_format(names):
    """Seconds, US dollars and UTC; what was not logged is null, not 0; nothing is rejected."""
    ingest = read(names)
    assert rows_of(ingest) == OUTCOMES[names]
    assert ingest.rejects.is_empty()


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_every_file_is_told_to_be_its_own_format_and_no_other(path):
    """By its records alone; files with ordinary columns are of no tool."""
    found = detect(records_of(path))
    assert (found and found.name) == FORMATS.get(path.stem)


def test_every_format_has_a_file_and_a_name_of_its_own():
    """No reader is untested; two readers of one name read two shapes of one tool."""
    assert {reader.name for reader in READERS} == set(FORMATS.values())
    assert len({reader.title for reader in READERS}) == len(READERS)


@pytest.mark.parametrize("name", ["sharegpt.json", "wildchat.jsonl", "lmsys.jsonl"])
def test_a_collection_of_chats_gives_prompts_only(name):
    """The last user turn is routed, and the whole chat is kept."""
    ingest = read(name)
    assert BRIEF in ingest.prompts["text"]
    roles = [turn["role"] for turn in json.loads(ingest.requests["payload"][0])]
    assert ["system", "user", "assistant"] in (roles, ["system", *roles])


def test_the_payload_that_litellm_logs_is_in_epoch_seconds():
    """Two mock calls and a failed one; LiteLLM put 10 and 20 tokens on each."""
    ingest = read("litellm_payload.jsonl")
    mini = ingest.outcomes.filter(model_id="gpt-4o-mini").row(0, named=True)
    assert (mini["n_tokens_in"], mini["n_tokens_out"]) == (10, 20)
    assert mini["cost_usd"] == pytest.approx(10 * 0.15e-6 + 20 * 0.6e-6)
    assert 0 < mini["latency_s"] < 1
    assert ingest.requests["occurred_at"].dt.year().to_list() == [2026, 2026]
    assert "left out: 1 calls that failed" in ingest.described


def test_an_inspect_log_has_grades_tokens_and_its_task():
    """Correct is 1, incorrect 0; the mock model counted 12 and 3 tokens."""
    ingest = read("inspect.json")
    assert [row[:3] for row in rows_of(ingest)] == [
        ("mockllm/model", SUM, 1.0),
        ("mockllm/model", POEM + "\n\nBe brief.", 0.0),
    ]
    assert ingest.outcomes["n_tokens_in"].to_list() == [12, 12]
    assert set(ingest.prompts["label"]) == {"toy"}
    assert set(ingest.requests["external_id"]) == {"s1", "s2"}


def test_an_eval_archive_is_the_same_log(tmp_path):
    """Its parts are plain, deflated or Zstandard, which inspect_ai writes."""
    log = json.loads((FILES / "inspect.json").read_text(encoding="utf-8"))
    path = tmp_path / "log.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({k: log[k] for k in ("version", "eval")}))
        for sample in log["samples"]:
            archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
    assert rows_of(read_file(path)) == rows_of(read("inspect.json"))
    made = rows_of(read("inspect_made.eval"))
    assert [row[:3] for row in made] == [row[:3] for row in rows_of(read("inspect.json"))]


def test_a_damaged_archive_is_refused_with_the_next_step(tmp_path):
    """A cut part is no log."""
    raw = bytearray((FILES / "inspect_made.eval").read_bytes())
    with zipfile.ZipFile(FILES / "inspect_made.eval") as archive:
        start = archive.getinfo("header.json").header_offset + 60
    raw[start : start + 20] = bytes(20)
    path = tmp_path / "cut.eval"
    path.write_bytes(raw)
    with pytest.raises(InputFileError, match=r"damaged archive.*inspect log convert"):
        read_file(path)


def test_lm_eval_samples_join_their_filters_and_the_model_of_the_results():
    """Two filters of two documents are two outcomes; each filter is a score of its own."""
    samples = "lm_eval_samples.jsonl lm_eval_results.json"
    with pytest.raises(
        UsageError, match=r"found exact_match,strict \(2\), exact_match,loose \(2\).*--score"
    ):
        read(samples)
    ingest = read(samples, score="exact_match,strict")
    assert sorted(ingest.outcomes["quality"]) == [0.0, 1.0]
    model = json.loads((FILES / "lm_eval_results.json").read_text(encoding="utf-8"))["model_name"]
    assert set(ingest.outcomes["model_id"]) == {model}
    assert set(ingest.prompts["label"]) == {"maths", "science"}


def test_a_model_that_is_only_in_the_files_name_can_be_given():
    """Without one, quality would be credited to nobody: all rows are rejected."""
    given = read("lm_eval_samples.jsonl", score="exact_match,loose", model="mine")
    assert set(given.outcomes["model_id"]) == {"mine"}
    without = read("lm_eval_samples.jsonl", score="exact_match,loose")
    assert set(without.rejects["reason"]) == {"quality without a model"}


def test_a_named_score_is_taken_instead_of_the_usual_one():
    """Promptfoo's overall score is meant unless another is named; an unknown one is refused."""
    assert read("promptfoo.json", score="brief").outcomes["quality"].to_list().count(0.5) == 1
    assert sorted(read("promptfoo.json", score="success").outcomes["quality"]) == [0.0, 1.0]
    with pytest.raises(UsageError, match=r"Expected the score 'speed', found score \(2\)"):
        read("promptfoo.json", score="speed")


def test_requests_without_results_are_prompts_of_no_model():
    """They can be routed, and credit nobody."""
    ingest = read("openai_batch_requests.jsonl")
    assert (ingest.prompts.height, ingest.outcomes.height) == (2, 0)


def test_a_batch_whose_model_is_named_with_the_job_takes_it_from_the_option(tmp_path):
    """Mistral's lines hold neither method nor address nor model."""
    asked = {"custom_id": "a", "body": {"messages": [{"role": "user", "content": SUM}]}}
    body = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    told = {"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}
    (tmp_path / "in.jsonl").write_text(json.dumps(asked), encoding="utf-8")
    (tmp_path / "out.jsonl").write_text(json.dumps(told), encoding="utf-8")
    ingest = read_file(
        tmp_path / "in.jsonl", companions=[tmp_path / "out.jsonl"], origin=Origin(model="mine")
    )
    assert rows_of(ingest) == [("mine", SUM, None, None, None, 9, 2, None)]


def test_results_without_their_requests_are_refused_with_the_next_step():
    """A result holds no prompt; the error says which file is missing."""
    with pytest.raises(InputFileError, match=r"line 1: no request has this custom_id; import"):
        read("openai_batch_results.jsonl")


def test_observations_alone_have_no_quality():
    """Scores are in another file; without it quality is unknown, not 0."""
    assert read("langfuse.jsonl").outcomes["quality"].to_list() == [None, None]


def test_a_file_of_scores_alone_is_refused():
    """There is nothing to credit the scores to."""
    with pytest.raises(InputFileError, match=r"Langfuse .* with at least one call, found none"):
        read("langfuse_scores.jsonl")


def test_feedback_on_a_root_run_counts_for_its_calls_without_their_own(tmp_path):
    """A call's own feedback wins; what is no number is left out and counted."""
    run = {"run_type": "llm", "trace_id": "root", "start_time": "2026-11-01T10:00:00Z"}
    runs = [run | {"id": n, "inputs": {"input": f"prompt {n}"}} for n in ("a", "b")]
    said = {"key": "good", "created_at": "2026-11-01T11:00:00Z"}
    notes = [("root", 0.5), ("b", False), ("b", None), ("b", "fine")]
    feedback = [said | {"run_id": about, "score": score} for about, score in notes]
    for run in runs:
        run["extra"] = {"metadata": {"ls_model_name": "m"}}
    for name, records in (("runs", runs), ("feedback", feedback)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    ingest = read_file(tmp_path / "feedback.jsonl", companions=[tmp_path / "runs.jsonl"])
    assert [row[1:3] for row in rows_of(ingest)] == [("prompt a", 0.5), ("prompt b", 0.0)]
    assert "left out: 2 feedback without a number" in ingest.described


def test_several_scores_of_one_name_are_their_mean_in_any_order(tmp_path):
    """Two people gave 0.25 and 1; where words differ there is no score."""
    call = {"id": "o", "traceId": "t", "projectId": "p", "type": "GENERATION", "model": "m",
            "startTime": "2026-11-01T10:00:00Z", "input": "a prompt"}  # fmt: skip
    said = {"traceId": "t", "observationId": "o", "source": "ANNOTATION"}
    notes = [("good", 0.25), ("good", "1"), ("kind", "pass"), ("kind", "fail")]
    scores = [said | {"name": n, "dataType": "NUMERIC", "value": v} for n, v in notes]
    for records in ([call, *scores], [*reversed(scores), call]):
        path = tmp_path / "all.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
        assert read_file(path, origin=Origin(score="good")).outcomes["quality"].to_list() == [0.625]


def test_files_of_one_joined_format_are_one_group():
    """Calls and scores go together in any order; every other file is alone."""
    names = ["langfuse_scores.jsonl", "arena.csv", "langfuse.jsonl", "generic_chat.jsonl"]
    paths = [str(FILES / name) for name in names]
    assert groups_of(paths) == [(paths[0], paths[2]), (paths[1],), (paths[3],)]
    ingest = read("langfuse_scores.jsonl langfuse.jsonl")
    assert rows_of(ingest) == OUTCOMES["langfuse.jsonl langfuse_scores.jsonl"]
    assert ingest.import_row["file_name"][0] == "langfuse_scores.jsonl + langfuse.jsonl"


BROKEN = {
    "litellm_spend.csv": [("a1", "x1")],
    "helicone.jsonl": [('"delay_ms": 1000', '"delay_ms": "soon"')],
    "langsmith.jsonl": [('"total_cost": "0.00012"', '"total_cost": -1')],
    "langfuse.jsonl": [('"input": "Write a poem."', '"input": ""')],
    "otel.jsonl": [('"startTimeUnixNano": "1793527200000000000"', '"startTimeUnixNano": "x"')],
    "promptfoo.json": [('"latencyMs": 900', '"latencyMs": -1')],
    "wildchat.jsonl": [('"timestamp": "2026-11-01T10:00:00Z"', '"timestamp": "today"')],
    "arena.csv": [(",1,0,0", ",1,0,0,0")],
}
REASONS = {
    "helicone.jsonl": (1, "latency: expected a number, found 'soon'"),
    "langsmith.jsonl": (1, "cost_usd: expected a finite number of at least 0, found '-1'"),
    "langfuse.jsonl": (2, "empty prompt"),
    "otel.jsonl": (1, "occurred_at: expected a time"),
    "promptfoo.json": (1, "latency: expected a finite number of at least 0, found '-0.001'"),
    "wildchat.jsonl": (1, "occurred_at: expected a time"),
    "arena.csv": (2, "expected 9 fields, found 10"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_broken_value_is_rejected_with_its_line_and_reason(tmp_path, name):
    """In a document the line is the number of the record in it."""
    text = (FILES / name).read_text(encoding="utf-8")
    for found, broken in BROKEN[name]:
        assert found in text
        text = text.replace(found, broken)
    copy = tmp_path / name
    copy.write_text(text + '{"cut', encoding="utf-8") if name.endswith("l") else copy.write_text(
        text, encoding="utf-8"
    )
    try:
        rejects = read_file(copy, origin=Origin(form=FORMATS[Path(name).stem])).rejects
    except InputFileError:
        pytest.fail("one broken value must not lose the file")
    line, reason = REASONS[name]
    assert rejects["line"][0] == line
    assert rejects["reason"][0].startswith(reason)


@pytest.mark.parametrize("text", ["{}", '{"messages": "hi"}', '{"a": [1, {"b": null}]}', "[1, 2]"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.title)
def test_no_record_makes_a_reader_fall_over(tmp_path, reader, text):
    """A record of any other shape is rejected or left out, and credits no model."""
    path = tmp_path / "in.json"
    path.write_text(text, encoding="utf-8")
    try:
        ingest = read_file(path, origin=Origin(form=reader.name))
    except InputFileError:
        return
    assert ingest.outcomes.is_empty()


@pytest.mark.parametrize("name", ["openinference.jsonl", "wildchat.jsonl", "lmsys.jsonl"])
def test_a_table_that_has_the_columns_of_all_rows_is_read_alike(tmp_path, name):
    """In Parquet a key that a record lacks is there with null."""
    frame = pl.read_ndjson(FILES / name, infer_schema_length=None)
    frame.write_parquet(tmp_path / "in.parquet")
    lines, table = read(name), read_file(tmp_path / "in.parquet")
    assert rows_of(table) == rows_of(lines)
    assert set(table.prompts["text"]) == set(lines.prompts["text"])


def test_a_forced_format_takes_the_shape_that_fits():
    """`--from litellm` reads both spend logs and payloads."""
    spend, payload = (records_of(FILES / f"litellm_{n}") for n in ("spend.csv", "payload.jsonl"))
    assert reader_named("litellm", spend).title == "LiteLLM spend logs"
    assert reader_named("litellm", payload).title == "LiteLLM logging payload"


def test_generic_can_be_forced_too():
    """Then columns are mapped by their names, whatever the structure."""
    assert read("wildchat.jsonl", form="generic").described[0] == "prompt <- conversation"


def test_importing_twice_has_one_import_id_and_another_score_another():
    """The way of reading is part of what an import is."""
    first, second = read("promptfoo.json"), read("promptfoo.json")
    other = read("promptfoo.json", score="success")
    assert first.import_row["import_id"][0] == second.import_row["import_id"][0]
    assert first.import_row["import_id"][0] != other.import_row["import_id"][0]
