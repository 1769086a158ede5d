import csv
import io
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline.assign import Assigner
from pipeline.exports.label_map import label_map
from pipeline.exports.registry import PROJECTIONS
from pipeline.ranking import BEYOND
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED
from profiles.tables import BUCKETS, TABLE_ENTRIES

NAMES = ["maths", "=cmd()", UNASSIGNED]
IDS = ["dom-1", "dom-2", UNASSIGNED]
CHAINS = [["small", "large"], ["large", "small"], ["large", "small"]]


ASSIGNER = Assigner(
    weights=np.eye(2, dtype=np.float32),
    intercepts=np.zeros(2, dtype=np.float32),
    temperature=1.0,
    prototypes=np.eye(2, dtype=np.float32),
    radii=np.zeros(2, dtype=np.float32),
)


def table(ids=IDS, names=NAMES, chains=CHAINS, beyond=None):
    named = enumerate(zip(ids, names, strict=True))
    buckets = [{"bucket": i, "domain_id": domain_id, "name": n} for i, (domain_id, n) in named]
    entries = [
        dict.fromkeys(TABLE_ENTRIES.schema)
        | {"bucket": i, "rank": rank, "model_id": model, "quality": 0.5, "n": 3.0}
        | {"reason": BEYOND if model == beyond else "why"}
        for i, chain in enumerate(chains)
        for rank, model in reversed([*enumerate(chain, 1)])
    ]
    return label_map(
        pl.DataFrame(buckets, schema_overrides=BUCKETS.schema),
        pl.DataFrame(
            [dict.fromkeys(TABLE_ENTRIES.schema) | e for e in entries], TABLE_ENTRIES.schema
        ),
        table_version=7,
    )


def written(name, **parts):
    (content,) = PROJECTIONS[name].write(table(**parts)).values()
    return content


def test_chains_are_in_the_order_of_rank():
    """The chosen model first, for every bucket, in any order of rows."""
    assert table().chains == dict(zip(IDS, map(tuple, CHAINS), strict=True))


@pytest.mark.parametrize("name", sorted(PROJECTIONS))
def test_a_model_beyond_a_limit_is_in_no_export(name):
    """The table ranks it for the eye; whoever follows an export must not be sent to it."""
    chains = [[*chain, "forbidden"] for chain in CHAINS]
    limited = replace(
        table(chains=chains, beyond="forbidden"),
        assigner=ASSIGNER,
        exemplars=dict.fromkeys(IDS[:2], ("a prompt",)),
        thresholds=dict.fromkeys(IDS[:2], 0.5),
    )
    contents = PROJECTIONS[name].write(limited)
    written = [c if isinstance(c, bytes) else c.encode() for c in contents.values()]
    assert any(b"large" in content for content in written)
    assert not any(b"forbidden" in content for content in written)


def test_the_plugin_has_a_tier_for_who_answers_when_no_model_keeps_the_limits():
    """In a mixture of domains that can be a model that no domain sends a prompt to."""
    limited = replace(table(), last_resort=("safe",), assigner=ASSIGNER)
    config = yaml.safe_load(PROJECTIONS["litellm-plugin"].write(limited)["config.yaml"])
    names = [group["model_name"] for group in config["model_list"]]
    assert names == ["large", "safe", "small", "promptshed"]


def test_csv_has_every_model_and_runs_no_formula():
    """One row for each bucket and rank; unknown stays empty; a name may look like a formula."""
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [(row["domain_id"], row["rank"], row["model_id"]) for row in rows[:2]] == [
        ("dom-1", "1", "small"),
        ("dom-1", "2", "large"),
    ]
    assert rows[2]["name"] == "'=cmd()"
    assert {row["cost_usd"] for row in rows} == {""}


def test_litellm_has_a_group_for_each_domain_with_its_fallbacks():
    """A domain's group is its first model; the others follow in order."""
    config = yaml.safe_load(written("litellm"))
    groups = {g["model_name"]: g["litellm_params"]["model"] for g in config["model_list"]}
    assert groups == {
        "large": "large",
        "small": "small",
        "dom-1": "small",
        "dom-2": "large",
        UNASSIGNED: "large",
    }
    assert {"dom-1": ["large"]} in config["router_settings"]["fallbacks"]
    assert config["router_settings"]["default_fallbacks"] == ["large"]


def test_openrouter_bodies_are_the_chains():
    """The order of `models` is the order of trying."""
    assert json.loads(written("openrouter"))["dom-1"] == {"models": ["small", "large"]}


def test_portkey_sends_an_unknown_domain_to_the_unassigned_chain():
    """Every condition names a target that exists, and so does the default."""
    config = json.loads(written("portkey"))
    targets = {target["name"] for target in config["targets"]}
    assert {c["then"] for c in config["strategy"]["conditions"]} == {"dom-1", "dom-2"}
    assert config["strategy"]["default"] == UNASSIGNED
    assert targets == set(IDS)


def test_envoy_joins_domains_of_one_chain_in_a_rule():
    """Three domains with two chains are two rules; the fallback has the lower priority."""
    route = yaml.safe_load(written("envoy"))
    rules = route["spec"]["rules"]
    assert route["metadata"]["name"] == "promptshed-table-7"
    assert [len(rule["matches"]) for rule in rules] == [1, 2]
    assert [(b["modelNameOverride"], b["priority"]) for b in rules[0]["backendRefs"]] == [
        ("small", 0),
        ("large", 1),
    ]


def test_envoy_refuses_more_rules_than_a_route_may_have():
    """Sixteen domains with sixteen chains do not fit; the error says what does."""
    ids = [f"dom-{i}" for i in range(16)]
    with pytest.raises(UsageError, match=r"may have 15 rules, this table needs 16.*litellm"):
        written("envoy", ids=ids, names=ids, chains=[[f"m{i}"] for i in range(16)])


LABELS = ["csv", "yaml", "litellm", "openrouter", "portkey", "envoy"]


@pytest.mark.parametrize("name", LABELS)
def test_one_model_and_no_domain_is_a_table_too(name):
    """The least table has the unassigned bucket and one model."""
    assert "only" in written(name, ids=[UNASSIGNED], names=[UNASSIGNED], chains=[["only"]])


def test_parquet_and_yaml_hold_what_csv_does():
    """With types, and unknown as null."""
    frame = pl.read_parquet(io.BytesIO(written("parquet")))
    assert frame.select("domain_id", "rank", "model_id").rows()[:2] == [
        ("dom-1", 1, "small"),
        ("dom-1", 2, "large"),
    ]
    first = yaml.safe_load(written("yaml"))["domains"][0]
    assert (first["domain_id"], first["name"]) == ("dom-1", "maths")
    assert first["models"][0] == {"model": "small", "quality": 0.5, "cost_usd": None}
