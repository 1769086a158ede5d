"""Landmark prompts: the few training prompts a kernel estimator keeps."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def choose_landmarks(texts: tuple[str, ...], *, n_landmarks: int) -> NDArray[np.intp]:
    """Pick distinct texts by the order of their hash, whatever the order of the rows.

    Returns
    -------
    NDArray
        Row numbers, at most `n_landmarks`, in hash order. Repeats of a text are skipped.
    """
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    ordered = sorted(first, key=lambda text: hashlib.sha256(text.encode()).digest())
    return np.array([first[text] for text in ordered[:n_landmarks]], dtype=np.intp)
