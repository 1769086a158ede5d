"""Vectors of prompts, each computed once for a text and an encoder."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.embed import Encoder
from pipeline.progress import progress_bar
from pipeline.store import Store
from profiles.tables import PROMPTS, VECTORS

_SAVE_EVERY = 256  # texts: a few seconds of encoding


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


def prompt_texts(store: Store, prompt_ids: Sequence[str]) -> list[str]:
    """Return the texts of these prompts, in this order."""
    read = store.read_among(PROMPTS, "prompt_id", prompt_ids)
    text_of = dict(read.select("prompt_id", "text").iter_rows())
    return [text_of[prompt_id] for prompt_id in prompt_ids]


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
    n_dims = len(found["vector"][0])
    matrix = found["vector"].cast(pl.List(pl.Float32)).list.to_array(n_dims).to_numpy()
    return dict(zip(found["prompt_id"], matrix, strict=True))


def _save(
    store: Store, encoder_id: str, prompt_ids: Sequence[str], vectors: NDArray[np.float32]
) -> None:
    frame = pl.DataFrame({"prompt_id": prompt_ids, "vector": vectors}).with_columns(
        pl.col("vector").arr.to_list(), encoder_id=pl.lit(encoder_id)
    )
    store.append((VECTORS, frame))
