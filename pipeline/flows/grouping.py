"""Vectors to named clusters: sample, collapse copies, project, cluster, extend, name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster import (
    METHODS,
    Clustering,
    choose_granularity,
    cluster_prompts,
    renumbered,
    stabilities,
    sweep_sizes,
    with_copies,
)
from pipeline.config import DiscoverConfig
from pipeline.duplicates import representatives
from pipeline.extension import Agreement, agreement, extend
from pipeline.hierarchy import parents_of
from pipeline.label import ClusterLabel, EncodeTexts, label_clusters, name_groups_of
from pipeline.nearest import Nearest
from pipeline.project import cluster_coordinates, map_coordinates, neighbours_of
from pipeline.split import hash_shares

_N_DRAWS = 3
_N_ROWS = 2_048


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Prompts in named clusters; row i of every array is prompt i."""

    clustering: Clustering
    """All prompts at the granularity that was chosen."""
    chosen: Clustering
    """That of `tried` which was chosen: of the sample alone, where there is one."""
    tried: tuple[Clustering, ...]
    """Every granularity that was tried, copies included."""
    sampled: NDArray[np.int64]
    """Rows of the prompts in `tried`: all, or the sample."""
    labels: tuple[ClusterLabel, ...]
    """One for each cluster."""
    parents: tuple[tuple[str, ...], ...]
    """For each cluster the names of the groups it belongs to, the finer one first."""
    places: NDArray[np.float32]
    """Shape (n_prompts, 2): the map for the eye; a copy is where its representative is, and a
    prompt outside the sample where the most similar one of its cluster is. Empty without a map."""
    n_copies: int
    """Prompts that followed another one."""
    n_extended: int
    """Prompts outside the sample; 0 where all were clustered."""
    agreement: Agreement | None
    """What extending the sample's clusters is worth; None where all prompts were clustered."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Every granularity by both methods."""

    tried: tuple[Clustering, ...]
    chosen: Clustering
    """The one of `tried` that a run would take."""
    stability: NDArray[np.float64]
    """How stable each is among representatives, see `pipeline.cluster.stabilities`."""
    sampled: NDArray[np.int64]
    """Rows of the prompts in `tried`: all, or the sample."""


@dataclass(frozen=True, kw_only=True)
class _Distinct:
    """The prompts that are clustered."""

    sample: NDArray[np.int64]
    """Rows of the sample."""
    rows: NDArray[np.int64]
    """Rows of the representatives."""
    place_of: NDArray[np.int64]
    """Shape (n_sample,): the position in `rows` of the representative."""


def cluster_vectors(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    config: DiscoverConfig,
    *,
    encode: EncodeTexts | None = None,
    with_map: bool = False,
) -> Grouping:
    """Project, cluster and name prompts, whose rows are sorted by prompt_id.

    Parameters
    ----------
    encode
        The encoder of the vectors, for better names; None: names go by counts alone.
    """
    distinct = _distinct(texts, vectors, config)
    near = neighbours_of(vectors[distinct.rows], config.project)
    points = cluster_coordinates(vectors[distinct.rows], near, config.project)
    found = _cut(points, config, (config.cluster.method,))
    tried = _with_copies(found, distinct, vectors)
    chosen = choose_granularity(tried)
    clustering, known = _extended(texts, vectors, distinct, chosen, config)
    ids = clustering.cluster_ids
    labels = label_clusters(texts, vectors, ids, encode=encode)
    return Grouping(
        clustering=clustering,
        chosen=chosen,
        tried=tried,
        sampled=distinct.sample,
        labels=labels,
        parents=_parent_names(texts, vectors, ids, labels, encode),
        places=_places(vectors, ids, distinct, near, config)
        if with_map
        else np.empty((0, 2), "f4"),
        n_copies=len(distinct.sample) - len(distinct.rows),
        n_extended=len(texts) - len(distinct.sample),
        agreement=known,
    )


def stable_sweep(
    texts: Sequence[str], vectors: NDArray[np.float32], config: DiscoverConfig
) -> Sweep:
    """Try every granularity by both methods."""
    distinct = _distinct(texts, vectors, config)
    own = vectors[distinct.rows]
    points = cluster_coordinates(own, neighbours_of(own, config.project), config.project)
    found = _cut(points, config, METHODS)
    tried = _with_copies(found, distinct, vectors)
    return Sweep(
        tried=tried,
        chosen=choose_granularity([c for c in tried if c.method == config.cluster.method]),
        stability=stabilities(points, found, n_draws=_N_DRAWS, seed=config.project.seed),
        sampled=distinct.sample,
    )


def _distinct(
    texts: Sequence[str], vectors: NDArray[np.float32], config: DiscoverConfig
) -> _Distinct:
    sample = np.arange(len(texts))
    if len(texts) > config.cap:
        shares = hash_shares(texts, seed=config.project.seed)
        sample = np.sort(np.argsort(shares, kind="stable")[: config.cap])
    read = [texts[row] for row in sample.tolist()]
    followed = representatives(read, vectors[sample], least_cosine=config.copy_cosine)
    kept, place_of = np.unique(followed, return_inverse=True)
    return _Distinct(sample=sample, rows=sample[kept], place_of=place_of)


def _cut(
    points: NDArray[np.float32], config: DiscoverConfig, methods: Sequence[str]
) -> tuple[Clustering, ...]:
    fixed = config.cluster.min_cluster_size
    sizes = sweep_sizes(len(points)) if fixed is None else (fixed,)
    return cluster_prompts(points, min_cluster_sizes=sizes, methods=methods)


def _with_copies(
    found: Sequence[Clustering], distinct: _Distinct, vectors: NDArray[np.float32]
) -> tuple[Clustering, ...]:
    own = vectors[distinct.rows]
    return tuple(with_copies(clustering, distinct.place_of, own) for clustering in found)


def _extended(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    distinct: _Distinct,
    chosen: Clustering,
    config: DiscoverConfig,
) -> tuple[Clustering, Agreement | None]:
    """Return the clustering of all prompts, and what extending it to those not sampled is worth."""
    if len(distinct.sample) == len(texts):
        return chosen, None
    rest = np.setdiff1d(np.arange(len(texts)), distinct.sample)
    ids = np.empty(len(texts), dtype=np.int64)
    ids[distinct.sample] = chosen.cluster_ids
    near = vectors[distinct.rows], ids[distinct.rows]
    ids[rest] = extend(*near, vectors[rest])
    read = [str(texts[row]) for row in distinct.rows]
    shares = hash_shares(read, seed=config.project.seed + 1)
    return renumbered(chosen, ids), agreement(*near, shares)


def _parent_names(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    ids: NDArray[np.int64],
    labels: Sequence[ClusterLabel],
    encode: EncodeTexts | None,
) -> tuple[tuple[str, ...], ...]:
    levels = parents_of(vectors, ids)
    named = name_groups_of(texts, vectors, ids, labels, levels, encode=encode)
    return tuple(
        tuple(names[group_of[k]] for names, group_of in zip(named, levels, strict=True))
        for k in range(len(labels))
    )


def _places(
    vectors: NDArray[np.float32],
    ids: NDArray[np.int64],
    distinct: _Distinct,
    near: Nearest,
    config: DiscoverConfig,
) -> NDArray[np.float32]:
    drawn = map_coordinates(vectors[distinct.rows], near, config.project)
    places = np.empty((len(vectors), 2), dtype=np.float32)
    places[distinct.sample] = drawn[distinct.place_of]
    rest = np.setdiff1d(np.arange(len(vectors)), distinct.sample)
    for cluster_id in np.unique(ids[rest]):
        alike = np.flatnonzero(ids[distinct.rows] == cluster_id)
        alike = alike if len(alike) else np.arange(len(drawn))
        own = rest[ids[rest] == cluster_id]
        for start in range(0, len(own), _N_ROWS):
            part = own[start : start + _N_ROWS]
            cosines = vectors[part] @ vectors[distinct.rows[alike]].T
            places[part] = drawn[alike[np.argmax(cosines, axis=1)]]
    return places
