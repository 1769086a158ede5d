"""Prompts that say the same but for a number, a link or a few words.

Decision: copies are collapsed before clustering, for a template that was sent a thousand times
would else crowd out the rest, or break into clusters by its edits. Every prompt follows its
representative afterwards, and counts as one prompt in every size and share that is shown.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_CODE = re.compile(r"\b(?=\w*\d)\w+\b")
_N_ROWS = 1_024
_N_AXES = 64


def representatives(
    texts: Sequence[str], vectors: NDArray[np.float32], *, least_cosine: float
) -> NDArray[np.int64]:
    """Return the row that stands for each prompt; its own where it is no copy.

    In row order, a prompt is a copy of the first prompt with the same words (links, and words with
    a digit, being the same), or else of the most similar representative so far, if their cosine is
    at least `least_cosine`. So any two representatives are less alike than that, and no prompt is
    further from its representative.

    Parameters
    ----------
    vectors
        Shape (n_prompts, n_dims), unit rows, sorted by prompt_id, so that the result does not
        depend on the order in which prompts came.
    """
    own = np.arange(len(texts), dtype=np.int64)
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        own[row] = first.setdefault(_masked(text), row)
    distinct = np.flatnonzero(own == np.arange(len(own)))
    found = distinct[_followed(vectors[distinct], least_cosine)] if len(distinct) else distinct
    place = np.zeros(len(own), dtype=np.int64)
    place[distinct] = found
    return place[own]


def _masked(text: str) -> str:
    r"""Put one mark for each link and each word with a digit, and one space between words.

    >>> _masked("Track order A-123\nat https://x.org/7 please")
    'track order a-0 at 0 please'
    """
    return " ".join(_CODE.sub("0", _LINK.sub("0", text.lower())).split())


def _followed(vectors: NDArray[np.float32], least_cosine: float) -> NDArray[np.int64]:
    """Return for each row the representative it follows; memory grows with n_prompts."""
    turned = _turned(vectors)
    rest = np.linalg.norm(turned[:, _N_AXES:], axis=1)
    followed = np.arange(len(vectors), dtype=np.int64)
    kept = np.empty(0, dtype=np.int64)
    for start in range(0, len(vectors), _N_ROWS):
        rows = np.arange(start, min(start + _N_ROWS, len(vectors)))
        nearest, cosine = _nearest(turned, rest, rows, kept, least_cosine)
        is_copy = cosine >= least_cosine
        followed[rows[is_copy]] = nearest[is_copy]
        free = rows[~is_copy]
        followed[free] = free[_first_come(vectors[free] @ vectors[free].T, least_cosine)]
        kept = np.concatenate([kept, free[followed[free] == free]])
    return followed


def _turned(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn the space so that the first axes hold most of the length; cosines stay."""
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return vectors @ axes[:, ::-1].astype(np.float32)


def _nearest(
    turned: NDArray[np.float32],
    rest: NDArray[np.float32],
    rows: NDArray[np.int64],
    kept: NDArray[np.int64],
    least_cosine: float,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the most similar kept row of each row and their cosine, -1 if it is below the least.

    The first axes bound a cosine from above (Cauchy and Schwarz), which spares most of the work.
    """
    bound = turned[rows, :_N_AXES] @ turned[kept, :_N_AXES].T
    bound += rest[rows, None] * rest[kept]
    row, column = np.nonzero(bound >= least_cosine - 1e-5)
    exact = np.einsum("ij,ij->i", turned[rows[row]], turned[kept[column]])
    order = np.lexsort((column, -exact, row))
    first = order[np.unique(row[order], return_index=True)[1]]
    nearest, cosine = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), -1.0, np.float32)
    nearest[row[first]], cosine[row[first]] = kept[column[first]], exact[first]
    return nearest, cosine


def _first_come(cosines: NDArray[np.float32], least_cosine: float) -> NDArray[np.int64]:
    """Return for each row the most similar representative among the rows before it, or itself."""
    followed = np.arange(len(cosines), dtype=np.int64)
    kept: list[int] = []
    for row in np.arange(len(cosines)).tolist():
        if kept and cosines[row, kept].max() >= least_cosine:
            followed[row] = kept[int(np.argmax(cosines[row, kept]))]
        else:
            kept.append(row)
    return followed
