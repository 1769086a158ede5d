"""Route: texts to receipts by a published table."""

from collections.abc import Callable

import polars as pl

from pipeline.embed import Encoder
from pipeline.flows.encoding import vectors_of
from pipeline.flows.tables import load_model
from pipeline.prompt_text import prompt_id_of
from pipeline.store import Store
from pipeline.table import decide
from profiles.errors import UsageError


def decider(
    store: Store, encoder: Encoder, version: int | None = None
) -> Callable[[list[str]], pl.DataFrame]:
    """Return a function from texts to RECEIPT rows, by the current table or the one named.

    Raises
    ------
    UsageError
        If the table was built with another encoder.
    """
    meta, model = load_model(store, version)
    if meta["encoder_id"] != encoder.encoder_id:
        raise UsageError(
            f"Table {model.table_version} was built with the encoder {meta['encoder_id']}, not "
            f"{encoder.encoder_id}. Name the same one with --encoder, or build a new table."
        )

    def decide_texts(texts: list[str]) -> pl.DataFrame:
        ids = [prompt_id_of(text) for text in texts]
        return decide(texts, vectors_of(store, encoder, ids, texts), model)

    return decide_texts
