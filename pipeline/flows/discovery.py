"""Discover: encode, project, cluster, name; one run into the store."""

import json
import time
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.cluster import Clustering, granularity_loss
from pipeline.config import DiscoverConfig, as_json, digest
from pipeline.embed import Encoder
from pipeline.endpoint import Endpoint
from pipeline.flows.clock import now
from pipeline.flows.encoding import prompt_texts, vectors_of
from pipeline.flows.grouping import Grouping, cluster_vectors, stable_sweep
from pipeline.granularity_value import Gain, routing_gains
from pipeline.namer import name_groups
from pipeline.split import fold_numbers
from pipeline.store import Store
from profiles.errors import NotReadyError, UsageError
from profiles.outcomes import complete_case, outcome_matrix
from profiles.tables import CLUSTERS, MEMBERS, OUTCOMES, PROMPTS, RUNS

_N_FOLDS = 5


def discover(store: Store, encoder: Encoder, config: DiscoverConfig) -> str:
    """Cluster all prompts and save the run; the same inputs give the same run, done once.

    Returns
    -------
    str
        The run's id.

    Raises
    ------
    NotReadyError
        If no prompt was imported.
    """
    ids, texts = _all_prompts(store)
    run_id = "run-" + digest(as_json(config), encoder.encoder_id, *ids)
    earlier = store.read(RUNS, run_id=run_id)
    if not earlier.is_empty():
        store.upsert((RUNS, earlier.with_columns(asked_at=pl.lit(now()))))
        return run_id
    vectors = vectors_of(store, encoder, ids, texts)
    started = time.monotonic()
    found = cluster_vectors(texts, vectors, config, encode=encoder.encode, with_map=True)
    clustering, known = found.clustering, found.agreement
    members = _members_frame(run_id, ids, found)
    created_at = now()
    run = {
        "run_id": run_id,
        "created_at": created_at,
        "asked_at": created_at,
        "encoder_id": encoder.encoder_id,
        "config": as_json(config),
        "n_prompts": len(ids),
        "n_clusters": clustering.n_clusters,
        "n_unclustered": int(np.sum(clustering.cluster_ids < 0)),
        "n_copies": found.n_copies,
        "n_extended": found.n_extended,
        "agreement": None if known is None else known.share,
        "agreement_lo": None if known is None else known.lo,
        "agreement_hi": None if known is None else known.hi,
        "sweep": json.dumps(
            _trials(store, [ids[row] for row in found.sampled], found.tried, found.chosen)
        ),
        "duration_s": time.monotonic() - started,
    }
    clusters = _clusters_frame(run_id, ids, found)
    store.append(
        (RUNS, pl.DataFrame([run], schema=RUNS.schema)), (CLUSTERS, clusters), (MEMBERS, members)
    )
    return run_id


def name_by_model(store: Store, run_id: str, endpoint: Endpoint) -> int:
    """Let a language model name the clusters of a run, from their exemplars.

    The phrases stay among the candidates. Returns how many clusters have another name now.

    Raises
    ------
    EndpointError
        See `pipeline.namer.name_groups`; no name is changed then.
    """
    clusters = store.read(CLUSTERS, run_id=run_id)
    known = clusters["name"].to_list()
    groups = [prompt_texts(store, ids) for ids in clusters["exemplar_prompt_ids"].to_list()]
    names = name_groups(endpoint, groups, known=known)
    candidates = [
        list(dict.fromkeys([*([] if name == old else [old]), *phrases]))
        for name, old, phrases in zip(names, known, clusters["names"], strict=True)
    ]
    named = clusters.with_columns(
        name=pl.Series(names, dtype=pl.String),
        names=pl.Series(candidates, dtype=pl.List(pl.String)),
    )
    store.upsert((CLUSTERS, named))
    return sum(name != old for name, old in zip(names, known, strict=True))


def latest_run(store: Store) -> str:
    """Return the id of the run that was asked for last.

    Raises
    ------
    NotReadyError
        If there is none.
    """
    runs = store.read(RUNS)
    if runs.is_empty():
        raise NotReadyError("Nothing was discovered yet. Run `promptshed discover` first.")
    return str(runs.sort("asked_at")["run_id"][-1])


def known_run(store: Store, run_id: str) -> str:
    """Return the id of a run that was asked for by it.

    Raises
    ------
    UsageError
        If there is none of that id.
    """
    known = store.read(RUNS).sort("asked_at", descending=True)["run_id"].to_list()
    if run_id not in known:
        listed = ", ".join(known[:5]) or "none yet"
        raise UsageError(f"There is no run {run_id!r}. The newest runs: {listed}.")
    return run_id


def sweep(store: Store, encoder: Encoder, config: DiscoverConfig) -> list[dict[str, object]]:
    """Try every granularity by both methods and say how stable each is; saves no run.

    Returns
    -------
    list
        As the `sweep` of a run, with `stability` (see `pipeline.cluster.stabilities`).
    """
    ids, texts = _all_prompts(store)
    vectors = vectors_of(store, encoder, ids, texts)
    found = stable_sweep(texts, vectors, config)
    trials = _trials(store, [ids[row] for row in found.sampled], found.tried, found.chosen)
    return [
        trial | {"stability": float(value)}
        for trial, value in zip(trials, found.stability, strict=True)
    ]


def _trials(
    store: Store, ids: Sequence[str], tried: Sequence[Clustering], chosen: Clustering
) -> list[dict[str, object]]:
    """Say of each granularity what is known; its gain in routing is null without outcomes."""
    groupings = [clustering.cluster_ids for clustering in tried]
    return [
        _trial(clustering, chosen=chosen) | _gain_fields(gain)
        for clustering, gain in zip(tried, _gains(store, ids, groupings), strict=True)
    ]


def _gains(
    store: Store, ids: Sequence[str], groupings: Sequence[NDArray[np.int64]]
) -> list[Gain | None]:
    try:
        prompt_ids, outcomes = outcome_matrix(
            store.read(OUTCOMES).filter(pl.col("prompt_id").is_in(ids))
        )
        case = complete_case(outcomes)
    except NotReadyError:  # no outcomes, or none that can be compared
        return [None] * len(groupings)
    known = [prompt_ids[row] for row in case.rows]
    place_of = {prompt_id: place for place, prompt_id in enumerate(ids)}
    places = np.array([place_of[prompt_id] for prompt_id in known], dtype=np.intp)
    folds = fold_numbers(known, n_folds=_N_FOLDS)
    return routing_gains([grouping[places] for grouping in groupings], case.outcomes, folds)


def _gain_fields(gain: Gain | None) -> dict[str, object]:
    return {
        "routing_points": None if gain is None else gain.points,
        "routing_lo": None if gain is None else gain.lo,
        "routing_hi": None if gain is None else gain.hi,
        "routing_n": 0 if gain is None else gain.n_prompts,
    }


def _trial(clustering: Clustering, *, chosen: Clustering) -> dict[str, object]:
    return {
        "min_cluster_size": clustering.min_cluster_size,
        "method": clustering.method,
        "n_clusters": clustering.n_clusters,
        "unclustered_share": clustering.unclustered_share,
        "validity": None if np.isnan(clustering.validity) else clustering.validity,
        "loss": granularity_loss(clustering),
        "chosen": clustering is chosen,
    }


def _all_prompts(store: Store) -> tuple[list[str], list[str]]:
    prompts = store.read(PROMPTS)
    if prompts.is_empty():
        raise NotReadyError("There are no prompts yet. Run `promptshed import FILE` first.")
    return prompts["prompt_id"].to_list(), prompts["text"].to_list()


def _members_frame(run_id: str, ids: Sequence[str], found: Grouping) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "prompt_id": ids,
            "cluster_id": found.clustering.cluster_ids,
            "x": found.places[:, 0],
            "y": found.places[:, 1],
        }
    ).with_columns(run_id=pl.lit(run_id))


def _clusters_frame(run_id: str, ids: Sequence[str], found: Grouping) -> pl.DataFrame:
    cluster_ids = found.clustering.cluster_ids
    sizes = np.bincount(cluster_ids[cluster_ids >= 0])
    rows = [
        {
            "run_id": run_id,
            "cluster_id": cluster_id,
            "name": label.name,
            "names": list(label.phrases),
            "parents": list(parents),
            "n_prompts": int(sizes[cluster_id]),
            "cohesion": label.cohesion,
            "medoid_prompt_id": ids[label.medoid],
            "exemplar_prompt_ids": [ids[row] for row in label.exemplars],
            "border_prompt_ids": [ids[row] for row in label.border],
        }
        for cluster_id, (label, parents) in enumerate(zip(found.labels, found.parents, strict=True))
    ]
    return pl.DataFrame(rows, schema=CLUSTERS.schema)
