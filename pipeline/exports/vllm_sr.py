"""vLLM Semantic Router (schema v0.3 as in vllm-sr 0.4.0): its YAML, and its k-means JSON."""

import json

import numpy as np
from numpy.typing import NDArray

from pipeline.assign import Assigner
from pipeline.exports.label_map import Contents, LabelMap, as_yaml, require_assigner
from profiles.profile import UNASSIGNED

N_CATEGORIES = 14
"""The router appends a one-hot vector of this many categories to the embedding."""
_LEARNED, _BY_EXAMPLE = 10, 200


def as_vllm_sr(table: LabelMap) -> Contents:
    """Return the router's config and the k-means file it names."""
    assigner = require_assigner(table)
    domains = [domain_id for domain_id in table.chains if domain_id != UNASSIGNED]
    firsts = [table.chains[domain_id][0] for domain_id in domains]
    kmeans = {
        "algorithm": "kmeans",
        "trained": True,
        "num_clusters": len(domains),
        "centroids": centroids(assigner).tolist(),
        "cluster_models": firsts,
    }
    how = (
        "Made for vllm-sr 0.4.0. Put the addresses and keys of the models in, and the path of "
        f"kmeans_model.json; the router's encoder must be {table.encoder_name}."
    )
    config = as_yaml(_config(table, assigner, domains), table, how)
    return {"config.yaml": config, "kmeans_model.json": json.dumps(kmeans) + "\n"}


def centroids(assigner: Assigner) -> NDArray[np.float64]:
    r"""Return centroids whose nearest one, in Euclidean distance, is the likeliest domain.

    The likeliest domain has the largest :math:`w_k \cdot x + b_k`. With the centroid
    :math:`(w_k, t_k, …, t_k)` the squared distance to :math:`(x, e)`, `e` any one-hot vector, is
    :math:`\|x\|^2 + 1 - 2 w_k x + \|w_k\|^2 + 14 t_k^2 - 2 t_k`, so that :math:`t_k` is chosen to
    make the last three terms :math:`C - 2 b_k` with the same `C` for all domains.

    Returns
    -------
    NDArray
        Shape (n_domains, n_dims + 14).
    """
    weights = assigner.weights.astype(np.float64)
    owed = (weights**2).sum(axis=1) + 2.0 * assigner.intercepts.astype(np.float64)
    total = owed.max()
    added = (1.0 + np.sqrt(1.0 + N_CATEGORIES * (total - owed))) / N_CATEGORIES
    return np.column_stack([weights, np.tile(added[:, None], N_CATEGORIES)])


def _config(table: LabelMap, assigner: Assigner, domains: list[str]) -> dict[str, object]:
    kmeans = {"num_clusters": len(domains), "pretrained_path": "/models/kmeans_model.json"}
    learned = {
        "name": "by_kmeans",
        "priority": _LEARNED,
        "rules": {"operator": "AND", "conditions": []},
        "modelRefs": [{"model": model} for model in table.models],
        "algorithm": {"type": "kmeans"},
    }
    routing: dict[str, object] = {
        "strategy": "priority",
        "modelCards": [{"name": model} for model in table.models],
        "decisions": [learned],
    }
    if table.exemplars:
        routing["signals"] = {"embeddings": _signals(table, domains)}
        routing["decisions"] = [*(_decision(table, domain_id) for domain_id in domains), learned]
    ml = {"embedding_dim": assigner.weights.shape[1], "kmeans": kmeans}
    return {
        "version": "v0.3",
        "listeners": [
            {"name": "http-8899", "address": "127.0.0.1", "port": 8899, "timeout": "300s"}
        ],
        "providers": {
            "defaults": {"model": table.chains[UNASSIGNED][0]},
            "models": [_provider(model) for model in table.models],
        },
        "routing": routing,
        "global": {"router": {"model_selection": {"enabled": True, "ml": ml}}},
    }


def _provider(model: str) -> dict[str, object]:
    backend = {
        "name": f"{model}-1",
        "base_url": "http://localhost:8000/v1",
        "provider": "openai",
        "api_key_env": "OPENAI_API_KEY",
        "weight": 1,
    }
    return {
        "name": model,
        "provider_model_id": model,
        "api_format": "openai",
        "backend_refs": [backend],
    }


def _signals(table: LabelMap, domains: list[str]) -> list[dict[str, object]]:
    return [
        {
            "name": domain_id,
            "threshold": round(table.thresholds[domain_id], 4),
            "aggregation_method": "max",
            "candidates": list(table.exemplars[domain_id]),
        }
        for domain_id in domains
    ]


def _decision(table: LabelMap, domain_id: str) -> dict[str, object]:
    condition = {"type": "embedding", "name": domain_id}
    return {
        "name": f"route_{domain_id}",
        "priority": _BY_EXAMPLE,
        "rules": {"operator": "AND", "conditions": [condition]},
        "modelRefs": [{"model": table.chains[domain_id][0], "use_reasoning": False}],
    }
