"""What the newest run has made of the domains, and the links that need no one to look."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.decisions import Signature, draft
from pipeline.flows.clock import now
from pipeline.flows.discovery import latest_run
from pipeline.flows.encoding import stored_vectors, vector_matrix
from pipeline.flows.proposals import read_overlaps, read_proposals
from pipeline.matching import MATCHES, SAME_OVERLAP, match_domains, moved_share
from pipeline.store import Store
from pipeline.taxonomy import APPROVED, domains_now, member_set
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, MEMBERS, RUNS

_ACTOR = "promptshed"
_UNLIKE_SHARE = 0.05


def read_matches(
    store: Store, run_id: str | None = None, *, alike: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the fate of each approved domain in a run (the newest), and what emerged there.

    Parameters
    ----------
    alike
        What `read_overlaps` gives for the run, where it is known already.

    Returns
    -------
    DataFrame
        As `pipeline.matching.match_domains`, without clusters that a person rejected; empty where
        there is no run or no approved domain.
    """
    with store.reading():
        if store.count(RUNS) == 0:
            return pl.DataFrame(schema=MATCHES)
        run_id = run_id or latest_run(store)
        domains = domains_now(store.read(DOMAIN_EVENTS)).filter(status=APPROVED)
        clusters = store.read(CLUSTERS, run_id=run_id).select("cluster_id")
        if domains.is_empty() or clusters.is_empty():
            return pl.DataFrame(schema=MATCHES)
        named = domains.select("domain_id", "member_set_id", "run_id")
        alike = read_overlaps(store, run_id) if alike is None else alike
        of_domains = alike.join(named, on=["member_set_id", "run_id"], nulls_equal=True)
        found = match_domains(
            of_domains,
            _cosines(store, run_id, named, clusters),
            _strangers(store, run_id, of_domains),
        )
        offered = read_proposals(store, run_id, alike=alike)
    rejected = offered.filter(status="rejected")["cluster_id"].to_list()
    return found.filter((pl.col("fate") != "emerged") | ~pl.col("cluster_id").is_in(rejected))


def read_moves(store: Store, run_ids: Sequence[str]) -> pl.DataFrame:
    """Return run_id and moved, against the run before it, of all of these runs but the first.

    See `pipeline.matching.moved_share`.
    """
    moves = []
    with store.reading():
        for before, after in pairwise(run_ids):
            shared = store.query(
                "SELECT b.cluster_id AS before, a.cluster_id AS after, count(*) AS n "
                "FROM members b JOIN members a USING (prompt_id) "
                "WHERE b.run_id = $before AND a.run_id = $after GROUP BY ALL",
                {"before": before, "after": after},
            )
            moves.append((after, moved_share(shared)))
    return pl.DataFrame(moves, schema={"run_id": pl.String, "moved": pl.Float64}, orient="row")


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


def _cosines(
    store: Store, run_id: str, domains: pl.DataFrame, clusters: pl.DataFrame
) -> pl.DataFrame:
    """Return the cosine of the prototypes of every domain and every cluster of the run."""
    domain_sums, cluster_sums = _sums(store, run_id, domains, clusters)
    ours, theirs = _unit_rows(domain_sums), _unit_rows(cluster_sums)
    pairs = domains.select("domain_id").join(clusters, how="cross", maintain_order="left_right")
    return pairs.with_columns(cosine=pl.Series((ours @ theirs.T).ravel()))


def _sums(
    store: Store, run_id: str, domains: pl.DataFrame, clusters: pl.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the vectors of every domain and of every cluster, in one pass over the vectors."""
    encoder_id = store.read(RUNS, run_id=run_id)["encoder_id"].item()
    rows = store.batches(
        "WITH held AS (SELECT prompt_id, place, row_number() OVER (PARTITION BY prompt_id) AS nth "
        "FROM member_sets JOIN (SELECT unnest($sets) AS member_set_id, unnest($places) AS place) "
        "USING (member_set_id)), "
        "own AS (SELECT prompt_id, cluster_id FROM members "
        "WHERE run_id = $run_id AND cluster_id >= 0) "
        "SELECT vector, coalesce(place, -1) AS place, "
        "CASE WHEN nth > 1 THEN -1 ELSE coalesce(cluster_id, -1) END AS cluster_id "
        "FROM vectors LEFT JOIN held USING (prompt_id) LEFT JOIN own USING (prompt_id) "
        "WHERE encoder_id = $encoder_id AND (place IS NOT NULL OR cluster_id IS NOT NULL)",
        {
            "sets": domains["member_set_id"].to_list(),
            "places": list(range(domains.height)),
            "run_id": run_id,
            "encoder_id": str(encoder_id),
        },
    )
    place_of = {cluster_id: place for place, cluster_id in enumerate(clusters["cluster_id"])}
    sums = [np.zeros((n, 1)) for n in (domains.height, clusters.height)]
    for batch in rows:
        vectors = vector_matrix(batch["vector"])
        places = batch["cluster_id"].replace_strict(place_of, default=-1)
        for kind, group in enumerate((batch["place"], places)):
            sums[kind] = sums[kind] + _group_sums(vectors, group.to_numpy(), len(sums[kind]))
    return sums[0], sums[1]


def _group_sums(
    vectors: NDArray[np.float32], group: NDArray[np.int64], n_groups: int
) -> NDArray[np.float64]:
    """Add up the rows of each group, shape (n_groups, n_dims); those of -1 do not count."""
    kept = np.flatnonzero(group >= 0)
    ones = np.ones(len(kept), dtype=np.float32)
    which = csr_matrix((ones, (group[kept], kept)), shape=(n_groups, len(vectors)))
    return np.asarray(which @ vectors, dtype=np.float64)


def _unit_rows(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale rows to length 1; those of nothing stay zero."""
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def _strangers(store: Store, run_id: str, alike: pl.DataFrame) -> pl.DataFrame:
    """Return, of what came to each cluster after a domain's decision, the share unlike the domain.

    Unlike is what is farther from the domain's prototype than all but a twentieth of its prompts.
    """
    columns = {"domain_id": pl.String, "cluster_id": pl.Int64, "share_strange": pl.Float64}
    came = _newcomers(store, run_id, alike)
    encoder_id = str(store.read(RUNS, run_id=run_id)["encoder_id"].item())
    rows = []
    for (domain_id, set_id, cluster_id), new in came.group_by(
        "domain_id", "member_set_id", "cluster_id", maintain_order=True
    ):
        own = store.read(MEMBER_SETS, member_set_id=set_id)["prompt_id"].to_list()
        known = stored_vectors(store, encoder_id, [*own, *new["prompt_id"]])
        ours = [known[prompt_id] for prompt_id in own if prompt_id in known]
        theirs = [known[prompt_id] for prompt_id in new["prompt_id"] if prompt_id in known]
        if ours and theirs:
            mean = np.mean(ours, axis=0)
            least = np.quantile(ours @ mean, _UNLIKE_SHARE)
            rows.append((domain_id, cluster_id, float(np.mean(theirs @ mean < least))))
    return pl.DataFrame(rows, schema=columns, orient="row")


def _newcomers(store: Store, run_id: str, alike: pl.DataFrame) -> pl.DataFrame:
    """Return the prompts of clusters like a domain that its decision had not seen."""
    pairs = alike.filter(
        pl.col("overlap") >= SAME_OVERLAP, pl.col("run_id").ne_missing(run_id)
    ).sort("domain_id", "cluster_id")
    return store.query(
        "WITH pairs AS (SELECT unnest($domains::VARCHAR[]) AS domain_id, "
        "unnest($sets::VARCHAR[]) AS member_set_id, unnest($runs::VARCHAR[]) AS seen_in, "
        "unnest($clusters::BIGINT[]) AS cluster_id) "
        "SELECT domain_id, member_set_id, pairs.cluster_id, prompt_id FROM pairs "
        "JOIN members ON run_id = $run_id AND members.cluster_id = pairs.cluster_id "
        "ANTI JOIN member_sets USING (member_set_id, prompt_id) "
        "WHERE NOT EXISTS (SELECT 1 FROM members AS earlier "
        "WHERE earlier.run_id = seen_in AND earlier.prompt_id = members.prompt_id) "
        "ORDER BY ALL",
        {
            "domains": pairs["domain_id"].to_list(),
            "sets": pairs["member_set_id"].to_list(),
            "runs": pairs["run_id"].to_list(),
            "clusters": pairs["cluster_id"].to_list(),
            "run_id": run_id,
        },
    )
