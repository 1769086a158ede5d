"""Vectors of prompts, each computed once for a text and an encoder."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.embed import Encoder
from pipeline.progress import progress_bar
from pipeline.store import Store
from profiles.tables import PROMPTS, VECTORS

_SAVE_EVERY = 256  # texts: a few seconds of encoding
_PASS_AT_ONCE = 1_024  # texts: the more of them, the more share a batch
_N_REMEMBERED = 32_768  # vectors: about 50 MB of the default encoder's


def vectors_of(
    store: Store, encoder: Encoder, prompt_ids: Sequence[str], texts: Sequence[str]
) -> NDArray[np.float32]:
    """Return the prompts' vectors, shape (n, n_dims), encoding those not in the store yet.

    New vectors are saved every few seconds, so an interrupt loses little.
    """
    known = stored_vectors(store, encoder.encoder_id, prompt_ids)
    text_of = dict(zip(prompt_ids, texts, strict=True))
    missing = sorted(text_of.keys() - known.keys())
    bar = progress_bar("encode", len(missing)) if missing else None
    for start in range(0, len(missing), _SAVE_EVERY):
        chunk = missing[start : start + _SAVE_EVERY]
        fresh = encoder.encode([text_of[prompt_id] for prompt_id in chunk])
        _save(store, encoder.encoder_id, chunk, fresh)
        known |= dict(zip(chunk, fresh, strict=True))
        if bar:
            bar.update(len(chunk))
    if bar:
        bar.close()
    return np.stack([known[prompt_id] for prompt_id in prompt_ids])


@dataclass(frozen=True, kw_only=True)
class PassingVectors:
    """Vectors of prompts that pass through: read from the store, but never saved there.

    A prompt that comes again is encoded once as long as fewer than `n_remembered` others were met
    since, so memory is bounded however long the file is.
    """

    store: Store
    encoder: Encoder
    n_remembered: int = _N_REMEMBERED
    _recent: OrderedDict[str, NDArray[np.float32]] = field(
        default_factory=OrderedDict[str, NDArray[np.float32]]
    )

    @cached_property
    def _stored(self) -> frozenset[str]:
        """Whose vectors the store had when this was first asked: most files share few with it."""
        return stored_ids(self.store, self.encoder.encoder_id)

    def of(self, prompt_ids: Sequence[str], texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the prompts' vectors, shape (n, n_dims)."""
        text_of = dict(zip(prompt_ids, texts, strict=True))
        known = {wanted: self._recent[wanted] for wanted in text_of if wanted in self._recent}
        stored = [wanted for wanted in text_of if wanted not in known and wanted in self._stored]
        if stored:
            known |= stored_vectors(self.store, self.encoder.encoder_id, stored)
        missing = [wanted for wanted in text_of if wanted not in known]
        bar = progress_bar("encode", len(missing)) if missing else None
        for start in range(0, len(missing), _PASS_AT_ONCE):
            chunk = missing[start : start + _PASS_AT_ONCE]
            fresh = self.encoder.encode([text_of[wanted] for wanted in chunk])
            known |= dict(zip(chunk, fresh, strict=True))
            if bar:
                bar.update(len(chunk))
        if bar:
            bar.close()
        self._remember(text_of, known)
        return np.stack([known[wanted] for wanted in prompt_ids])

    def _remember(self, met: dict[str, str], known: dict[str, NDArray[np.float32]]) -> None:
        for prompt_id in met:
            if prompt_id not in self._recent:
                self._recent[prompt_id] = known[prompt_id].copy()  # alone, not its whole matrix
            self._recent.move_to_end(prompt_id)
        while len(self._recent) > self.n_remembered:
            self._recent.popitem(last=False)


def prompt_texts(store: Store, prompt_ids: Sequence[str]) -> list[str]:
    """Return the texts of these prompts, in this order."""
    read = store.read_among(PROMPTS, "prompt_id", prompt_ids)
    text_of = dict(read.select("prompt_id", "text").iter_rows())
    return [text_of[prompt_id] for prompt_id in prompt_ids]


def stored_ids(store: Store, encoder_id: str) -> frozenset[str]:
    """Return the prompts whose vectors the store has."""
    if not store.exists():
        return frozenset()
    found = store.query(
        "SELECT prompt_id FROM vectors WHERE encoder_id = $encoder_id", {"encoder_id": encoder_id}
    )
    return frozenset(found["prompt_id"].to_list())


def stored_vectors(
    store: Store, encoder_id: str, prompt_ids: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the vectors that the store has, by prompt."""
    if not store.exists():
        return {}
    found = store.query(
        "SELECT prompt_id, vector FROM vectors SEMI JOIN "
        "(SELECT unnest($ids) AS prompt_id) USING (prompt_id) WHERE encoder_id = $encoder_id",
        {"ids": list(prompt_ids), "encoder_id": encoder_id},
    )
    if found.is_empty():
        return {}
    return dict(zip(found["prompt_id"], vector_matrix(found["vector"]), strict=True))


def vector_matrix(vectors: pl.Series) -> NDArray[np.float32]:
    """Return the lists of a column as rows, shape (n, n_dims); they are all of one length."""
    if vectors.is_empty():
        return np.empty((0, 0), dtype=np.float32)
    floats = vectors.cast(pl.List(pl.Float32)).rechunk()
    return floats.list.explode().to_numpy().reshape(len(vectors), -1)


def _save(
    store: Store, encoder_id: str, prompt_ids: Sequence[str], vectors: NDArray[np.float32]
) -> None:
    frame = pl.DataFrame({"prompt_id": prompt_ids, "vector": vectors}).with_columns(
        pl.col("vector").arr.to_list(), encoder_id=pl.lit(encoder_id)
    )
    store.append((VECTORS, frame))
