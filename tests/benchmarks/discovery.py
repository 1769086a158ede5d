"""Compare discovery with known labels and with BERTopic, and print a Markdown table.

    python tests/benchmarks/discovery.py FILE... [--peer peer/bin/python] [--seeds 3]
                                         [--store data/benchmark.duckdb] [--out results.md]
    python tests/benchmarks/discovery.py FILE... --names 20

Each file holds prompts with a label, in any form that `promptshed import` reads. Prompts are
encoded once; every method gets the same vectors and texts, and runs in a process of its own.
BERTopic runs only with `--peer`, the Python of an environment that has it: see `bertopic_peer.py`.

With `--names` it prints, for that many clusters from large to small, our name beside the
labels that its prompts came with.

Rows: ours with the default settings; BERTopic's defaults;
k-means with as many clusters as there are labels, which no one has in practice.

Columns: NMI (arithmetic) and ARI over all prompts, the unclustered counted as one group, means
over the seeds with their range; clusters, against the labels in the heading; `out`, the share
unclustered; `alike`, the mean ARI between the groupings of two seeds; wall time with projection,
sweep and names, without encoding, and its ratio to BERTopic's in the same run; peak memory.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from pipeline.config import DiscoverConfig, ProjectConfig
from pipeline.encoders import load_encoder
from pipeline.flows.encoding import vectors_of
from pipeline.flows.grouping import cluster_vectors
from pipeline.ingest import read_file
from pipeline.label import quote
from pipeline.store import Store
from profiles.tables import PROMPTS

_PEER = Path(__file__).with_name("bertopic_peer.py")
_HEADER = "| method | NMI | ARI | clusters | out | alike | seconds | × BERTopic | MB |"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one method made of one file with one seed."""

    labels: NDArray[np.int64]
    seconds: float
    peak_mb: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Compare discovery with labels and BERTopic.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--names", type=int)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work(options.worker[0], int(options.worker[1]), options.files[0], options.worker[2])
        return
    reports = []
    for path in options.files:
        store = Store(path=options.store.with_name(f"{options.store.stem}-{path.stem}.duckdb"))
        reports.append(
            name_report(path, store, n_shown=options.names)
            if options.names
            else report(path, store, peer=options.peer, n_seeds=options.seeds)
        )
        sys.stdout.write(reports[-1] + "\n")
        sys.stdout.flush()
    if options.out:
        options.out.write_text("\n".join(reports), encoding="utf-8")


def report(path: Path, store: Store, *, peer: Path | None, n_seeds: int) -> str:
    """Run every method on one file; returns a Markdown section."""
    truth, texts, vectors = labelled(path, store)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "input.npz"
        np.savez(source, vectors=vectors, texts=np.array(texts), truth=truth.astype(str))
        found = {
            name: [run(command, seed, source) for seed in range(n_seeds)]
            for name, command in commands(peer).items()
        }
    heading = (
        f"## {path.stem}\n\n{len(truth):,} prompts, {len(set(truth))} labels, {n_seeds} seeds.\n"
    )
    return "\n".join([heading, _HEADER, "|---" * 9 + "|", *rows(found, truth)]) + "\n"


def labelled(path: Path, store: Store) -> tuple[NDArray[np.str_], list[str], NDArray[np.float32]]:
    """Return the labels, texts and vectors of the prompts that have a label, by prompt_id."""
    store.append(*read_file(path).tables())
    prompts = store.read(PROMPTS).filter(pl.col("label").is_not_null())
    texts = prompts["text"].to_list()
    vectors = vectors_of(store, load_encoder(), prompts["prompt_id"].to_list(), texts)
    return prompts["label"].to_numpy().astype(str), texts, vectors


def name_report(path: Path, store: Store, *, n_shown: int) -> str:
    """Return a Markdown section with the names of clusters beside their labels."""
    truth, texts, vectors = labelled(path, store)
    found = cluster_vectors(texts, vectors, DiscoverConfig(), encode=load_encoder().encode)
    lines = [f"## {path.stem}\n", "| prompts | name | such as | labels |", "|---|---|---|---|"]
    shown = np.unique(np.linspace(0, len(found.labels) - 1, n_shown).astype(int))
    for cluster_id in shown.tolist():
        label, of_it = found.labels[cluster_id], found.clustering.cluster_ids == cluster_id
        known = ", ".join(
            f"{name} {n / of_it.sum():.0%}" for name, n in Counter(truth[of_it]).most_common(3)
        )
        such_as = quote(texts[label.medoid]).replace("|", "/")
        lines.append(f"| {of_it.sum():,} | {label.name} | {such_as} | {known} |")
    return "\n".join(lines) + "\n"


def commands(peer: Path | None) -> Mapping[str, Sequence[str]]:
    """Return what starts each method; its arguments are added by `run`."""
    own = {
        name: [sys.executable, __file__, "--worker", name] for name in ("ours", "k-means, true k")
    }
    return own | ({"BERTopic defaults": [str(peer), str(_PEER)]} if peer else {})


def run(command: Sequence[str], seed: int, source: Path) -> Result:
    """Run one method in a process of its own."""
    target = source.with_name("output.npz")
    order = (str(source), str(seed), str(target))
    tail = order if str(_PEER) in command else (*order[1:], order[0])
    subprocess.run([*command, *tail], check=True, stdout=sys.stderr)
    with np.load(target) as data:
        return Result(
            labels=data["labels"],
            seconds=float(data["seconds"]),
            peak_mb=float(data["peak_mb"]),
        )


def work(method: str, seed: int, source: Path, target: str) -> None:
    """Cluster in this process, and write what `run` reads."""
    with np.load(source) as data:
        texts, vectors, truth = data["texts"].tolist(), data["vectors"], data["truth"]
    started = time.perf_counter()
    if method != "ours":
        labels = KMeans(len(set(truth)), random_state=seed).fit_predict(vectors)
    else:
        config = DiscoverConfig(project=ProjectConfig(seed=seed))
        labels = cluster_vectors(texts, vectors, config).clustering.cluster_ids
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.savez(target, labels=labels, seconds=seconds, peak_mb=peak_mb)


def rows(found: Mapping[str, Sequence[Result]], truth: NDArray[np.str_]) -> list[str]:
    """Return the lines of the table."""
    peer = found.get("BERTopic defaults")
    against = np.mean([one.seconds for one in peer]) if peer else np.nan
    return [
        f"| {name} | {' | '.join(_cells(results, truth, against))} |"
        for name, results in found.items()
    ]


def _cells(results: Sequence[Result], truth: NDArray[np.str_], against: float) -> list[str]:
    nmi = [normalized_mutual_info_score(truth, one.labels) for one in results]
    ari = [adjusted_rand_score(truth, one.labels) for one in results]
    alike = [adjusted_rand_score(a.labels, b.labels) for a, b in combinations(results, 2)]
    seconds = float(np.mean([one.seconds for one in results]))
    return [
        f"{np.mean(nmi):.3f} [{min(nmi):.3f}, {max(nmi):.3f}]",
        f"{np.mean(ari):.3f} [{min(ari):.3f}, {max(ari):.3f}]",
        f"{np.mean([one.labels.max() + 1 for one in results]):.0f}",
        f"{np.mean([(one.labels < 0).mean() for one in results]):.1%}",
        f"{np.mean(alike):.2f}" if alike else "–",
        f"{seconds:.1f}",
        f"{seconds / against:.2f}" if np.isfinite(against) else "–",
        f"{max(one.peak_mb for one in results):,.0f}",
    ]


if __name__ == "__main__":
    main()
