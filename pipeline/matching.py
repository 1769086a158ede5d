"""Clusters of a new run and the domains decided before: which is which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.taxonomy import APPROVED, domains_now, in_force

SAME_OVERLAP = 0.5
"""Least shared part at which a cluster is taken for a domain, or for what was rejected."""
_PART = 0.2
_STRONG_OVERLAP, _STRONG_COSINE = 0.7, 0.9
_TIE = 1e-3
_MOST_STRANGE = 0.25


def overlaps(
    members: pl.DataFrame, decided: pl.DataFrame, sets: pl.DataFrame, seen: pl.DataFrame
) -> pl.DataFrame:
    """Count the prompts that clusters share with sets decided earlier.

    Prompts that came after the decision speak neither for nor against: `overlap` is the number of
    shared prompts over those of either side, of a cluster only the ones that were there when the
    set was decided (Jaccard 1912, on what could be compared).

    Parameters
    ----------
    members
        The MEMBERS rows of the new run.
    decided
        Columns member_set_id and run_id: the newest run when the set was decided; null where
        there was none, then every prompt of the new run counts.
    sets, seen
        The MEMBER_SETS table, and the MEMBERS rows of the runs in `decided`.

    Returns
    -------
    DataFrame
        member_set_id, run_id, cluster_id, n_shared, n_set, n_known (prompts of the cluster that
        were there) and overlap in (0, 1]; only pairs that share a prompt.
    """
    clustered = members.filter(pl.col("cluster_id") >= 0).select("prompt_id", "cluster_id")
    there = pl.concat([seen.select("run_id", "prompt_id"), _own(decided, sets)]).unique()
    known = there.join(clustered, on="prompt_id").group_by("run_id", "cluster_id").len("n_known")
    sizes = clustered.group_by("cluster_id").len("n_cluster")
    return (
        decided.unique()
        .join(sets, on="member_set_id")
        .with_columns(n_set=pl.len().over("member_set_id", "run_id"))
        .join(clustered, on="prompt_id")
        .group_by("member_set_id", "run_id", "cluster_id", "n_set")
        .len("n_shared")
        .join(known, on=["run_id", "cluster_id"], how="left")
        .join(sizes, on="cluster_id")
        .with_columns(n_known=pl.coalesce("n_known", "n_cluster"))
        .with_columns(
            overlap=pl.col("n_shared") / (pl.col("n_known") + pl.col("n_set") - pl.col("n_shared"))
        )
        .drop("n_cluster")
        .cast({"n_shared": pl.Int64, "n_set": pl.Int64, "n_known": pl.Int64})
        .sort("member_set_id", "run_id", "cluster_id")
    )


def _own(decided: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Return the decided prompts: they were there too, whatever run they came from."""
    dated = decided.filter(pl.col("run_id").is_not_null())
    return dated.join(sets, on="member_set_id").select("run_id", "prompt_id")


def decided_sets(events: pl.DataFrame) -> pl.DataFrame:
    """Return member_set_id and run_id of what is approved and of what was rejected."""
    columns = ["member_set_id", "run_id"]
    approved = domains_now(events).filter(status=APPROVED)
    refused = in_force(events).filter(verb="reject")
    return pl.concat([approved.select(columns), refused.select(columns)]).unique()


def proposals(clusters: pl.DataFrame, alike: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Return the clusters of one run with what was decided about each.

    Parameters
    ----------
    clusters
        The CLUSTERS rows of the run.
    alike
        The `overlaps` of its clusters with the `decided_sets`.
    events
        The DOMAIN_EVENTS table.

    Returns
    -------
    DataFrame
        `clusters` with `domain_id` (of the approved domain whose overlap is largest and at least
        `SAME_OVERLAP`, or which the cluster was given to; null if none) and `status`: approved,
        rejected (the same overlap with prompts that were rejected) or waiting. Sorted by
        cluster_id.
    """
    approved = domains_now(events).filter(status=APPROVED)
    refused = in_force(events).filter(verb="reject")
    columns = ["member_set_id", "run_id"]
    alike = alike.filter(pl.col("overlap") >= SAME_OVERLAP)
    found = (
        alike.join(approved.select("domain_id", *columns), on=columns, nulls_equal=True)
        .sort(["overlap", "domain_id"], descending=[True, False])
        .unique("cluster_id", keep="first", maintain_order=True)
        .select("cluster_id", "domain_id")
    )
    given = _given_away(clusters, events, approved["domain_id"])
    found = pl.concat([given, found.join(given, on="cluster_id", how="anti")])
    rejected = alike.join(refused, on=columns, how="semi", nulls_equal=True)["cluster_id"]
    return (
        clusters.join(found, on="cluster_id", how="left")
        .with_columns(status=_status(rejected.to_list()))
        .sort("cluster_id")
    )


def _given_away(clusters: pl.DataFrame, events: pl.DataFrame, approved: pl.Series) -> pl.DataFrame:
    """Return cluster_id and domain_id of clusters of this run that were given to a domain.

    A small cluster and the large domain that has it now share too little to be taken for another.
    """
    links = in_force(events).filter(
        (pl.col("verb") == "link") & pl.col("domain_id").is_in(approved.implode())
    )
    here = clusters.select("run_id", "cluster_id")
    return (
        links.join(here, on=["run_id", "cluster_id"])
        .sort("event_id")
        .unique("cluster_id", keep="last")
        .select("cluster_id", "domain_id")
    )


def _status(rejected: Iterable[int]) -> pl.Expr:
    return (
        pl.when(pl.col("domain_id").is_not_null())
        .then(pl.lit("approved"))
        .when(pl.col("cluster_id").is_in(list(rejected)))
        .then(pl.lit("rejected"))
        .otherwise(pl.lit("waiting"))
    )


def match_domains(
    alike: pl.DataFrame, cosines: pl.DataFrame, strangers: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Say what a run has made of each domain, and which clusters no domain explains.

    Domains and clusters are paired one to one so that the sum of overlaps is largest (Kuhn 1955;
    the cosine of their prototypes decides ties).

    Parameters
    ----------
    alike
        The `overlaps` of approved domains, with their domain_id.
    cosines
        Columns domain_id, cluster_id and cosine: every domain with every cluster.
    strangers
        Columns domain_id, cluster_id and share_strange: of the prompts that came to the cluster
        after the decision, the share that is unlike the domain; null where none came.

    Returns
    -------
    DataFrame
        One row for each domain and cluster it went to, then one for each cluster that is left;
        columns as in `MATCHES`. The fates:

        survived
            it is paired, and the overlap is at least `SAME_OVERLAP`;
        split
            several clusters each hold a fifth of it and consist of it by half;
        merged
            a cluster holds half of it and half of another, a fifth of the cluster each;
        vanished
            none of these; the cluster is the one it is paired with, null if it shares nothing;
        emerged
            a cluster that none of the first three explains; domain_id is null.

        `strong` marks a survivor that may be linked unseen: the cosine is at least .9, no other
        domain has a fifth of the cluster and no other cluster a fifth of the domain, and at most a
        quarter of what came to it is unlike the domain: a new topic may have joined it.
    """
    domain_ids = cosines["domain_id"].unique().sort().to_list()
    cluster_ids = cosines["cluster_id"].unique().sort().to_list()
    grid = _Grid.of(alike, cosines, domain_ids, cluster_ids)
    rows = [row for number in range(len(domain_ids)) for row in grid.fates(number)]
    explained = {row["cluster_id"] for row in rows if row["fate"] != "vanished"}
    rows += [
        {"fate": "emerged", "cluster_id": cluster_id, "strong": False}
        for cluster_id in cluster_ids
        if cluster_id not in explained
    ]
    found = pl.DataFrame(rows, schema=_PAIRED)
    if strangers is None:
        return found.with_columns(share_strange=pl.lit(None, pl.Float64))
    known = found.join(strangers, on=["domain_id", "cluster_id"], how="left", maintain_order="left")
    is_strange = pl.col("share_strange").fill_null(0.0) > _MOST_STRANGE
    return known.with_columns(strong=pl.col("strong") & ~is_strange)


def moved_share(shared: pl.DataFrame) -> float | None:
    """Return the share of prompts that changed their cluster between two runs.

    Clusters have no names that last, so those of both runs are paired one to one such that most
    prompts stay (Kuhn 1955); being in no cluster is a place of its own.

    Parameters
    ----------
    shared
        Columns before, after (cluster ids, -1 for none) and n, over prompts of both runs.

    Returns
    -------
    float or None
        In [0, 1]; None where the runs share no prompt.
    """
    total = int(shared["n"].sum())
    if total == 0:
        return None
    clusters = shared.filter((pl.col("before") >= 0) & (pl.col("after") >= 0))
    stayed = int(shared.filter(before=-1, after=-1)["n"].sum())
    if not clusters.is_empty():
        rows, columns = clusters["before"].rank("dense") - 1, clusters["after"].rank("dense") - 1
        counts = np.zeros((rows.n_unique(), columns.n_unique()))
        counts[rows.to_numpy(), columns.to_numpy()] = clusters["n"].to_numpy()
        stayed += int(counts[linear_sum_assignment(counts, maximize=True)].sum())
    return 1.0 - stayed / total


_PAIRED = pl.Schema(
    {
        "fate": pl.String,
        "domain_id": pl.String,
        "cluster_id": pl.Int64,
        "n_shared": pl.Int64,
        "share_of_domain": pl.Float64,  # of its prompts, those in the cluster
        "share_of_cluster": pl.Float64,  # of its prompts that were there, those in the domain
        "overlap": pl.Float64,
        "cosine": pl.Float64,  # of the prototypes
        "strong": pl.Boolean,
    }
)
MATCHES = pl.Schema({**_PAIRED, "share_strange": pl.Float64()})  # of those that came later


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Evidence for every pair; arrays of shape (n_domains, n_clusters)."""

    domain_ids: list[str]
    cluster_ids: list[int]
    n_shared: NDArray[np.float64]
    share_of_domain: NDArray[np.float64]
    share_of_cluster: NDArray[np.float64]
    overlap: NDArray[np.float64]
    cosine: NDArray[np.float64]
    partner: Mapping[int, int]

    @classmethod
    def of(
        cls,
        alike: pl.DataFrame,
        cosines: pl.DataFrame,
        domain_ids: list[str],
        cluster_ids: list[int],
    ) -> "_Grid":
        pairs = cosines.join(alike, on=["domain_id", "cluster_id"], how="left").select(
            "domain_id",
            "cluster_id",
            pl.col("cosine"),
            n_shared=pl.col("n_shared").fill_null(0),
            share_of_domain=(pl.col("n_shared") / pl.col("n_set")).fill_null(0.0),
            share_of_cluster=(pl.col("n_shared") / pl.col("n_known")).fill_null(0.0),
            overlap=pl.col("overlap").fill_null(0.0),
        )
        shape = (len(domain_ids), len(cluster_ids))
        ordered = pairs.sort("domain_id", "cluster_id")
        arrays = {
            name: ordered[name].to_numpy().astype(np.float64).reshape(shape)
            for name in ("n_shared", "share_of_domain", "share_of_cluster", "overlap", "cosine")
        }
        gain = arrays["overlap"] + _TIE * arrays["cosine"]
        paired = zip(*linear_sum_assignment(gain, maximize=True), strict=True)
        return cls(
            domain_ids=domain_ids,
            cluster_ids=cluster_ids,
            partner={int(d): int(c) for d, c in paired if arrays["overlap"][d, c] > 0},
            **arrays,
        )

    def fates(self, d: int) -> list[dict[str, object]]:
        """Return the rows of one domain."""
        held = self.share_of_domain[d] >= _PART
        parts = np.flatnonzero(held & (self.share_of_cluster[d] >= SAME_OVERLAP))
        if len(parts) > 1:
            return [self._row("split", d, int(c)) for c in parts]
        most = int(np.argmax(self.share_of_domain[d])) if self.cluster_ids else None
        if most is not None and self._is_shared(d, most):
            return [self._row("merged", d, most)]
        paired = self.partner.get(d)
        if paired is not None and self.overlap[d, paired] >= SAME_OVERLAP:
            return [self._row("survived", d, paired)]
        return [self._row("vanished", d, paired)]

    def _is_shared(self, d: int, c: int) -> bool:
        joined = (self.share_of_domain[:, c] >= SAME_OVERLAP) & (
            self.share_of_cluster[:, c] >= _PART
        )
        return bool(joined[d] and joined.sum() > 1)

    def _row(self, fate: str, d: int, c: int | None) -> dict[str, object]:
        row: dict[str, object] = {"fate": fate, "domain_id": self.domain_ids[d], "strong": False}
        if c is None:
            return row
        alone = (self.share_of_cluster[:, c] >= _PART).sum() <= 1
        whole = (self.share_of_domain[d] >= _PART).sum() <= 1
        alike = self.overlap[d, c] >= _STRONG_OVERLAP and self.cosine[d, c] >= _STRONG_COSINE
        is_strong = fate == "survived" and alike and alone and whole
        return row | {
            "cluster_id": self.cluster_ids[c],
            "n_shared": int(self.n_shared[d, c]),
            "share_of_domain": float(self.share_of_domain[d, c]),
            "share_of_cluster": float(self.share_of_cluster[d, c]),
            "overlap": float(self.overlap[d, c]),
            "cosine": float(self.cosine[d, c]),
            "strong": bool(is_strong),
        }
