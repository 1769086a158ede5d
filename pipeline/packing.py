"""Fitted estimators as plain arrays and JSON: no pickle, so reading one runs no code.

A packed estimator holds no prompt: landmark prompts are kept as vectors, TF-IDF rows and shape
features. It does hold words and runs of up to three words that at least two prompts share.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from pipeline.estimators.stack import WeightedSum
from pipeline.smoothers.cost import FittedCost
from pipeline.smoothers.fit import FittedSmoother
from pipeline.smoothers.kernel_ridge import KernelMap, KernelWeights, LandmarkKernel
from pipeline.smoothers.membership_table import MembershipTable
from pipeline.smoothers.neighbours import NeighbourMean
from pipeline.smoothers.refine import OutcomeFactors, RefinedMap
from pipeline.smoothers.ridge import LinearMap
from pipeline.smoothers.text_features import ShapeScaler, Tfidf
from pipeline.smoothers.tfidf import TermMap
from profiles.errors import StoreError

PACK_VERSION = 2
_CLASSES: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        FittedCost,
        FittedSmoother,
        KernelMap,
        KernelWeights,
        LandmarkKernel,
        LinearMap,
        MembershipTable,
        NeighbourMean,
        OutcomeFactors,
        RefinedMap,
        ShapeScaler,
        TermMap,
        Tfidf,
        WeightedSum,
    )
}
_METADATA = "promptshed"
_HEADER_SIZE_BYTES = 8


def pack(fitted: FittedSmoother) -> tuple[str, dict[str, NDArray]]:
    """Take a fitted estimator apart.

    Returns
    -------
    text, arrays
        JSON that names the parts, and the arrays it refers to by number. What is shared inside
        the estimator, such as the training vectors, is stored once.

    Raises
    ------
    TypeError
        If a part is neither plain data nor of a known class.
    """
    packer = _Packer()
    root = packer.reference(fitted)
    content = {"pack_version": PACK_VERSION, "root": root, "parts": packer.parts}
    return json.dumps(content, ensure_ascii=False), packer.arrays


def unpack(text: str, arrays: Mapping[str, NDArray]) -> FittedSmoother:
    """Put a packed estimator together again; its estimates are equal bit for bit.

    Raises
    ------
    StoreError
        If it was packed by a newer version, or names an unknown class or a missing part.
    """
    content = json.loads(text)
    found = content.get("pack_version")
    if found != PACK_VERSION:
        raise StoreError(
            f"The packed router has version {found}, this Promptshed reads {PACK_VERSION}. "
            "Upgrade Promptshed, or build the table again with `promptshed table build`."
        )
    try:
        unpacker = _Unpacker(arrays=arrays)
        for part in content["parts"]:
            unpacker.add(part)
        fitted = unpacker.value(content["root"])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"The packed router is damaged ({error}). Build the table again with "
            "`promptshed table build`."
        ) from error
    if not isinstance(fitted, FittedSmoother):
        raise StoreError(f"The packed router is a {type(fitted).__name__}, not a FittedSmoother.")
    return fitted


def to_bytes(fitted: FittedSmoother) -> bytes:
    """Return a packed estimator as one safetensors file, the JSON in its metadata."""
    text, arrays = pack(fitted)
    return save(arrays, metadata={_METADATA: text})


def from_bytes(content: bytes) -> FittedSmoother:
    """Read what `to_bytes` wrote.

    Raises
    ------
    StoreError
        If it is no packed router of this version.
    """
    size = int.from_bytes(content[:_HEADER_SIZE_BYTES], "little")
    try:
        header = json.loads(content[_HEADER_SIZE_BYTES : _HEADER_SIZE_BYTES + size])
        text = header["__metadata__"][_METADATA]
    except (ValueError, KeyError) as error:
        raise StoreError(
            "The stored router cannot be read: it is no safetensors file with a packed router. "
            "Build the table again with `promptshed table build`."
        ) from error
    return unpack(text, load(content))


@dataclass(kw_only=True)
class _Packer:
    parts: list[object] = field(default_factory=list)
    """Packed dataclasses; a part refers to earlier ones only."""
    arrays: dict[str, NDArray] = field(default_factory=dict)
    _seen: dict[int, object] = field(default_factory=dict)
    _alive: list[object] = field(default_factory=list)
    """What `_seen` knows by its id must not be freed, or another object could get that id."""

    def reference(self, value: object) -> object:
        """Return JSON for plain values, and for the rest a reference to where it is kept."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, tuple):
            return [self.reference(item) for item in value]
        if id(value) not in self._seen:
            self._seen[id(value)] = self._keep(value)
            self._alive.append(value)
        return self._seen[id(value)]

    def _keep(self, value: object) -> object:
        if isinstance(value, np.ndarray):
            return {"array": self._add(value)}
        if isinstance(value, csr_matrix):
            arrays = (value.data, value.indices, value.indptr)
            return {"csr": [self._add(part) for part in arrays], "shape": list(value.shape or ())}
        name = type(value).__name__
        if _CLASSES.get(name) is not type(value) or not is_dataclass(value):
            raise TypeError(f"{name} cannot be packed; known: {', '.join(sorted(_CLASSES))}.")
        packed = {part.name: self.reference(getattr(value, part.name)) for part in fields(value)}
        self.parts.append({"class": name, "fields": packed})
        return {"part": len(self.parts) - 1}

    def _add(self, array: NDArray) -> str:
        key = f"{len(self.arrays):03}"
        self.arrays[key] = np.ascontiguousarray(array)
        return key


@dataclass(kw_only=True)
class _Unpacker:
    arrays: Mapping[str, NDArray]
    built: dict[int, object] = field(default_factory=dict)

    def add(self, packed: Mapping[str, Any]) -> None:
        """Build the next part; those it refers to are built already."""
        name = packed["class"]
        if name not in _CLASSES:
            raise StoreError(
                f"The packed router holds a {name!r}, which this Promptshed does not know. "
                "Upgrade Promptshed, or build the table again with `promptshed table build`."
            )
        inner = {key: self.value(value) for key, value in packed["fields"].items()}
        self.built[len(self.built)] = _CLASSES[name](**inner)

    def value(self, packed: Any) -> object:  # noqa: ANN401 - any JSON
        """Return a plain value, or what a reference stands for."""
        if isinstance(packed, list):
            return tuple(self.value(item) for item in packed)
        if not isinstance(packed, dict):
            return packed
        if "array" in packed:
            return self.arrays[packed["array"]]
        if "csr" in packed:
            data, indices, indptr = (self.arrays[key] for key in packed["csr"])
            return csr_matrix((data, indices, indptr), shape=tuple(packed["shape"]))
        return self.built[packed["part"]]
