"""Train/test splits and folds by a hash of the prompt's id: row order never matters."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hash_shares(prompt_ids: Sequence[str], *, seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each id, uniform over ids and fixed for a seed.

    >>> bool(hash_shares(["a"], seed=1)[0] == hash_shares(["b", "a"], seed=1)[1])
    True
    """
    salt = str(seed).encode()
    digests = b"".join(
        hashlib.blake2b(prompt_id.encode(), digest_size=8, salt=salt).digest()
        for prompt_id in prompt_ids
    )
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2.0**64


def in_test(
    prompt_ids: Sequence[str], *, test_share: float = 0.5, seed: int = 0
) -> NDArray[np.bool_]:
    """Return True for each prompt on which routers are scored, never fitted."""
    return hash_shares(prompt_ids, seed=seed) < test_share


def fold_numbers(prompt_ids: Sequence[str], *, n_folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold 0 … n_folds - 1 of each prompt, for cross-fitting inside training."""
    return (hash_shares(prompt_ids, seed=seed + 1_000_003) * n_folds).astype(np.int64)
