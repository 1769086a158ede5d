"""A policy settled on a saved study is the table that `table build` makes of it."""

from dataclasses import replace

import click
import numpy as np
import pytest

from pipeline.commands.policy import as_arguments, policy_options
from pipeline.config import Policy, read_policy
from pipeline.flows.tables import build_table, require_table
from pipeline.study import MOST_KEPT, curve, read_study, settle, study_bytes
from profiles.errors import InfeasibleError, UsageError
from profiles.tables import STUDIES, TABLE_ENTRIES
from tests.support import HashEncoder, add_latencies, story_store

LATENCY_S = {"large": 4.0, "medium": 2.0, "small": 0.5}
POLICIES = {
    "parity": Policy(),
    "less": Policy(keep_quality=0.9),
    "a price": Policy(quality_value_usd=0.05),
    "quality alone": Policy(quality_value_usd=np.inf),
    "cost alone": Policy(quality_value_usd=0.0),
    "a guard": Policy(quality_value_usd=0.05, loss_ratio=3.0, domain_loss_ratios=(("law", 9.0),)),
    "a floor": Policy(quality_value_usd=0.0, min_quality=0.6),
    "a cap": Policy(max_latency_s=3.0),
    "a share": Policy(keep_quality=0.8, max_share=(("small", 0.2),)),
    "without a model": Policy(keep_quality=0.9, deny=("small",)),
    "a lock": Policy(locks=(("law", "large"),)),
    "a rule": Policy(rules=("urgency=high: max_latency_s=1",), fallback=("small",)),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The story with latencies."""
    store = story_store(tmp_path_factory.mktemp("study"), publish=False)
    add_latencies(store, LATENCY_S)
    return store


def built(store, policy):
    """Build a table; returns its row, its entries and its study."""
    row = require_table(store, build_table(store, HashEncoder(), policy))
    entries = store.read(TABLE_ENTRIES, table_version=row["table_version"]).drop("table_version")
    packed = store.read(STUDIES, study_id=row["study_id"])["packed"][0]
    return row, entries, read_study(packed)


@pytest.fixture(scope="module")
def study(store):
    return built(store, Policy(router="table"))[2]


@pytest.mark.parametrize(
    ("name", "router"),
    [*((name, "table") for name in POLICIES), ("parity", "stack"), ("without a model", "stack")],
)
def test_what_if_is_what_a_build_gives(name, router, store):
    """To the last bit, from the study that another policy left behind."""
    policy = replace(POLICIES[name], router=router)
    row, entries, own = built(store, policy)
    plain = replace(Policy(router=router), rules=policy.rules)
    other = built(store, plain)[2]
    kept = tuple(model for model in other.eligible if model not in policy.deny)
    for study in (own, other):
        settled = settle(study.columns(kept), policy)
        assert settled.terms.quality_value_usd == row["quality_value_usd"]
        assert settled.held_out == row["held_out"]
        found = settled.entries.select(entries.columns).cast(dict(entries.schema))
        assert found.sort("bucket", "rank").equals(entries)


def test_tables_of_one_fit_share_a_study(store):
    """Another price for quality learns nothing new."""
    first, _, _ = built(store, Policy(router="table"))
    second, _, _ = built(store, Policy(router="table", quality_value_usd=0.3))
    third, _, _ = built(store, Policy(router="table", reference_model_id="small"))
    assert first["study_id"] == second["study_id"] != third["study_id"]


def test_the_curve_falls_from_quality_to_cost(study):
    """Its ends are the best by quality alone and the cheapest model."""
    policy = Policy(quality_value_usd=0.05, loss_ratio=1.0)
    points = curve(study, settle(study, policy), policy)
    assert points["quality_value_usd"].is_sorted(descending=True)
    assert points["cost_usd"].is_sorted(descending=True)
    assert points["cost_usd"][-1] == pytest.approx(0.001)
    assert points["quality"][0] == points["quality"].max()


def test_a_large_study_is_a_sample(study):
    """Of many prompts evenly spread ones are kept, and the cells stay those of all."""
    n = len(study.prompt_ids)
    many = study.rows(np.tile(np.arange(n), MOST_KEPT // n + 2))
    kept = read_study(study_bytes(many))
    assert len(kept.prompt_ids) == len(kept.outcomes.quality) == MOST_KEPT
    assert kept.cells.quality.tolist() == study.cells.quality.tolist()


def test_what_cannot_be_kept_is_an_error_on_the_page_too(study):
    """The nearest value is named, and an unknown domain is."""
    with pytest.raises(InfeasibleError, match="--min-quality"):
        settle(study, Policy(min_quality=0.999))
    with pytest.raises(UsageError, match="no domain 'poetry'"):
        settle(study, Policy(domain_loss_ratios=(("poetry", 2.0),)))


def test_a_policy_is_the_same_on_the_command_line():
    """Options written for a policy are read as that policy, whatever it asks."""
    read = []

    @click.command()
    @policy_options
    def command(policy):
        read.append(policy)

    everything = Policy(
        quality_value_usd=0.1 + 0.2,
        keep_quality=0.97,
        model_ids=("a", "b", "c"),
        deny=("c",),
        required_features=("json", "tools"),
        min_context_tokens=8000,
        reference_model_id="a",
        router="table",
        loss_ratio=2.5,
        domain_loss_ratios=(("code", 5.0),),
        min_quality=0.1,
        max_latency_s=2.0,
        rules=("sensitivity=medical: certified=medical",),
        max_share=(("b", 1 / 3),),
        fallback=("a", "b"),
        locks=(("law", "a"),),
        max_loss=0.02,
        alpha=0.1,
    )
    for policy in (Policy(), Policy(quality_value_usd=np.inf), everything):
        command.main(as_arguments(policy), standalone_mode=False)
        assert read[-1] == policy


def test_prices_of_a_day_are_asked_for_again():
    """A table at list prices is built again at those of the same day."""
    assert as_arguments(Policy(priced_on="2026-12-01")) == ["--reprice", "--on", "2026-12-01"]


def test_a_policy_is_read_as_it_was_saved():
    """Lists of JSON are tuples again, also inside."""
    assert read_policy('{"max_share": [["b", 0.5]], "deny": ["c"]}') == Policy(
        max_share=(("b", 0.5),), deny=("c",)
    )
