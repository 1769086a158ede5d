import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mapping import (
    ColumnMapping,
    WideModel,
    describe,
    detect_mapping,
    detect_prompt,
    dump_mapping,
    parse_mapping,
    suggest_mapping,
    write_mapping,
)
from profiles.errors import UsageError

CANONICAL = {
    name: name
    for name in (
        "prompt", "model", "quality", "cost_usd", "n_tokens_in", "n_tokens_out", "prompt_id",
        "request_id", "occurred_at", "label", "propensity",
    )
}  # fmt: skip


def test_canonical_names_are_found():
    """The documented long input needs no mapping."""
    found = detect_mapping([*CANONICAL, "latency_s"], [])
    assert found.columns() == {**CANONICAL, "latency": "latency_s"}


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Question", "prompt"), ("user_prompt", "prompt"), ("messages", "prompt"),
        ("Model Name", "model"), ("modelId", "model"),
        ("isCorrect", "quality"), ("thumbs", "quality"), ("Score", "quality"),
        ("total_cost", "cost_usd"), ("Spend", "cost_usd"),
        ("response_time", "latency"), ("durationMs", "latency"),
        ("prompt_tokens", "n_tokens_in"), ("completion_tokens", "n_tokens_out"),
        ("created_at", "occurred_at"), ("eval_name", "label"), ("custom_id", "request_id"),
    ],
)  # fmt: skip
def test_synonyms_are_found_in_any_spelling(column, field):
    """Case, spaces and underscores of a name do not matter."""
    others = [name for name in ("prompt", "model") if name != field]
    assert detect_mapping([column, *others], []).columns()[field] == column


@pytest.mark.parametrize(
    ("column", "unit"),
    [("latency", "s"), ("latency_s", "s"), ("latency_ms", "ms"), ("responseTimeMs", "ms"),
     ("Duration (ms)", "ms")],
)  # fmt: skip
def test_the_unit_comes_from_the_name(column, unit):
    """Milliseconds are taken only from a name that says so; the values are not looked at."""
    found = detect_mapping(["prompt", column], [{"prompt": "x", column: 900_000}])
    assert (found.latency, found.latency_unit) == (column, unit)


def test_more_certain_names_win():
    """`prompt` is preferred to `text`, and `category` to `source`."""
    found = detect_mapping(["text", "source", "prompt", "category"], [])
    assert (found.prompt, found.label) == ("prompt", "category")


def test_routerbench_columns_are_the_wide_layout():
    """`X` with `X|total_cost` is a model; answers and the oracle are not."""
    columns = ["sample_id", "prompt", "eval_name", "gpt-4", "gpt-4|model_response",
               "gpt-4|total_cost", "oracle_model_to_route_to"]  # fmt: skip
    found = detect_mapping(columns, [{"gpt-4": "0.75", "gpt-4|model_response": "[A]"}])
    assert found.wide == (WideModel(model="gpt-4", quality="gpt-4", cost_usd="gpt-4|total_cost"),)
    assert (found.label, found.prompt_id, found.quality) == ("eval_name", "sample_id", None)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["m", "m_cost"], ("m", "m", "m_cost")),
        (["m", "cost_m"], ("m", "m", "cost_m")),
        (["quality_m"], ("m", "quality_m", None)),
        (["quality_m", "cost_m"], ("m", "quality_m", "cost_m")),
    ],
)
def test_other_wide_names_are_found(columns, expected):
    """A quality column and its cost column are paired by the model's name."""
    [wide] = detect_mapping(["prompt", *columns], [dict.fromkeys(columns, 0.5)]).wide
    assert (wide.model, wide.quality, wide.cost_usd) == expected


def test_columns_that_are_no_quality_are_not_wide():
    """Text, or a number above 1, is no quality however its column is called."""
    found = detect_mapping(
        ["prompt", "quality_note", "size", "size_cost"],
        [{"quality_note": "fine", "size": 3, "size_cost": 1}],
    )
    assert found.wide == ()


def test_a_model_column_means_the_long_layout():
    """With one row per call, `quality_x` is just another column."""
    found = detect_mapping(["prompt", "model", "quality", "quality_x"], [{"quality_x": 0.5}])
    assert (found.wide, found.quality) == ((), "quality")


def test_given_fields_win_and_a_dash_switches_off():
    """What the user names is taken; the rest is detected, unless it is switched off."""
    given_ = parse_mapping("prompt=a,label=-")
    found = detect_mapping(["a", "prompt", "label", "model"], [], given=given_)
    assert found.columns() == {"prompt": "a", "model": "model"}


def test_a_mapping_is_parsed_with_units_and_scale():
    """Units are part of a field's name or come from the column's."""
    found = parse_mapping("prompt=q, latency_ms=took, occurred_at_s=t, quality_scale=1-5")
    assert found == ColumnMapping(
        prompt="q", latency="took", latency_unit="ms", occurred_at="t", occurred_at_unit="s",
        quality_scale="1-5",
    )  # fmt: skip
    assert parse_mapping("latency=took_ms").latency_unit == "ms"


def test_a_wide_mapping_is_parsed():
    """A model's name may hold colons; its cost may be left out."""
    assert parse_mapping("wide:llama3:8b=q:c,wide:gpt=g").wide == (
        WideModel(model="llama3:8b", quality="q", cost_usd="c"),
        WideModel(model="gpt", quality="g"),
    )


def test_a_suggestion_leaves_open_what_would_be_asked_about():
    """Two columns that may be the prompt are a question for a person; the rest is found."""
    found = suggest_mapping(["question", "query", "model", "score", "label"], [])
    assert found.columns() == {"model": "model", "quality": "score", "label": "label"}
    assert suggest_mapping(["prompt"], []) == detect_mapping(["prompt"], [])
    assert suggest_mapping(["rating", "reward"], []).columns() == {}


NAMES = st.one_of(st.none(), st.text(min_size=1, max_size=6), st.sampled_from(["took_ms", "a,b"]))


@given(
    prompt=NAMES, latency=NAMES, time=NAMES, unit=st.sampled_from(["s", "ms"]),
    iso=st.sampled_from(["iso", "s", "ms"]), model=NAMES, cost=NAMES,
)  # fmt: skip
def test_a_mapping_is_written_as_it_is_read(prompt, latency, time, unit, iso, model, cost):
    """Whatever columns are called: commas, equals signs and colons too."""
    wide = (WideModel(model=model, quality="q", cost_usd=cost),) if model else ()
    mapping = ColumnMapping(
        prompt=prompt, latency=latency, latency_unit=unit, occurred_at=time, occurred_at_unit=iso,
        wide=wide,
    )  # fmt: skip
    assert parse_mapping(write_mapping(mapping)) == mapping


def test_a_plain_mapping_is_written_in_plain_text():
    """It is shown as a command, which a person reads."""
    mapping = ColumnMapping(prompt="question", label="-", latency="took", latency_unit="ms")
    assert write_mapping(mapping) == "prompt=question,latency_ms=took,label=-"


COLUMNS = st.sampled_from([None, "-", "a", "b c", "ä|total_cost"])


@given(prompt=COLUMNS, label=COLUMNS, unit=st.sampled_from(["s", "ms"]), n_models=st.integers(0, 2))
def test_a_preset_round_trips(prompt, label, unit, n_models):
    """What is saved is read back equal."""
    wide = tuple(WideModel(model=f"m{i}", quality=f"q{i}") for i in range(n_models))
    mapping = ColumnMapping(prompt=prompt, label=label, latency_unit=unit, wide=wide)
    assert parse_mapping(dump_mapping(mapping)) == mapping


def test_describe_shows_columns_units_and_models():
    """Every field found has one line, with its unit."""
    mapping = ColumnMapping(
        prompt="q", latency="took", latency_unit="ms", occurred_at="t", occurred_at_unit="s",
        wide=(WideModel(model="a", quality="x", cost_usd="y"), WideModel(model="b", quality="z")),
    )  # fmt: skip
    assert describe(mapping) == [
        "prompt <- q",
        "latency <- took (ms)",
        "occurred_at <- t (s since 1970)",
        "model a: quality <- x, cost_usd <- y",
        "model b: quality <- z, cost unknown",
    ]


def test_detect_prompt_ignores_everything_else():
    """Routing a file does not ask which of two columns is the quality."""
    assert detect_prompt(["score", "rating", "question"]) == "question"
    assert detect_prompt(["a", "b"], given=ColumnMapping(prompt="b", quality="gone")) == "b"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "Expected a column with the prompt, found"),
        (["a", "b"], "found 'a', 'b'.*--mapping prompt=COLUMN"),
        (["prompt", "messages"], "one column with the prompt, found 'prompt', 'messages'"),
        (["question", "query"], "found 'query', 'question'.*Choose with --mapping prompt=COLUMN"),
        (["prompt", "model", "score", "rating"], "one column with the quality"),
        (["prompt", "score"], "'score' looks like quality, but no column names the model"),
        ([f"c{i}" for i in range(40)], "and 10 more"),
    ],
)
def test_ambiguous_columns_are_asked_about(columns, message):
    """The error lists what was found and how to name the right one."""
    with pytest.raises(UsageError, match=message):
        detect_mapping(columns, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt", "Expected FIELD=COLUMN, found 'prompt'"),
        ("promt=a", "Unknown field 'promt'.*known: prompt"),
        ("prompt=a,prompt=b", "prompt once in the mapping"),
        ("latency=a,latency_unit=min", "latency_unit to be one of s, ms, found 'min'"),
        ('{"promt": "a"}', "mapping preset.*promt"),
        ("{", "mapping preset"),
        ('{"wide": [1]}', "mapping preset"),
    ],
)
def test_a_broken_mapping_is_refused(text, message):
    """Typos do not pass silently."""
    with pytest.raises(UsageError, match=message):
        parse_mapping(text)


def test_a_mapping_must_name_columns_that_exist():
    """The error names the missing column and those that are there."""
    with pytest.raises(UsageError, match=r"not there: 'b', 'q'\. Found 'a'"):
        detect_mapping(["a"], [], given=parse_mapping("prompt=b,wide:m=q"))
