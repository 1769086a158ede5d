"""Whatever a service does with an export, it sends no prompt beyond a limit of the policy."""

import json

import polars as pl
import pytest
import yaml

from pipeline.config import Policy
from pipeline.exports.registry import PROJECTIONS
from pipeline.flows.tables import build_table, publish_table
from profiles.profile import UNASSIGNED
from profiles.tables import BUCKETS, OUTCOMES, TABLE_ENTRIES
from tests.support import (
    MODELS,
    HashEncoder,
    id_of,
    run_command,
    story,
    story_store,
    use_fake_encoder,
)

LIMITS = {
    "deny": Policy(router="table", deny=("medium",)),
    "quality": Policy(router="table", min_quality=0.7),
    "latency": Policy(router="table", max_latency_s=3.0, fallback=("large",)),
}
"""The last: all but `medium` are too slow at law; elsewhere, and for strangers, `large` is not."""


def slow_at_law(store):
    law = [id_of(prompt) for prompt in story(20) if prompt.topic == "law"]
    is_slow = pl.col("prompt_id").is_in(law) & (pl.col("model_id") != "medium")
    outcomes = store.read(OUTCOMES)
    store.upsert(
        (OUTCOMES, outcomes.with_columns(latency_s=pl.when(is_slow).then(5.0).otherwise(1.0)))
    )


@pytest.fixture(scope="module", params=LIMITS)
def limited(request, tmp_path_factory):
    """Return a store with a published table, and the models allowed in each of its domains."""
    store = story_store(tmp_path_factory.mktemp("limited"), n_per_topic=20, publish=False)
    slow_at_law(store)
    version = build_table(store, HashEncoder(), LIMITS[request.param])
    publish_table(store, version)
    domain_of = dict(store.read(BUCKETS).select("bucket", "domain_id").iter_rows())
    allowed = {domain_id: set() for domain_id in domain_of.values()}
    for entry in store.read(TABLE_ENTRIES).iter_rows(named=True):
        if keeps(LIMITS[request.param], entry):
            allowed[domain_of[entry["bucket"]]].add(entry["model_id"])
    assert any(set(MODELS) - models for models in allowed.values())
    return store, allowed


def keeps(policy, entry):
    return (
        entry["model_id"] not in policy.deny
        and entry["quality"] >= (policy.min_quality or 0.0)
        and entry["latency_s"] <= (policy.max_latency_s or 9.0)
    )


@pytest.mark.parametrize("form", [*PROJECTIONS, "artefact"])
def test_no_export_sends_a_prompt_beyond_a_limit(limited, tmp_path, capsys, monkeypatch, form):
    """A forbidden, poor or slow model is neither first nor a fallback, nor a default."""
    store, allowed = limited
    use_fake_encoder(monkeypatch)
    needs_prompts = form in PROJECTIONS and PROJECTIONS[form].exemplars
    options = ("--exemplars", "full") if needs_prompts else ()
    export = ("export", "--store", store.path, "--to", form, "-o", tmp_path / "out")
    assert run_command(capsys, *export, *options)[0] == 0
    named = NAMED[form](tmp_path / "out")
    assert named
    assert set(named) <= set(allowed)
    for domain_id, models in named.items():
        assert models, domain_id
        assert models <= allowed[domain_id], domain_id


def of_rows(rows):
    found = {}
    for row in rows:
        found.setdefault(row["domain_id"], set()).add(row["model_id"])
    return found


def of_yaml(folder, name):
    return yaml.safe_load((folder / name).read_text(encoding="utf-8"))


def of_plain_yaml(folder):
    told = of_yaml(folder, "routing_table.yaml")["domains"]
    return {each["domain_id"]: {m["model"] for m in each["models"]} for each in told}


def of_openrouter(folder):
    told = json.loads((folder / "models_by_domain.json").read_text(encoding="utf-8"))
    return {domain_id: set(body["models"]) for domain_id, body in told.items()}


def of_portkey(folder):
    told = json.loads((folder / "portkey_config.json").read_text(encoding="utf-8"))
    return {
        each["name"]: {target["override_params"]["model"] for target in each["targets"]}
        for each in told["targets"]
    }


def of_envoy(folder):
    rules = of_yaml(folder, "ai_gateway_route.yaml")["spec"]["rules"]
    return {
        match["headers"][0]["value"]: {ref["modelNameOverride"] for ref in rule["backendRefs"]}
        for rule in rules
        for match in rule["matches"]
    }


def after_failures(config, group):
    """Return whom LiteLLM may ask after a group: its fallbacks, or the default ones."""
    settings = config["router_settings"]
    listed = [chain for each in settings["fallbacks"] for g, chain in each.items() if g == group]
    return set(listed[0] if listed else settings.get("default_fallbacks", []))


def of_litellm(folder):
    config = of_yaml(folder, "config.yaml")
    groups = {g["model_name"]: g["litellm_params"]["model"] for g in config["model_list"]}
    domains = [g for g in groups if g == UNASSIGNED or g.startswith("dom-")]
    reached = {domain_id: {domain_id} | after_failures(config, domain_id) for domain_id in domains}
    return {domain_id: {groups[g] for g in found} for domain_id, found in reached.items()}


def of_conformance(folder):
    """Return what is chosen for prompts that are surely of one domain, and what comes next."""
    lines = (folder / "conformance.jsonl").read_text(encoding="utf-8").splitlines()
    sure = [r for r in map(json.loads, lines) if r["confidence"] > 0.95]
    pairs = [(r["domain_id"], r[kind]) for r in sure for kind in ("model", "fallback")]
    return of_rows({"domain_id": d, "model_id": m} for d, m in pairs)


def of_plugin(folder):
    config = of_yaml(folder, "config.yaml")
    chosen = of_conformance(folder)
    return {
        domain_id: models.union(*(after_failures(config, model) for model in models))
        for domain_id, models in chosen.items()
    }


def of_vllm_sr(folder):
    config = of_yaml(folder, "config.yaml")
    *by_example, learned = config["routing"]["decisions"]
    first = json.loads((folder / "kmeans_model.json").read_text())["cluster_models"]
    assert {ref["model"] for ref in learned["modelRefs"]} >= set(first)
    found = {
        rule["rules"]["conditions"][0]["name"]: {ref["model"] for ref in rule["modelRefs"]}
        for rule in by_example
    }
    for domain_id, model in zip(list(found), first, strict=True):
        found[domain_id].add(model)
    return found | {UNASSIGNED: {config["providers"]["defaults"]["model"]}}


def of_semantic_router(folder):
    routes = of_yaml(folder, "routes.yaml")["routes"]
    return {r["name"]: {r["metadata"]["model"], *r["metadata"]["fallbacks"]} for r in routes}


NAMED = {
    "csv": lambda folder: of_rows(pl.read_csv(folder / "routing_table.csv").to_dicts()),
    "parquet": lambda folder: of_rows(pl.read_parquet(folder / "routing_table.parquet").to_dicts()),
    "yaml": of_plain_yaml,
    "openrouter": of_openrouter,
    "portkey": of_portkey,
    "envoy": of_envoy,
    "litellm": of_litellm,
    "litellm-semantic": of_litellm,
    "litellm-plugin": of_plugin,
    "vllm-sr": of_vllm_sr,
    "semantic-router": of_semantic_router,
    "artefact": of_conformance,
}
"""For each format, by domain id, the models that a prompt of the domain can reach."""
