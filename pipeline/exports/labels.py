"""Plain tables, and label maps: who calls names the prompt's domain, the service its models.

Formats as documented by OpenRouter (`models`), Portkey's gateway 1.15 (conditional routing) and
Envoy AI Gateway v1beta1.
"""

import io
import json
import re

from pipeline.csv_text import csv_text, guard_cell
from pipeline.exports.label_map import LabelMap, as_yaml
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED

_MOST_ENVOY_RULES = 15
_MOST_ENVOY_MATCHES = 128
_K8S_NAME = re.compile(r"[^a-z0-9]+")
_COLUMNS = (
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


def as_csv(table: LabelMap) -> str:
    """Return every model of every bucket by rank; cells that look like formulas are guarded."""
    rows = table.entries.select(_COLUMNS).iter_rows()
    return csv_text([_COLUMNS, *([_cell(value) for value in row] for row in rows)])


def _cell(value: object) -> object:
    return guard_cell(value) if isinstance(value, str) else value


def as_parquet(table: LabelMap) -> bytes:
    """Return every model of every bucket by rank, with its types."""
    stream = io.BytesIO()
    table.entries.select(_COLUMNS).write_parquet(stream)
    return stream.getvalue()


def as_plain_yaml(table: LabelMap) -> str:
    """Return, for each domain, its name and its models by rank with quality and cost."""
    domains = [
        {
            "domain_id": domain_id,
            "name": table.names[domain_id],
            "models": [
                {"model": row["model_id"], "quality": row["quality"], "cost_usd": row["cost_usd"]}
                for row in table.entries.iter_rows(named=True)
                if row["domain_id"] == domain_id
            ],
        }
        for domain_id in table.chains
    ]
    told = {"table_version": table.table_version, "domains": domains}
    return as_yaml(told, table, "Models are in the order of trying; null is unknown.")


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
    return as_yaml(route, table, "Send the prompt's domain as the model's name.")


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
