"""What the newest run has made of the domains, and the links that need no one to look."""

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.decisions import Signature, draft
from pipeline.flows.clock import now
from pipeline.flows.curation import read_proposals
from pipeline.flows.discovery import latest_run
from pipeline.flows.encoding import stored_vectors
from pipeline.matching import MATCHES, SAME_OVERLAP, match_domains, overlaps
from pipeline.store import Store
from pipeline.taxonomy import APPROVED, domains_now, member_set
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, MEMBERS, RUNS

_ACTOR = "promptshed"
_UNLIKE_SHARE = 0.05


def read_matches(store: Store) -> pl.DataFrame:
    """Return the fate of each approved domain in the newest run, and the clusters that emerged.

    Returns
    -------
    DataFrame
        As `pipeline.matching.match_domains`, without clusters that a person rejected; empty where
        there is no run or no approved domain.
    """
    if store.count(RUNS) == 0:
        return pl.DataFrame(schema=MATCHES)
    run_id = latest_run(store)
    domains = domains_now(store.read(DOMAIN_EVENTS)).filter(status=APPROVED)
    members, sets = store.read(MEMBERS, run_id=run_id), store.read(MEMBER_SETS)
    if domains.is_empty() or members.filter(pl.col("cluster_id") >= 0).is_empty():
        return pl.DataFrame(schema=MATCHES)
    seen = store.read_among(MEMBERS, "run_id", domains["run_id"].drop_nulls().unique().to_list())
    named = domains.select("domain_id", "member_set_id", "run_id")
    alike = overlaps(members, named.drop("domain_id"), sets, seen).join(
        named, on=["member_set_id", "run_id"], nulls_equal=True
    )
    held = named.join(sets, on="member_set_id")
    clustered = members.filter(pl.col("cluster_id") >= 0)
    known = _known_vectors(store, run_id, [*clustered["prompt_id"], *held["prompt_id"]])
    cluster_ids = store.read(CLUSTERS, run_id=run_id)["cluster_id"]
    cosines = _cosines(known, cluster_ids, clustered, held)
    found = match_domains(alike, cosines, _strangers(known, alike, clustered, held, seen))
    offered = read_proposals(store, run_id)
    rejected = offered.filter(status="rejected")["cluster_id"].to_list()
    return found.filter((pl.col("fate") != "emerged") | ~pl.col("cluster_id").is_in(rejected))


def link_survivors(store: Store) -> list[str]:
    """Let domains that were found again, strongly and by themselves, grow by their new prompts.

    A domain keeps every prompt a person approved and gets those of its cluster that no other
    approved domain has. One made of labels grows by labels only. The link is an event, so it is
    in the history with its evidence and can be taken back.

    Returns
    -------
    list
        The domains that grew.
    """
    matches = read_matches(store).filter("strong")
    if matches.is_empty():
        return []
    run_id, events = latest_run(store), store.read(DOMAIN_EVENTS)
    domains = domains_now(events).filter(status=APPROVED)
    sets, members = store.read(MEMBER_SETS), store.read(MEMBERS, run_id=run_id)
    held = domains.select("domain_id", "member_set_id").join(sets, on="member_set_id")
    made_of_prompts = matches.join(
        domains.filter(pl.col("run_id").is_not_null()), on="domain_id", how="semi"
    )
    steps, rows = [], []
    for domain_id, cluster_id in made_of_prompts.select("domain_id", "cluster_id").iter_rows():
        own = set(held.filter(domain_id=domain_id)["prompt_id"])
        free = members.filter(cluster_id=cluster_id).join(held, on="prompt_id", how="anti")
        if free.is_empty():
            continue
        set_id, grown = member_set({*own, *free["prompt_id"]})
        step = {"verb": "link", "domain_id": domain_id, "member_set_id": set_id}
        steps.append(step | {"run_id": run_id, "cluster_id": cluster_id})
        rows.append(grown)
    reason = "found again by its own prompts alone, with prototypes alike"
    drafted = draft(events, steps, Signature(actor=_ACTOR, at=now(), reason=reason), rows)
    if steps:
        store.append((MEMBER_SETS, drafted.sets), (DOMAIN_EVENTS, drafted.events))
    return drafted.domain_ids


def _known_vectors(
    store: Store, run_id: str, prompt_ids: Iterable[str]
) -> dict[str, NDArray[np.float32]]:
    encoder_id = store.read(RUNS, run_id=run_id)["encoder_id"].item()
    return stored_vectors(store, encoder_id, sorted(set(prompt_ids)))


def _cosines(
    known: dict[str, NDArray[np.float32]],
    cluster_ids: pl.Series,
    clustered: pl.DataFrame,
    held: pl.DataFrame,
) -> pl.DataFrame:
    """Return the cosine of the prototypes of every domain and every cluster of the run."""
    there = held.filter(pl.col("prompt_id").is_in(list(known)))
    domain_ids, ours = _prototypes(held["domain_id"].unique().sort(), there, "domain_id", known)
    found, theirs = _prototypes(cluster_ids, clustered, "cluster_id", known)
    return (
        pl.DataFrame({"domain_id": domain_ids})
        .join(pl.DataFrame({"cluster_id": found}), how="cross")
        .with_columns(cosine=pl.Series((ours @ theirs.T).ravel()))
    )


def _strangers(
    known: dict[str, NDArray[np.float32]],
    alike: pl.DataFrame,
    clustered: pl.DataFrame,
    held: pl.DataFrame,
    seen: pl.DataFrame,
) -> pl.DataFrame:
    """Return, of what came to each cluster after a domain's decision, the share unlike the domain.

    Unlike is what is farther from the domain's prototype than all but a twentieth of its prompts.
    """
    rows, seen_in = [], dict(seen.group_by("run_id").agg("prompt_id").iter_rows())
    for domain_id, run_id, cluster_id in (
        alike.filter(pl.col("overlap") >= SAME_OVERLAP)
        .select("domain_id", "run_id", "cluster_id")
        .iter_rows()
    ):
        own = held.filter(domain_id=domain_id)["prompt_id"]
        before = {*own, *seen_in.get(run_id, ())}
        inside = clustered.filter(cluster_id=cluster_id)["prompt_id"]
        ours, new = (
            np.array([known[p] for p in prompts if p in known])
            for prompts in (own, [p for p in inside if p not in before])
        )
        if len(ours) and len(new):
            mean = ours.mean(axis=0)
            least = np.quantile(ours @ mean, _UNLIKE_SHARE)
            rows.append((domain_id, cluster_id, float(np.mean(new @ mean < least))))
    columns = {"domain_id": pl.String, "cluster_id": pl.Int64, "share_strange": pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row")


def _prototypes(
    keys: pl.Series, held: pl.DataFrame, column: str, known: dict[str, NDArray[np.float32]]
) -> tuple[list[object], NDArray[np.float64]]:
    """Return the unit mean vector of each key's prompts; zero where none has a vector."""
    if not known:
        return keys.to_list(), np.zeros((len(keys), 1))
    place = {key: row for row, key in enumerate(keys)}
    sums = np.zeros((len(place), len(next(iter(known.values())))))
    rows = [place[key] for key in held[column]]
    np.add.at(sums, rows, np.stack([known[prompt_id] for prompt_id in held["prompt_id"]]))
    norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return keys.to_list(), sums / norms
