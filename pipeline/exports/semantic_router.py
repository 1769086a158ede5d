"""aurelio's semantic-router, YAML of version 1.x: one route for each domain, by its examples."""

from pipeline.exports.label_map import Contents, LabelMap, as_yaml, require_assigner
from profiles.profile import UNASSIGNED


def as_semantic_router(table: LabelMap) -> Contents:
    """Return a routes file; what a route is to be answered by stands in its metadata."""
    require_assigner(table)
    routes = [
        {
            "name": domain_id,
            "description": table.names[domain_id],
            "utterances": list(table.exemplars[domain_id]),
            "confidence_threshold": round(table.thresholds[domain_id], 4),
            "metadata": _metadata(table.chains[domain_id]),
        }
        for domain_id in table.chains
        if domain_id != UNASSIGNED
    ]
    name = table.encoder_name
    config = {
        "router_type": "indexed",
        "encoder": {
            "type": "huggingface",
            "name": name if "/" in name else f"sentence-transformers/{name}",
        },
        "index": {"type": "local"},
        "top_k": 5,
        "aggregation": "max",
        "routes": routes,
    }
    safe = ", ".join(table.chains[UNASSIGNED])
    how = f"Made for semantic-router 1.1. A prompt of no route goes to: {safe}."
    return {"routes.yaml": as_yaml(config, table, how)}


def _metadata(chain: tuple[str, ...]) -> dict[str, object]:
    return {"model": chain[0], "fallbacks": list(chain[1:])}
