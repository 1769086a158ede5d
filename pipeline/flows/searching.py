"""The prompts of a store that are nearest in meaning."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.store import Store
from profiles.errors import NotReadyError


def nearest_prompts(
    store: Store, encoder_id: str, vector: NDArray[np.float32], most: int
) -> pl.DataFrame:
    """Return prompt_id and cosine of the prompts nearest to a vector, nearest first.

    Parameters
    ----------
    vector
        A unit vector of this encoder, shape (n_dims,).

    Raises
    ------
    NotReadyError
        If no prompt has a vector of this encoder.
    """
    found = store.query(
        "SELECT prompt_id, list_dot_product(vector, $wanted::FLOAT[]) AS cosine "
        "FROM vectors SEMI JOIN prompts USING (prompt_id) WHERE encoder_id = $encoder_id "
        "ORDER BY cosine DESC, prompt_id LIMIT $most",
        {"wanted": vector.tolist(), "encoder_id": encoder_id, "most": most},
    )
    if found.is_empty():
        raise NotReadyError(
            f"No prompt has a vector of the encoder {encoder_id}. Run `promptshed discover` first, "
            "or name the encoder that it was given with --encoder."
        )
    return found
