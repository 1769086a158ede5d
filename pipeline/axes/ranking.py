"""The capabilities of a prompt, ranked and weighted, as elements of a profile."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.axes.reading import AxisReading
from profiles.profile import CAPABILITY

RANK_DECAY = 0.5
MOST_RANKS = 3


def ranked_elements(prompt_ids: Sequence[str], reading: AxisReading) -> pl.DataFrame:
    """Return the leading values of each prompt, weighted by rank.

    Parameters
    ----------
    prompt_ids
        Row i of `reading` is of ``prompt_ids[i]``.

    Returns
    -------
    DataFrame
        Columns prompt_id, element (`capability:…`) and weight. Each prompt has its likeliest value
        and up to two more that are at least as likely as if all were equally so; the earlier one
        on a tie. Weights are 0.5^(rank − 1), and sum to 1 for each prompt.

    References
    ----------
    InferenceDynamics, arXiv 2505.16303: ranked capabilities, decaying weights.
    """
    held = reading.probabilities
    order = np.argsort(-held, axis=1, kind="stable")[:, :MOST_RANKS]
    leading = np.take_along_axis(held, order, axis=1) >= 1.0 / held.shape[1]
    leading[:, :1] = True
    weights = np.where(leading, RANK_DECAY ** np.arange(order.shape[1]), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    row, rank = np.nonzero(leading)
    names = np.array([CAPABILITY + value for value in reading.axis.values], dtype=object)
    return pl.DataFrame(
        {
            "prompt_id": np.array(prompt_ids, dtype=object)[row],
            "element": names[order[row, rank]],
            "weight": weights[row, rank],
        },
        schema={"prompt_id": pl.String, "element": pl.String, "weight": pl.Float64},
    )
