"""The routing table as files that any language can read: JSON, safetensors and checked examples."""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import save

from pipeline.assign import assign
from pipeline.atomic import replaced_file
from pipeline.axes.rules import rules_json
from pipeline.embed import Encoder
from pipeline.route import TIE
from pipeline.table import RoutingModel, decide
from profiles.profile import UNASSIGNED

SCHEMA_FILE = Path(__file__).parent.parent / "profiles" / "schemas" / "routing_table.schema.json"
SAMPLE_TEXTS = (
    "Write a Python function that merges two sorted lists.",
    "A train leaves at 9:40 and arrives at 13:05. How long does the journey take?",
    "Translate into French: the meeting is moved to Thursday.",
    "Summarise the causes of the French Revolution in three sentences.",
    "Which gas makes up most of the air we breathe?",
    "Draft a friendly reply that declines an invitation to speak.",
)
_N_RANDOM = 40
_SAFE_DISTANCE = 1e-5
"""Examples nearer than this to a threshold are left out: rounding could turn them."""
_HOW = (
    "x is the unit vector of the prompt by `encoder`; p = softmax((weights x + intercepts) / "
    "temperature); d = argmax p. If prototypes[d] . x < radii[d], the membership w is 1 for the "
    "last bucket and 0 elsewhere; otherwise w is p, and 0 for the last bucket. "
    "q = w quality, c = w cost_usd, t = w latency_s; caution = (w . z) (w advantage_sd), 0 for the "
    "reference model; u = q - caution - surcharge - c / quality_value_usd (without the last term "
    "where that is null). A model is a candidate if u is known, q >= limits.min_quality and "
    "t <= limits.max_latency_s (a null limit asks for nothing, an unknown t keeps none). Where "
    "there is no candidate, or limits.fallback is not empty and w is 1 for the last bucket, the "
    "candidates are the models of limits.fallback (the reference model where that is empty), with "
    "u = 0 for the first, -1 for the second and so on. "
    "If buckets[argmax w].lock is not null, that model is chosen whatever its u, unless its q is "
    "unknown. Otherwise, among the candidates with u >= max u - tie, take the one with the least "
    "c, then the first; an unknown c (NaN) comes last, and costs that differ by less than a "
    "billionth are equal. "
    "The confidence is p[d]; the bucket shown is argmax w. The fallback is the same rule over the "
    "other candidates; the chosen model where there is none."
)


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """A published table, ready to be written."""

    meta: Mapping[str, object]
    """The row of the routing_tables table."""
    buckets: pl.DataFrame
    entries: pl.DataFrame
    model: RoutingModel


def write_artefact(artefact: Artefact, folder: Path, encoder: Encoder) -> list[Path]:
    """Write routing_table.json with its schema, prototypes.safetensors and conformance.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "routing_table.json": _json_bytes(table_json(artefact)),
        "routing_table.schema.json": SCHEMA_FILE.read_bytes(),
        "prototypes.safetensors": table_tensors(artefact.model),
        "conformance.jsonl": b"".join(
            json.dumps(row, ensure_ascii=False).encode() + b"\n"
            for row in conformance_rows(artefact.model, encoder)
        ),
    }
    for name, content in contents.items():
        with replaced_file(folder / name) as temporary:
            temporary.write_bytes(content)
    return [folder / name for name in contents]


def table_json(artefact: Artefact) -> dict[str, object]:
    """Return the contents of routing_table.json, as `routing_table.schema.json` describes them."""
    meta, model = artefact.meta, artefact.model
    name, digest, pooling, _ = (*str(meta["encoder_id"]).split(":"), "", "", "")[:4]
    terms, limits = model.terms, model.terms.limits
    value = terms.quality_value_usd
    return {
        "schema": "promptshed/routing-table",
        "schema_version": 1,
        "generator": f"promptshed {importlib.metadata.version('promptshed')}",
        "table_version": model.table_version,
        "created_at": str(meta["created_at"]),
        "published_at": str(meta["published_at"]) if meta["published_at"] else None,
        "encoder": {
            "id": meta["encoder_id"],
            "name": name,
            "weights_sha256_prefix": digest,
            "pooling": pooling,
            "n_dims": model.assigner.weights.shape[1],
            "unit_length": True,
        },
        "how_to_decide": _HOW,
        "models": list(model.model_ids),
        "reference_model": model.model_ids[terms.reference],
        "quality_value_usd": value if np.isfinite(value) else None,
        "tie": TIE,
        "limits": {
            "min_quality": limits.min_quality,
            "max_latency_s": limits.max_latency_s,
            "fallback": [model.model_ids[column] for column in limits.fallback],
        },
        "temperature": model.assigner.temperature,
        "rules": None if model.rules is None else json.loads(rules_json(model.rules)),
        "policy": json.loads(str(meta["policy"])),
        "n_prompts": meta["n_prompts"],
        "buckets": _buckets_json(artefact.buckets, artefact.entries),
    }


def conformance_rows(model: RoutingModel, encoder: Encoder) -> list[dict[str, object]]:
    """Return inputs and the choices a reader must make of them, without any logged prompt.

    The choices are those of the table alone, since a reader has nothing else.
    Vectors are the prototypes, points between them, random ones, and those of a few fixed texts.
    """
    texts: Sequence[str | None] = SAMPLE_TEXTS
    vectors = np.concatenate([encoder.encode(SAMPLE_TEXTS), _synthetic(model)])
    texts = [*texts, *[None] * (len(vectors) - len(texts))]
    receipts = decide([""] * len(vectors), vectors, replace(model, router=None))
    buckets = assign(vectors, model.assigner).buckets
    ids = (*model.domain_ids, UNASSIGNED)
    return [
        {"text": text, "vector": vector.tolist(), "domain_id": ids[bucket]}
        | {k: row[k] for k in _CHECKED}
        for text, vector, bucket, row, is_safe in zip(
            texts,
            vectors,
            buckets,
            receipts.iter_rows(named=True),
            _safe(vectors, model),
            strict=True,
        )
        if is_safe
    ]


_CHECKED = ("model", "confidence", "expected_quality", "expected_cost_usd", "fallback")


def _synthetic(model: RoutingModel) -> NDArray[np.float32]:
    generator = np.random.default_rng(0)
    prototypes = model.assigner.prototypes
    between = prototypes + np.roll(prototypes, 1, axis=0)
    noise = generator.normal(size=(_N_RANDOM, prototypes.shape[1])).astype(np.float32)
    near = prototypes[generator.integers(len(prototypes), size=_N_RANDOM)] + 0.04 * noise
    stacked = np.concatenate([prototypes, between, near, noise[:4]])
    norms = np.linalg.norm(stacked, axis=1, keepdims=True)
    return (stacked / np.maximum(norms, 1e-12)).astype(np.float32)


def _safe(vectors: NDArray[np.float32], model: RoutingModel) -> NDArray[np.bool_]:
    """Return where no threshold is so near that rounding could change the choice."""
    assignment = assign(vectors, model.assigner)
    likeliest = assignment.probabilities.argmax(axis=1)
    similarity = np.einsum("nd,nd->n", vectors, model.assigner.prototypes[likeliest])
    ordered = -np.sort(-assignment.probabilities, axis=1)
    clear = np.abs(similarity - model.assigner.radii[likeliest]) > _SAFE_DISTANCE
    if ordered.shape[1] > 1:
        clear &= ordered[:, 0] - ordered[:, 1] > _SAFE_DISTANCE
    judged = replace(model, router=None).judge([""] * len(vectors), vectors)
    utility, limits = judged.weighed.unlocked, model.terms.limits
    behind = utility.max(axis=1, keepdims=True) - utility
    clear &= (np.abs(behind - TIE) > _SAFE_DISTANCE).all(axis=1)
    if limits.min_quality is not None:
        near = np.abs(judged.estimates.quality - limits.min_quality) <= _SAFE_DISTANCE
        clear &= ~near.any(axis=1)
    if limits.max_latency_s is not None:
        latency_s = assignment.memberships @ model.latency_s
        clear &= ~(np.abs(latency_s - limits.max_latency_s) <= _SAFE_DISTANCE).any(axis=1)
    return clear


def table_tensors(model: RoutingModel) -> bytes:
    """Return the contents of prototypes.safetensors: all that deciding needs beside the JSON."""
    tensors: dict[str, NDArray] = {
        "weights": np.ascontiguousarray(model.assigner.weights),
        "intercepts": np.ascontiguousarray(model.assigner.intercepts),
        "prototypes": np.ascontiguousarray(model.assigner.prototypes),
        "radii": np.ascontiguousarray(model.assigner.radii),
        "quality": np.ascontiguousarray(model.quality),
        "cost_usd": np.ascontiguousarray(model.cost_usd),
        "latency_s": np.ascontiguousarray(model.latency_s),
        "advantage_sd": np.ascontiguousarray(model.advantage_sd),
        "z": np.ascontiguousarray(model.terms.z),
        "surcharge": np.ascontiguousarray(model.terms.surcharge),
    }
    return save(tensors)


def _buckets_json(buckets: pl.DataFrame, entries: pl.DataFrame) -> list[dict[str, object]]:
    shown = ["model_id", "quality", "advantage", "advantage_lo", "advantage_hi", "cost_usd"]
    ranked = entries.sort("bucket", "rank")
    return [
        {
            "bucket": row["bucket"],
            "domain_id": row["domain_id"],
            "name": row["name"],
            "n_prompts": row["n_prompts"],
            "radius": row["radius"],
            "lock": row["lock"],
            "ranking": ranked.filter(pl.col("bucket") == row["bucket"])
            .select(*shown, "latency_s", "n", "margin_usd", "reason")
            .rename({"model_id": "model"})
            .to_dicts(),
        }
        for row in buckets.sort("bucket").iter_rows(named=True)
    ]


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"
