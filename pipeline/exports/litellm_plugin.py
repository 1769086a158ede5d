"""A classifier plugin for LiteLLM's complexity router that decides by a Promptshed artefact.

Reads `routing_table.json`, `prototypes.safetensors` and `conformance.jsonl` from its own folder and
needs nothing beside Python and LiteLLM. Vectors come from an OpenAI-compatible embeddings endpoint
that must serve the table's encoder: PROMPTSHED_EMBEDDING_MODEL (as LiteLLM names it, such as
openai/all-MiniLM-L6-v2) and PROMPTSHED_EMBEDDING_BASE. Before the first decision the endpoint is
asked for the vector of a text of which the right one is known; with another encoder every decision
is refused, and LiteLLM takes its fallback tier.
"""

import asyncio
import json
import math
import os
import struct
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Vector = Sequence[float]
_SAME = 0.999
_FLOATS = {"F32": "f", "F64": "d"}


class Table:
    """The artefact in one folder, and the decision it makes; see its `how_to_decide`."""

    def __init__(self, folder: Path) -> None:
        self.json = json.loads((folder / "routing_table.json").read_text(encoding="utf-8"))
        self.tensors = _read_tensors((folder / "prototypes.safetensors").read_bytes())
        lines = (folder / "conformance.jsonl").read_text(encoding="utf-8").splitlines()
        self.conformance = [json.loads(line) for line in lines]
        self.models = self.json["models"]

    def choose(self, x: Vector) -> str:
        """Return the model for a unit vector."""
        w = self._memberships(x)
        quality, cost = self._mix(w, "quality"), self._mix(w, "cost_usd")
        lock = self.json["buckets"][w.index(max(w))]["lock"]
        if lock is not None and not math.isnan(quality[self.models.index(lock)]):
            return lock
        utility = self._utility(w, quality, cost)
        limit = max(u for u in utility if u is not None) - self.json["tie"]
        tied = [m for m, u in enumerate(utility) if u is not None and u >= limit]
        known = [math.inf if math.isnan(cost[m]) else cost[m] for m in tied]
        least = min(known) * (1 + 1e-9)
        return self.models[next(m for m, c in zip(tied, known, strict=True) if c <= least)]

    def _memberships(self, x: Vector) -> list[float]:
        logits = [
            (_dot(row, x) + offset) / self.json["temperature"]
            for row, offset in zip(
                self.tensors["weights"], self.tensors["intercepts"][0], strict=True
            )
        ]
        powers = [math.exp(logit - max(logits)) for logit in logits]
        p = [power / sum(powers) for power in powers]
        d = p.index(max(p))
        if _dot(self.tensors["prototypes"][d], x) < self.tensors["radii"][0][d]:
            return [0.0] * len(p) + [1.0]
        return [*p, 0.0]

    def _mix(self, w: Vector, name: str) -> list[float]:
        rows = self.tensors[name]
        used = [(share, row) for share, row in zip(w, rows, strict=True) if share]
        return [sum(share * row[m] for share, row in used) for m in range(len(self.models))]

    def _utility(self, w: Vector, quality: Vector, cost: Vector) -> list[float | None]:
        """Return the utility of every model, None for what is no candidate."""
        limits, value = self.json["limits"], self.json["quality_value_usd"]
        z = _dot(self.tensors["z"][0], w)
        spread = self._mix(w, "advantage_sd")
        latency = self._mix(w, "latency_s")
        utility = []
        for m, model in enumerate(self.models):
            is_safe = model == self.json["reference_model"] or z == 0
            u = quality[m] - (0.0 if is_safe else z * spread[m]) - self.tensors["surcharge"][0][m]
            u -= 0.0 if value is None else cost[m] / value
            kept = limits["min_quality"] is None or quality[m] >= limits["min_quality"]
            cap = limits["max_latency_s"]
            kept = kept and (cap is None or latency[m] <= cap)
            utility.append(u if kept and not math.isnan(u) else None)
        is_refused = bool(limits["fallback"]) and w[-1] == 1.0
        if not is_refused and any(u is not None for u in utility):
            return utility
        chain = limits["fallback"] or [self.json["reference_model"]]
        return [-float(chain.index(m)) if m in chain else None for m in self.models]


class Classifier:
    """What LiteLLM calls: `classify` names the tier, and each tier is a model."""

    def __init__(self, folder: Path | None = None) -> None:
        self.table = Table(Path(folder) if folder else Path(__file__).parent)
        self._checked = False
        self._lock = asyncio.Lock()

    async def classify(self, context: Any) -> str | None:  # noqa: ANN401 - LiteLLM's class
        """Return the model of a request; None, for the fallback tier, if it has no text."""
        text = routing_text(context.structured_messages or context.raw_messages)
        if not text:
            return None
        async with self._lock:
            if not self._checked:
                await self._check()
        return self.table.choose(await self.embed(text))

    async def embed(self, text: str) -> list[float]:
        """Return the unit vector of a text; put another way of encoding here if you like."""
        import litellm  # noqa: PLC0415 - it is there when this is called

        reply = await litellm.aembedding(  # pyright: ignore[reportAttributeAccessIssue]
            model=os.environ["PROMPTSHED_EMBEDDING_MODEL"],
            api_base=os.environ.get("PROMPTSHED_EMBEDDING_BASE"),
            api_key=os.environ.get("PROMPTSHED_EMBEDDING_KEY", "none"),
            input=[text],
        )
        vector = reply.data[0]["embedding"]
        length = math.sqrt(_dot(vector, vector))
        return [number / length for number in vector]

    async def _check(self) -> None:
        known = next(row for row in self.table.conformance if row["text"] is not None)
        found = await self.embed(known["text"])
        if len(found) != len(known["vector"]) or _dot(found, known["vector"]) < _SAME:
            raise ValueError(
                "the embeddings endpoint serves another encoder than "
                f"{self.table.json['encoder']['id']}, which the routing table was built with"
            )
        self._checked = True


def routing_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what is encoded: the last user turn, then the system prompt."""
    rules = [m for m in messages if m.get("role") in ("system", "developer")]
    asked = [m for m in messages if m.get("role") == "user"]
    others = [m for m in messages if m not in rules]
    parts = [_content(m) for m in [*(asked or others)[-1:], *rules]]
    return "\n\n".join(part for part in parts if part)


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [part.get("text") if isinstance(part, dict) else part for part in content or []]
    return "\n".join(part for part in parts if isinstance(part, str))


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _read_tensors(raw: bytes) -> "dict[str, list[array[float]]]":
    """Return each tensor of a safetensors file as a list of rows."""
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    tensors = {}
    for name, part in header.items():
        if name != "__metadata__":
            start, end = (8 + size + offset for offset in part["data_offsets"])
            flat = array(_FLOATS[part["dtype"]], raw[start:end])
            width = part["shape"][-1]
            tensors[name] = [flat[i : i + width] for i in range(0, len(flat), width)]
    return tensors


plugin = Classifier() if (Path(__file__).parent / "routing_table.json").is_file() else None
