"""The routing table in other services' formats.

All are label maps: who calls has found the prompt's domain (by the artefact, or by a routed file)
and names it; the service maps it to models. Formats as documented by LiteLLM 1.104 (config.yaml),
OpenRouter (`models`), Portkey's gateway 1.15 (conditional routing) and Envoy AI Gateway v1beta1.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl
import yaml

from pipeline.csv_text import csv_text, guard_cell
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED

_MOST_ENVOY_RULES = 15
_MOST_ENVOY_MATCHES = 128
_K8S_NAME = re.compile(r"[^a-z0-9]+")
_CSV_COLUMNS = (
    "domain_id",
    "name",
    "rank",
    "model_id",
    "quality",
    "advantage",
    "advantage_lo",
    "advantage_hi",
    "cost_usd",
    "n",
    "reason",
)


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """What every projection is made of."""

    table_version: int
    chains: Mapping[str, tuple[str, ...]]
    """For each domain id, and `unassigned`: models, the chosen one first, then fallbacks."""
    entries: pl.DataFrame
    """TABLE_ENTRIES rows joined with `domain_id` and `name`, by bucket and rank."""


@dataclass(frozen=True, kw_only=True)
class Projection:
    """One format."""

    file_name: str
    write: Callable[[LabelMap], str]
    """To the text of the file."""
    loses: str
    """What the format cannot say, in a sentence."""


def label_map(buckets: pl.DataFrame, entries: pl.DataFrame, *, table_version: int) -> LabelMap:
    """Return what projections need of one table version's BUCKETS and TABLE_ENTRIES rows."""
    named = entries.sort("bucket", "rank").join(
        buckets.select("bucket", "domain_id", "name"), on="bucket", maintain_order="left"
    )
    chains = named.group_by("domain_id", maintain_order=True).agg("model_id").iter_rows()
    return LabelMap(
        table_version=table_version,
        chains={domain_id: tuple(models) for domain_id, models in chains},
        entries=named,
    )


def as_csv(table: LabelMap) -> str:
    """Return every model of every bucket by rank; cells that look like formulas are guarded."""
    rows = table.entries.select(_CSV_COLUMNS).iter_rows()
    return csv_text([_CSV_COLUMNS, *([_cell(value) for value in row] for row in rows)])


def _cell(value: object) -> object:
    return guard_cell(value) if isinstance(value, str) else value


def as_litellm(table: LabelMap) -> str:
    """Return a config.yaml with a model group for each model and for each domain."""
    models = sorted({model for chain in table.chains.values() for model in chain})
    groups = [(model, model) for model in models]
    groups += [(domain_id, chain[0]) for domain_id, chain in table.chains.items()]
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": model}} for name, model in groups
        ],
        "router_settings": {
            "fallbacks": [
                {domain_id: list(chain[1:])}
                for domain_id, chain in table.chains.items()
                if len(chain) > 1
            ],
            "default_fallbacks": [table.chains[UNASSIGNED][0]],
        },
    }
    return _yaml(config, table, "Call the model group named like the prompt's domain.")


def as_openrouter(table: LabelMap) -> str:
    """Return, for each domain, the `models` array of a request body."""
    bodies = {domain_id: {"models": list(chain)} for domain_id, chain in table.chains.items()}
    return json.dumps(bodies, ensure_ascii=False, indent=2) + "\n"


def as_portkey(table: LabelMap) -> str:
    """Return a conditional config that reads the domain from the request's metadata."""
    config = {
        "strategy": {
            "mode": "conditional",
            "conditions": [
                {"query": {"metadata.domain": {"$eq": domain_id}}, "then": domain_id}
                for domain_id in table.chains
                if domain_id != UNASSIGNED
            ],
            "default": UNASSIGNED,
        },
        "targets": [
            {
                "name": domain_id,
                "strategy": {"mode": "fallback"},
                "targets": [{"override_params": {"model": model}} for model in chain],
            }
            for domain_id, chain in table.chains.items()
        ],
    }
    return json.dumps(config, ensure_ascii=False, indent=2) + "\n"


def as_envoy(table: LabelMap) -> str:
    """Return an AIGatewayRoute that maps the domain, sent as the model's name, to its model.

    Raises
    ------
    UsageError
        If more rules are needed than one route may have.
    """
    by_chain: dict[tuple[str, ...], list[str]] = {}
    for domain_id, chain in table.chains.items():
        by_chain.setdefault(chain, []).append(domain_id)
    rules = [
        _envoy_rule(domain_ids[start : start + _MOST_ENVOY_MATCHES], chain)
        for chain, domain_ids in by_chain.items()
        for start in range(0, len(domain_ids), _MOST_ENVOY_MATCHES)
    ]
    if len(rules) > _MOST_ENVOY_RULES:
        raise UsageError(
            f"An AIGatewayRoute may have {_MOST_ENVOY_RULES} rules, this table needs {len(rules)}. "
            "Build one with fewer --models, or export to litellm or portkey."
        )
    route = {
        "apiVersion": "aigateway.envoyproxy.io/v1beta1",
        "kind": "AIGatewayRoute",
        "metadata": {"name": f"promptshed-table-{table.table_version}"},
        "spec": {"rules": rules},
    }
    return _yaml(route, table, "Send the prompt's domain as the model's name.")


def _envoy_rule(domain_ids: list[str], chain: tuple[str, ...]) -> dict[str, object]:
    return {
        "matches": [
            {"headers": [{"type": "Exact", "name": "x-ai-eg-model", "value": domain_id}]}
            for domain_id in domain_ids
        ],
        "backendRefs": [
            {
                "name": _K8S_NAME.sub("-", model.lower()).strip("-"),
                "modelNameOverride": model,
                "priority": priority,
            }
            for priority, model in enumerate(chain)
        ],
    }


def _yaml(value: object, table: LabelMap, how: str) -> str:
    head = f"# Promptshed routing table {table.table_version}. {how}\n"
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


_LABELS_ONLY = (
    "expected quality and cost, any refinement prompt by prompt, and how a domain is found: the "
    "caller sends its id."
)

PROJECTIONS: Mapping[str, Projection] = {
    "csv": Projection(
        file_name="routing_table.csv",
        write=as_csv,
        loses="how a prompt's domain is found, and any refinement prompt by prompt.",
    ),
    "litellm": Projection(
        file_name="config.yaml",
        write=as_litellm,
        loses=f"{_LABELS_ONLY} Add each model's api_key.",
    ),
    "openrouter": Projection(
        file_name="models_by_domain.json",
        write=as_openrouter,
        loses=_LABELS_ONLY,
    ),
    "portkey": Projection(
        file_name="portkey_config.json",
        write=as_portkey,
        loses=f"{_LABELS_ONLY} Add each target's provider and key.",
    ),
    "envoy": Projection(
        file_name="ai_gateway_route.yaml",
        write=as_envoy,
        loses=f"{_LABELS_ONLY} Add parentRefs and the backends.",
    ),
}
"""By the name that `promptshed export --to` takes."""
