"""Follow domains through new prompts and new topics, and print what the matching got right.

    python tests/benchmarks/drift.py FILE... [--labels 40] [--held-back 8] [--rejected 4]
                                     [--store data/benchmark.duckdb]
                                     [--out tests/benchmarks/results/drift.md]

The files hold prompts with a label; the largest ones are taken, at most a fifth of them held back.
Half of the prompts of the others are discovered; the smallest clusters whose label no other cluster
stands for are rejected, the rest approved. Then the other prompts come, with all of the labels held
back, and are discovered again. A cluster or domain stands for the label of most of its prompts.

Printed: what became of the domains; the survivors whose cluster stands for the same label
(precision), and of the domains whose label some cluster stands for, those that survived (recall);
the same precision of those that are linked unseen; the held-back labels that a cluster stands for,
and those of them that wait in the inbox as emerged; and how many clusters that stand for a rejected
label wait again.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from pipeline.config import DiscoverConfig
from pipeline.embed import Encoder
from pipeline.encoders import load_encoder
from pipeline.flows.curation import approve_clusters, reject_cluster
from pipeline.flows.discovery import discover, latest_run
from pipeline.flows.identity import link_survivors, read_matches
from pipeline.flows.proposals import read_proposals
from pipeline.ingest import read_file
from pipeline.split import fold_numbers
from pipeline.store import Store
from profiles.tables import MEMBERS, PROMPTS, VECTORS

STATED_OUT = ("oos", "unclear", "other")
"""Labels for prompts of no kind: they are no domain."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Follow domains through drift.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--labels", type=int, default=40)
    parser.add_argument("--held-back", type=int, default=8)
    parser.add_argument("--rejected", type=int, default=4)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    reports = []
    for path in options.files:
        known = Store(path=options.store.with_name(f"{options.store.stem}-{path.stem}.duckdb"))
        reports.append(f"## {path.stem}\n\n{follow(path, known, options)}")
        sys.stdout.write(reports[-1] + "\n")
        sys.stdout.flush()
    if options.out:
        options.out.write_text("# Domains in drift\n\n" + "\n".join(reports), encoding="utf-8")


def follow(path: Path, known: Store, options: argparse.Namespace) -> str:
    """Run both discoveries on one file; vectors in `known` are not computed again."""
    is_known = pl.col("label").is_not_null() & ~pl.col("label").is_in(STATED_OUT)
    prompts = read_file(path).prompts.filter(is_known)
    sizes = prompts["label"].value_counts().sort(["count", "label"], descending=[True, False])
    labels = sorted(sizes["label"][: options.labels])
    prompts = prompts.filter(pl.col("label").is_in(labels)).sort("prompt_id")
    ids = prompts["prompt_id"].to_list()
    fold = pl.Series(fold_numbers(tuple(ids), n_folds=2))
    n_held_back = min(options.held_back, len(labels) // 5)
    held_back = labels[:: len(labels) // max(n_held_back, 1)][:n_held_back]
    early = (fold == 0) & ~prompts["label"].is_in(held_back)
    with tempfile.TemporaryDirectory() as folder:
        store, encoder = Store(path=Path(folder) / "drift.duckdb"), load_encoder()
        if known.exists():
            store.append((VECTORS, known.read_among(VECTORS, "prompt_id", ids)))
        _learn(store, encoder, prompts.filter(early))
        rejected = _decide(store, options.rejected)
        _learn(store, encoder, prompts.filter(~early))
        return _report(store, held_back, rejected)


def _learn(store: Store, encoder: Encoder, prompts: pl.DataFrame) -> None:
    source = store.path.with_name(f"{prompts.height}.jsonl")
    prompts.select(prompt="text", label="label").write_ndjson(source)
    store.append(*read_file(source).tables())
    discover(store, encoder, DiscoverConfig())


def _decide(store: Store, n_rejected: int) -> list[str]:
    """Reject small clusters and approve the others; returns the labels rejected."""
    named = _labels_of_clusters(store)
    times = Counter(named.values())
    alone = [cluster_id for cluster_id in sorted(named) if times[named[cluster_id]] == 1]
    refused = alone[max(len(alone) - n_rejected, 0) :]
    for cluster_id in refused:
        reject_cluster(store, cluster_id, actor="benchmark", reason=None)
    for cluster_id in sorted(set(named) - set(refused)):
        approve_clusters(store, [cluster_id], actor="benchmark", name=named[cluster_id])
    return sorted(named[cluster_id] for cluster_id in refused)


def _labels_of_clusters(store: Store) -> dict[int, str]:
    """Return the label of most prompts of each cluster of the newest run."""
    members = store.read(MEMBERS, run_id=latest_run(store)).filter(pl.col("cluster_id") >= 0)
    labelled = members.join(store.read(PROMPTS), on="prompt_id")
    counted = labelled.group_by("cluster_id", "label").len().sort("len", "label")
    return dict(counted.select("cluster_id", "label").iter_rows())


def _report(store: Store, held_back: Collection[str], rejected: Collection[str]) -> str:
    matches, named = read_matches(store), _labels_of_clusters(store)
    names = dict(
        store.query("SELECT domain_id, name FROM domain_events WHERE name IS NOT NULL").iter_rows()
    )
    whole = matches.filter(fate="survived").select("domain_id", "cluster_id").rows()
    right = [names[domain_id] == named[cluster_id] for domain_id, cluster_id in whole]
    findable = [d for d, name in names.items() if name in set(named.values())]
    survivors = {domain_id for domain_id, _ in whole}
    statuses = dict(read_proposals(store).select("cluster_id", "status").iter_rows())
    emerged = set(matches.filter(fate="emerged")["cluster_id"])
    new = {label for label in held_back if label in set(named.values())}
    found = {named[cluster_id] for cluster_id in emerged} & new
    back = [c for c, label in named.items() if label in rejected]
    fates = Counter(
        row["fate"] for row in matches.unique(["fate", "domain_id", "cluster_id"]).to_dicts()
    )
    strong = matches.filter("strong").select("domain_id", "cluster_id").rows()
    linked = [names[domain_id] == named[cluster_id] for domain_id, cluster_id in strong]
    grown, again = len(link_survivors(store)), sum(statuses[c] == "waiting" for c in back)
    n_found = len(survivors & set(findable))
    told = ", ".join(f"{n} {fate}" for fate, n in sorted(fates.items()))
    without = sorted(set(held_back) - found)
    those = f"{len(found)}" + (f" (not {', '.join(without)})" if without else "")
    lines = [
        f"- {len(names)} domains; fates: {told}",
        f"- survivors with the right label: {sum(right)} of {len(right)} (precision)",
        f"- findable domains that survived: {n_found} of {len(findable)} (recall)",
        f"- linked unseen with the right label: {sum(linked)} of {len(linked)}; {grown} grew",
        f"- held-back labels with a cluster: {len(new)} of {len(held_back)}; emerged: {those}",
        f"- clusters of {len(rejected)} rejected labels: {len(back)}; waiting again: {again}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
