"""Tables under limits, guards and certificates, on the story: each topic needs another model."""

import json

import numpy as np
import pytest

from pipeline.certificate import certificate_sentence
from pipeline.config import Policy
from pipeline.flows.candidates import Facts
from pipeline.flows.curation import domains_from_labels
from pipeline.flows.routing import load_router
from pipeline.flows.tables import build_table, load_model, require_table
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import InfeasibleError, UsageError
from profiles.tables import BUCKETS, TABLE_ENTRIES
from tests.support import BEST_VALUE, TOPICS, HashEncoder, add_latencies, story, story_store

LATENCY_S = {"large": 4.0, "medium": 2.0, "small": 0.5}
PLAIN = {"router": "table", "quality_value_usd": 1.0}
TEXTS = [p.text for p in story(30)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The story with latencies; every test builds its own tables."""
    store = story_store(tmp_path_factory.mktemp("drafting"), publish=False)
    add_latencies(store, LATENCY_S)
    return store


def table(store, facts=None, **policy):
    """Build a table; returns its row, its first choices by domain, and its receipts."""
    version = build_table(store, HashEncoder(), Policy(**PLAIN | policy), facts)
    buckets = store.read(BUCKETS, table_version=version)
    first = store.read(TABLE_ENTRIES, table_version=version, rank=1)
    choices = dict(buckets.join(first, on="bucket").select("name", "model_id").iter_rows())
    return require_table(store, version), choices, load_router(store, HashEncoder(), version)


def models_of(router):
    return router.decide(TEXTS)["model"].to_list()


def test_a_latency_cap_leaves_slow_models_to_nobody(store):
    """Under 3 s the large model is out, in every bucket and for every prompt."""
    _, choices, router = table(store, max_latency_s=3.0)
    assert "large" not in choices.values()
    assert "large" not in models_of(router)
    assert router.model.latency_s[0].tolist() == pytest.approx([4.0, 2.0, 0.5])


def test_a_quality_floor_holds_for_every_prompt(store):
    """Worth next to nothing, quality is still at least what was asked for where it can be."""
    _, _, free = table(store, quality_value_usd=0.0)
    assert set(models_of(free)) == {"small"}
    _, choices, router = table(store, quality_value_usd=0.0, min_quality=0.6)
    found = router.decide(TEXTS)
    assert choices["law"] in {"large", "medium"}
    sent = found["reason"].str.contains("no model keeps the limits")
    assert (found.filter(~sent)["expected_quality"] >= 0.6).all()
    assert set(found.filter(sent)["model"]) <= {"large"}


@pytest.mark.parametrize(
    ("policy", "option"),
    [({"min_quality": 0.99}, "--min-quality"), ({"max_latency_s": 0.25}, "--max-latency-s")],
)
def test_a_limit_that_cannot_be_kept_names_the_nearest(store, policy, option):
    """The nearest value then builds, and so does a named fallback."""
    with pytest.raises(InfeasibleError, match=f"{option} .* such as .*--fallback") as found:
        table(store, **policy)
    (name,) = policy
    table(store, **{name: found.value.nearest})
    _, choices, router = table(store, **policy, fallback=("medium", "small"))
    assert set(choices.values()) == {"medium"}
    receipts = router.decide(TEXTS)
    assert set(receipts["model"]) == {"medium"}
    assert set(receipts["fallback"]) == {"small"}


def test_denied_models_and_missing_features_are_no_candidates(store):
    """Lists and facts choose the candidates; what is not known is not had."""
    facts = Facts(
        features={"large": frozenset({"tools"}), "small": frozenset({"tools"})},
        context_tokens={"small": 8_000, "large": 100_000},
    )
    assert table(store, deny=("medium",))[2].model.model_ids == ("large", "small")
    assert table(store, facts, required_features=("tools",))[2].model.model_ids == (
        "large",
        "small",
    )
    assert table(store, facts, min_context_tokens=9_000)[2].model.model_ids == ("large",)


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ({"required_features": ("tools",)}, "leaves no model"),
        ({"deny": ("huge",)}, "no model 'huge'"),
        ({"deny": ("small",), "fallback": ("small",)}, "names 'small'.*leave out"),
        ({"domain_loss_ratios": (("poetry", 5.0),)}, "no domain 'poetry'. Known: "),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(store, policy, word):
    """The error says which name, and what is known."""
    with pytest.raises(UsageError, match=word):
        table(store, **policy)


def test_a_share_is_kept_on_held_out_prompts(store):
    """The small model may take a fifth of them; the surcharge is in the table."""

    def share(row):
        return json.loads(row["held_out"])["shares"].get("small", 0.0)

    row, _, router = table(store, max_share=(("small", 0.2),))
    assert share(row) <= 0.2 < share(table(store)[0])
    assert router.model.terms.surcharge[2] > 0
    with pytest.raises(InfeasibleError, match="limits every model"):
        table(store, max_share=(("small", 0.2), ("medium", 0.2), ("large", 0.6)))


def test_a_delicate_domain_stays_with_the_safe_choice(store):
    """Where a bad switch is a million times worse, only certainty leaves the large model."""
    _, plain, _ = table(store, quality_value_usd=np.inf, loss_ratio=1.0)
    _, careful, router = table(
        store, quality_value_usd=np.inf, loss_ratio=1.0, domain_loss_ratios=(("kitchen", 1e6),)
    )
    assert plain["kitchen"] == "small"
    assert careful["kitchen"] == "large"
    assert careful["law"] == plain["law"] == BEST_VALUE["law"]
    assert router.model.terms.z[router.model.names.index("law")] == 0.0


def test_the_guard_is_stored_with_the_table(store):
    """The ratio of 3 asks for 0.67 standard errors in every bucket, and survives the store."""
    row, _, router = table(store, loss_ratio=3.0)
    assert router.model.terms.z == pytest.approx(0.6745, abs=1e-4)
    assert json.loads(row["policy"])["loss_ratio"] == 3.0
    again = load_model(store, row["table_version"])[1]
    assert np.array_equal(again.terms.z, router.model.terms.z)
    assert again.advantage_sd == pytest.approx(router.model.advantage_sd)


@pytest.fixture(scope="module")
def large_store(tmp_path_factory):
    """900 prompts on which two models are equally good, one at a tenth of the cost."""
    folder = tmp_path_factory.mktemp("large")
    rows = [
        f"help with {topic} {word} {number},{model},{int(number % 10 != 0)},{cost},{topic}"
        for topic, words in TOPICS.items()
        for number in range(300)
        for word in [words.split()[number % 6]]
        for model, cost in (("dear", 0.01), ("cheap", 0.001))
    ]
    text = "\n".join(["prompt,model,quality,cost_usd,label", *rows]) + "\n"
    (folder / "in.csv").write_text(text, encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(folder / "in.csv").tables())
    domains_from_labels(store, actor="ana")
    return store


def test_a_certificate_is_earned(large_store):
    """On prompts kept out of everything the cheap model loses nothing, and takes all."""
    policy = {"quality_value_usd": None, "reference_model_id": "dear", "max_loss": 0.03}
    row, choices, _ = table(large_store, **policy)
    told = json.loads(row["certificate"])
    assert told["is_certified"]
    assert told["bound"] <= 0.03
    assert told["n_prompts"] + row["n_prompts"] == 900
    assert 200 < told["n_prompts"] < 340
    assert told["cost_ratio"] == pytest.approx(0.1)
    assert set(choices.values()) == {"cheap"}
    assert certificate_sentence(row["certificate"]).startswith(
        "Certified: against the safe choice it loses at most"
    )


def test_a_certificate_that_is_not_earned_says_what_it_needs(store):
    """Some 30 prompts prove next to nothing; more would."""
    row, _, _ = table(store, quality_value_usd=None, max_loss=0.01)
    told = json.loads(row["certificate"])
    assert not told["is_certified"]
    assert told["bound"] > 0.01
    sentence = certificate_sentence(row["certificate"])
    assert sentence.startswith("Not certified:")
    assert "more" in sentence


def test_without_being_asked_there_is_no_certificate(store):
    """Then every prompt is learned from."""
    row, _, _ = table(store)
    assert row["certificate"] is None
    assert row["n_prompts"] == len(TEXTS)
