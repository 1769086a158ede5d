"""Tables over buckets that someone else names: reference prompts, or tags by a language model.

Each prompt falls into one bucket or into none; the buckets' cells are those of the domain table,
paired and shrunk. With a fixed reference model, every other model is fitted alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, Prompts
from pipeline.estimators.domain_table import DomainTable, FittedDomainTable
from profiles.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class References:
    """Example prompts that a user wrote for each bucket; the nearest one decides."""

    vectors: NDArray[np.float32]
    """Shape (n_references, n_dims), unit rows."""
    buckets: NDArray[np.int64]
    """Shape (n_references,): bucket of each, 0 … n_buckets - 1."""
    least_similarity: float = 0.0
    """A prompt less similar than this to every reference falls into no bucket."""

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedBucketTable":
        """Build the cells of the buckets the training prompts fall into."""
        return _fit(self, prompts, outcomes)

    def place(self, prompts: Prompts) -> NDArray[np.float64]:
        """Return 1 at each prompt's bucket, shape (n, n_buckets + 1); the last one is none."""
        similarity = prompts.vectors @ self.vectors.T
        near = similarity.max(axis=1) >= self.least_similarity
        buckets = self.buckets[similarity.argmax(axis=1)]
        return _one_hot(np.where(near, buckets, -1), int(self.buckets.max()) + 1)


@dataclass(frozen=True, kw_only=True)
class Tags:
    """Buckets that were asked for beforehand, such as by `pipeline.tagger`."""

    bucket_of: Mapping[str, int]
    """Text of a prompt to its bucket; a text that is missing falls into none."""
    n_buckets: int

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedBucketTable":
        """Build the cells of the buckets the training prompts were tagged with."""
        return _fit(self, prompts, outcomes)

    def place(self, prompts: Prompts) -> NDArray[np.float64]:
        """Return 1 at each prompt's bucket, shape (n, n_buckets + 1); the last one is none."""
        buckets = np.array([self.bucket_of.get(text, -1) for text in prompts.texts], dtype=np.int64)
        return _one_hot(buckets, self.n_buckets)


@dataclass(frozen=True, kw_only=True)
class FittedBucketTable:
    """How prompts are placed, and the table over the places."""

    source: References | Tags
    table: FittedDomainTable

    def estimate(self, prompts: Prompts) -> Estimates:
        """Look up the cells of each prompt's bucket."""
        return self.table.estimate(replace(prompts, memberships=self.source.place(prompts)))


def _fit(source: References | Tags, prompts: Prompts, outcomes: Outcomes) -> FittedBucketTable:
    placed = replace(prompts, memberships=source.place(prompts))
    return FittedBucketTable(source=source, table=DomainTable().fit(placed, outcomes))


def _one_hot(buckets: NDArray[np.int64], n_buckets: int) -> NDArray[np.float64]:
    return np.eye(n_buckets + 1)[np.where(buckets < 0, n_buckets, buckets)]
