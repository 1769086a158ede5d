"""Make new domains of parts of one: of chosen prompts, of its clusters, of the newest run's."""

from collections.abc import Collection

import numpy as np
import polars as pl

from pipeline.config import DiscoverConfig
from pipeline.decisions import Group, require_status, split_domain
from pipeline.embed import Encoder
from pipeline.flows.discovery import latest_run
from pipeline.flows.encoding import vectors_of
from pipeline.flows.grouping import cluster_vectors
from pipeline.flows.recording import newest_run, record, sign
from pipeline.store import Store
from pipeline.taxonomy import APPROVED, domain_name, domains_now, find_domain
from profiles.errors import UsageError
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, MEMBERS, PROMPTS


def split_by_prompts(
    store: Store,
    domain: str,
    prompt_ids: Collection[str],
    name: str,
    *,
    actor: str,
    reason: str | None = None,
) -> list[str]:
    """Make a new domain of some prompts of one, which keeps the others.

    Returns
    -------
    list
        The old domain's id, then the new one's.
    """
    events = store.read(DOMAIN_EVENTS)
    row = find_domain(domains_now(events), domain)
    part = Group(
        name=domain_name(name),
        prompt_ids=sorted(set(prompt_ids)),
        run_id=newest_run(store),
    )
    drafted = split_domain(events, store.read(MEMBER_SETS), row, [part], sign(actor, reason))
    return record(store, drafted)


def split_by_clusters(
    store: Store,
    domain: str,
    encoder: Encoder,
    config: DiscoverConfig,
    *,
    actor: str,
    reason: str | None = None,
) -> list[str]:
    """Cluster a domain's own prompts; it keeps the largest group and what is in none.

    Returns
    -------
    list
        The old domain's id, then the new ones', largest first.

    Raises
    ------
    UsageError
        If its prompts form no two groups.
    """
    events, sets = store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS)
    row = find_domain(domains_now(events), domain)
    require_status(row, APPROVED)
    ids = sets.filter(member_set_id=row["member_set_id"])["prompt_id"].to_list()
    text_of = dict(store.read_among(PROMPTS, "prompt_id", ids)["prompt_id", "text"].iter_rows())
    ids = [prompt_id for prompt_id in ids if prompt_id in text_of]
    texts = [text_of[prompt_id] for prompt_id in ids]
    vectors = vectors_of(store, encoder, ids, texts)
    grouping = cluster_vectors(texts, vectors, config, encode=encoder.encode)
    found = grouping.clustering.cluster_ids
    if grouping.clustering.n_clusters < 2:
        raise UsageError(
            f"The {len(ids)} prompts of domain {row['domain_id']} form no two groups. Try a "
            "smaller --min-cluster-size, or choose prompts yourself with --prompts."
        )
    run_id = newest_run(store)
    parts = [
        Group(
            name=label.name,
            prompt_ids=[ids[member] for member in np.flatnonzero(found == number)],
            run_id=run_id,
        )
        for number, label in enumerate(grouping.labels)
    ]
    return record(store, split_domain(events, sets, row, parts[1:], sign(actor, reason)))


def split_one_level_down(
    store: Store, domain: str, *, actor: str, reason: str | None = None
) -> list[str]:
    """Make a domain of each cluster of the newest run that mostly lies in this domain.

    The domain keeps the largest part, and its prompts that are in no such cluster.

    Returns
    -------
    list
        The old domain's id, then the new ones', largest first.

    Raises
    ------
    UsageError
        If fewer than two clusters mostly lie in it.
    """
    events, sets = store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS)
    row = find_domain(domains_now(events), domain)
    require_status(row, APPROVED)
    run_id = latest_run(store)
    own = sets.filter(member_set_id=row["member_set_id"]).select("prompt_id")
    parts = (
        store.read(MEMBERS, run_id=run_id)
        .join(own, on="prompt_id", how="semi")
        .group_by("cluster_id")
        .agg("prompt_id", n_own=pl.len())
        .join(store.read(CLUSTERS, run_id=run_id), on="cluster_id")
        .filter(2 * pl.col("n_own") > pl.col("n_prompts"))
        .sort("n_own", "cluster_id", descending=[True, False])
    )
    if parts.height < 2:
        raise UsageError(
            f"Of the newest run's clusters, {parts.height} mostly lie in domain "
            f"{row['domain_id']}; two or more can become domains. Leave --one-level-down out to "
            "cluster its own prompts."
        )
    groups = [
        Group(name=name, prompt_ids=prompt_ids, run_id=run_id)
        for name, prompt_ids in parts.select("name", "prompt_id").iter_rows()
    ]
    return record(store, split_domain(events, sets, row, groups[1:], sign(actor, reason)))
