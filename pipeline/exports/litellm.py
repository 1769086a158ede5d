"""LiteLLM 1.104: a config.yaml by labels, the semantic auto-router, and a classifier plugin."""

import json
from pathlib import Path

from pipeline.exports.label_map import Contents, LabelMap, as_yaml, require_assigner
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED

PLUGIN_FILE = Path(__file__).with_name("litellm_plugin.py")
_FEWEST_TIERS, _MOST_TIERS, _LONGEST_TIER = 2, 8, 64
_EMBEDDING_GROUP = "promptshed-encoder"
_ROUTER = "promptshed"


def as_labels(table: LabelMap) -> Contents:
    """Return a config.yaml with a model group for each model and for each domain."""
    groups = [(domain_id, chain[0]) for domain_id, chain in table.chains.items()]
    config = {
        "model_list": [*_models(table), *(_group(name, model) for name, model in groups)],
        "router_settings": _settings(table),
    }
    how = "Call the model group named like the prompt's domain."
    return {"config.yaml": as_yaml(config, table, how)}


def as_semantic(table: LabelMap) -> Contents:
    """Return a config.yaml whose group `promptshed` compares prompts with each domain's examples.

    The least similarity is a cosine by our encoder; the config asks for the same one as the group
    `promptshed-encoder`.
    """
    require_assigner(table)
    routes = [
        {
            "name": domain_id,
            "description": table.names[domain_id],
            "utterances": list(table.exemplars[domain_id]),
            "score_threshold": round(table.thresholds[domain_id], 4),
        }
        for domain_id in table.chains
        if domain_id != UNASSIGNED
    ]
    params = {
        "model": f"auto_router/{_ROUTER}",
        "auto_router_config": json.dumps({"routes": routes}, ensure_ascii=False),
        "auto_router_default_model": UNASSIGNED,
        "auto_router_embedding_model": _EMBEDDING_GROUP,
    }
    groups = [_group(domain_id, chain[0]) for domain_id, chain in table.chains.items()]
    encoder = _group(_EMBEDDING_GROUP, f"openai/{table.encoder_name}")
    router = {"model_name": _ROUTER, "litellm_params": params}
    config = {
        "model_list": [*_models(table), *groups, encoder, router],
        "router_settings": _settings(table),
    }
    how = "Call the model group promptshed; it needs litellm[semantic-router]."
    return {"config.yaml": as_yaml(config, table, how)}


def as_plugin(table: LabelMap) -> Contents:
    """Return a config.yaml and a classifier plugin that decides as the artefact beside it says.

    Raises
    ------
    UsageError
        If there are not 2 to 8 models, since each is a tier, or a name is too long for one.
    """
    require_assigner(table)
    models = sorted({*table.models, *table.last_resort})
    if not _FEWEST_TIERS <= len(models) <= _MOST_TIERS or max(map(len, models)) > _LONGEST_TIER:
        raise UsageError(
            f"LiteLLM takes {_FEWEST_TIERS} to {_MOST_TIERS} tiers with names of at most "
            f"{_LONGEST_TIER} characters, one for each model; this table has {len(models)}. Build "
            "one with other --models, or export to litellm."
        )
    safe = table.chains[UNASSIGNED]
    tiers = {
        "classifier_type": "custom",
        "classifier_plugin": f"{PLUGIN_FILE.stem}.plugin",
        "tier_definitions": [
            {"name": model, "description": "best value by the routing table"} for model in models
        ],
        "tiers": {model: [model] for model in models},
        "fallback_tier": safe[0],
        "session_affinity": False,
    }
    params = {
        "model": "auto_router/complexity_router",
        "complexity_router_default_model": safe[0],
        "complexity_router_config": tiers,
    }
    others = {model: _instead_of(model, table) for model in models}
    config = {
        "model_list": [
            *(_group(model, model) for model in models),
            {"model_name": _ROUTER, "litellm_params": params},
        ],
        "router_settings": {
            "fallbacks": [{model: rest} for model, rest in others.items() if rest],
            **_default(table),
        },
    }
    how = "Call the model group promptshed; keep the other files beside this one."
    return {
        "config.yaml": as_yaml(config, table, how),
        PLUGIN_FILE.name: PLUGIN_FILE.read_text(encoding="utf-8"),
    }


def _group(name: str, model: str) -> dict[str, object]:
    return {"model_name": name, "litellm_params": {"model": model}}


def _models(table: LabelMap) -> list[dict[str, object]]:
    return [_group(model, model) for model in table.models]


def _settings(table: LabelMap) -> dict[str, object]:
    return {
        "fallbacks": [
            {domain_id: list(chain[1:])}
            for domain_id, chain in table.chains.items()
            if len(chain) > 1
        ],
        **_default(table),
    }


def _instead_of(model: str, table: LabelMap) -> list[str]:
    """Return who may answer for a model: who keeps the limits wherever it does."""
    chains = [chain for chain in table.chains.values() if model in chain]
    safe = table.chains[UNASSIGNED]
    return [other for other in safe if other != model and all(other in chain for chain in chains)]


def _default(table: LabelMap) -> dict[str, object]:
    """Return the safe choice as everyone's fallback, unless it is beyond a limit somewhere."""
    safe = table.chains[UNASSIGNED][0]
    is_everywhere = all(safe in chain for chain in table.chains.values())
    return {"default_fallbacks": [safe]} if is_everywhere else {}
