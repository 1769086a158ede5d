import shutil

import polars as pl
import pytest

from pipeline.config import Policy
from pipeline.flows.curation import domains_from_labels
from pipeline.flows.profiling import profile
from pipeline.flows.tables import (
    build_table,
    current_version,
    load_model,
    publish_table,
    require_table,
)
from pipeline.ingest import read_file
from pipeline.store import Store
from pipeline.taxonomy import domains_now
from profiles.errors import NotReadyError, UsageError
from profiles.tables import (
    BUCKETS,
    DOMAIN_EVENTS,
    OUTCOMES,
    PROFILE_CELLS,
    PROFILES,
    ROUTING_TABLES,
    TABLE_ENTRIES,
)
from tests.support import BEST_VALUE, KEEP_MOST, MODELS, TOPICS, HashEncoder, story_store


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A store with three domains and a published table."""
    return story_store(tmp_path_factory.mktemp("labelled")).path


@pytest.fixture
def store(labelled, tmp_path):
    return Store(path=shutil.copy(labelled, tmp_path / "store.duckdb"))


def store_of(folder, text):
    source = folder / "in.csv"
    source.write_text(text, encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(source).tables())
    domains_from_labels(store, actor="ana")
    return store


def small_csv(row):
    """Return a file of three prompts in each of two topics, with one line for each model."""
    lines = [
        f"{text} number {i},{model},{row(topic, model)},{topic}"
        for topic, text in (("maths", "add the numbers"), ("art", "draw a tree"))
        for i in range(3)
        for model in ("a", "b", "c")
    ]
    return "\n".join(["prompt,model,quality,cost_usd,label", *lines]) + "\n"


def first_choices(store, version):
    buckets = store.read(BUCKETS, table_version=version)
    first = store.read(TABLE_ENTRIES, table_version=version, rank=1)
    return dict(buckets.join(first, on="bucket").select("name", "model_id").iter_rows())


def test_each_domain_gets_the_model_of_best_value(store):
    """The story's truth is found: one topic for each model."""
    chosen = first_choices(store, 1)
    assert {topic: chosen[topic] for topic in TOPICS} == BEST_VALUE
    assert require_table(store, 1)["reference_model_id"] == "large"


def test_an_equal_table_keeps_its_number(store):
    """Building again from the same inputs adds nothing; another policy is another version."""
    assert build_table(store, HashEncoder(), KEEP_MOST) == 1
    assert build_table(store, HashEncoder(), Policy(quality_value_usd=1.0)) == 2
    assert store.count(ROUTING_TABLES) == 2


def test_quality_alone_and_cost_alone(store):
    """Infinite value takes the best model somewhere dear, no value the cheapest everywhere."""
    dear = build_table(store, HashEncoder(), Policy(quality_value_usd=float("inf")))
    cheap = build_table(store, HashEncoder(), Policy(quality_value_usd=0.0))
    assert first_choices(store, dear)["python"] == "large"
    assert set(first_choices(store, cheap).values()) == {"small"}


def test_a_policy_limits_the_models(store):
    """Only the models named are in the table; the reference may be chosen."""
    policy = Policy(model_ids=("medium", "small"), reference_model_id="small")
    version = build_table(store, HashEncoder(), policy)
    assert load_model(store, version)[1].model_ids == ("medium", "small")
    assert require_table(store, version)["reference_model_id"] == "small"


def test_an_unknown_model_is_refused(store):
    """The error lists the models there are."""
    with pytest.raises(UsageError, match=r"no model 'huge'. Known: large, medium, small"):
        build_table(store, HashEncoder(), Policy(model_ids=("huge",)))


def test_the_reference_must_be_among_the_models(store):
    """A safe choice that may not be used is refused with a word of what to do."""
    policy = Policy(model_ids=("medium", "small"), reference_model_id="large")
    with pytest.raises(UsageError, match=r"safe choice 'large'.*--models"):
        build_table(store, HashEncoder(), policy)


def test_publishing_moves_the_current_table(store):
    """The one published last is current, an older one too; the current one stays as it is."""
    second = build_table(store, HashEncoder(), Policy(quality_value_usd=1.0))
    assert current_version(store) == 1
    publish_table(store, second)
    assert current_version(store) == second
    publish_table(store, 1)
    assert current_version(store) == 1
    at = require_table(store, 1)["published_at"]
    publish_table(store, 1)
    assert require_table(store, 1)["published_at"] == at


def test_unknown_and_unpublished_tables_are_refused(store, tmp_path):
    """The errors name the next step."""
    with pytest.raises(UsageError, match=r"no table 9. See `promptshed table list`"):
        publish_table(store, 9)
    with pytest.raises(NotReadyError, match="promptshed table build --publish"):
        current_version(Store(path=tmp_path / "none.duckdb"))


def test_a_profile_has_every_domain_and_model(store):
    """Cells for each approved domain and for all prompts, counts adding up."""
    profile_id = profile(store, HashEncoder())
    cells = store.read(PROFILE_CELLS, profile_id=profile_id)
    ids = set(domains_now(store.read(DOMAIN_EVENTS))["domain_id"])
    assert {*ids, "all"} <= set(cells["element"])
    assert set(cells["model_id"]) == set(MODELS)
    whole = cells.filter(element="all")
    assert whole["n"].to_list() == [90, 90, 90]
    in_domains = cells.filter(~pl.col("element").str.starts_with("capability:"))
    assert in_domains.filter(pl.col("element") != "all")["n"].sum() == 270


def test_capabilities_stand_beside_domains(store):
    """The python prompts speak of code: their n is that of the topic, for each model."""
    cells = store.read(PROFILE_CELLS, profile_id=profile(store, HashEncoder()))
    coding = cells.filter(element="capability:coding")
    assert coding["n"].to_list() == [30, 30, 30]
    by_model = dict(coding.select("model_id", "quality").iter_rows())
    assert by_model["large"] > by_model["medium"]


def test_the_same_profile_is_kept_once(store):
    """A second profile of the same outcomes has the same id and adds no row."""
    assert profile(store, HashEncoder()) == profile(store, HashEncoder())
    assert store.count(PROFILES) == 1


def test_without_domains_all_is_unassigned(tmp_path):
    """A profile can be made before the first approval; a table cannot."""
    source = tmp_path / "in.csv"
    source.write_text("prompt,model,quality\nHi there,a,1\nHi there,b,0\n")
    store = Store(path=tmp_path / "store.duckdb")
    store.append(*read_file(source).tables())
    cells = store.read(PROFILE_CELLS, profile_id=profile(store, HashEncoder()))
    assert set(cells["element"].str.strip_prefix("capability:")) > {"all", "unassigned"}
    assert cells.filter(~pl.col("element").str.starts_with("capability:")).height == 4
    with pytest.raises(NotReadyError, match=r"domains approve --all.*domains from-labels"):
        build_table(store, HashEncoder(), Policy())


def test_without_outcomes_there_is_nothing_to_learn(tmp_path):
    """Prompts alone give neither profile nor table."""
    store = store_of(tmp_path, "prompt,label\nHi there,x\nHi you,x\n")
    assert store.count(OUTCOMES) == 0
    for step in (
        lambda: profile(store, HashEncoder()),
        lambda: build_table(store, HashEncoder(), Policy()),
    ):
        with pytest.raises(NotReadyError, match="with a model and a quality column"):
            step()


def test_outcomes_without_quality_are_not_enough_for_a_table(tmp_path):
    """Costs alone say nothing of who is good enough; the error asks for quality."""
    store = store_of(tmp_path, small_csv(lambda _topic, _model: ",0.5"))
    with pytest.raises(NotReadyError, match="quality"):
        build_table(store, HashEncoder(), Policy())


def test_without_costs_quality_decides_and_costs_stay_null(tmp_path):
    """A table of unknown costs has null costs and margins, and the best model first."""
    qualities = {"a": 1, "b": 0, "c": 0}
    store = store_of(tmp_path, small_csv(lambda _topic, model: f"{qualities[model]},"))
    version = build_table(store, HashEncoder(), Policy())
    entries = store.read(TABLE_ENTRIES, table_version=version)
    assert entries["cost_usd"].null_count() == entries["margin_usd"].null_count() == entries.height
    assert set(entries.filter(rank=1)["model_id"]) == {"a"}


def test_a_model_of_unknown_cost_is_no_cheap_one(tmp_path):
    """Where costs count it is left out of the table; it never counts as free."""
    rows = {"a": "1,0.5", "b": "1,", "c": "1,0.25"}
    store = store_of(tmp_path, small_csv(lambda _topic, model: rows[model]))
    version = build_table(store, HashEncoder(), Policy(quality_value_usd=1.0))
    assert load_model(store, version)[1].model_ids == ("a", "c")
    assert set(first_choices(store, version).values()) == {"c"}


def test_a_safe_choice_of_unknown_cost(tmp_path):
    """By default quality alone decides then; a value in USD asks for another safe choice."""
    rows = {"a": "1,", "b": "0.5,0.5", "c": "0.25,0.25"}
    store = store_of(tmp_path, small_csv(lambda _topic, model: rows[model]))
    version = build_table(store, HashEncoder(), Policy())
    assert load_model(store, version)[1].terms.quality_value_usd == float("inf")
    assert set(first_choices(store, version).values()) == {"a"}
    with pytest.raises(UsageError, match=r"cost of the safe choice 'a' is unknown.*--reference"):
        build_table(store, HashEncoder(), Policy(quality_value_usd=1.0))
    assert store.count(ROUTING_TABLES) == 1


def test_free_models_make_a_table(tmp_path):
    """Costs of 0 are known costs."""
    store = store_of(tmp_path, small_csv(lambda _topic, model: f"{int(model == 'b')},0"))
    version = build_table(store, HashEncoder(), Policy())
    entries = store.read(TABLE_ENTRIES, table_version=version)
    assert set(entries.filter(rank=1)["model_id"]) == {"b"}
    assert set(entries["cost_usd"]) == {0.0}


def test_one_domain_and_one_model_make_a_table(tmp_path):
    """The least that can be routed: everything to the only model."""
    lines = [f"add {i} and {i},a,1,0.5,maths" for i in range(4)]
    store = store_of(tmp_path, "\n".join(["prompt,model,quality,cost_usd,label", *lines]))
    version = build_table(store, HashEncoder(), Policy())
    assert set(first_choices(store, version).values()) == {"a"}
