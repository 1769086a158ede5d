"""Compare discovery with known labels and with other tools, and print a Markdown table.

    python -m tests.benchmarks.discovery FILE... [--peer peer/bin/python] [--seeds 5]
                       [--store data/benchmark.duckdb] [--kept data/kept] [--out results.md]
    python -m tests.benchmarks.discovery FILE... --names 20

Each file holds prompts with a label, in any form that `promptshed import` reads. Prompts are
encoded once; every method gets the same vectors and texts, runs in a process of its own with one
thread, and clusters the first rows once before it is measured, so that compiling is not counted.
BERTopic and EVoC run only with `--peer`, the Python of an environment that has them: see
`discovery_peer.py`; `--methods ours,bertopic` runs these only. What is in the folder `--kept` is
not run again, also where fewer seeds were done.

With `--names` it prints, for that many clusters from large to small, our name beside the
labels that its prompts came with.
"""

import argparse
import os
import subprocess
import sys
import tempfile
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

from pipeline.config import DiscoverConfig, ProjectConfig, digest
from pipeline.encoders import load_encoder
from pipeline.flows.encoding import vectors_of
from pipeline.flows.grouping import cluster_vectors
from pipeline.ingest import read_file
from pipeline.label import quote
from pipeline.store import Store
from profiles.tables import PROMPTS
from tests.benchmarks.discovery_peer import METHODS, measure

_PEER = Path(__file__).with_name("discovery_peer.py")
_OURS, _K_MEANS, _AGAINST = "ours", "k-means", "bertopic"
_HEADER = (
    "| method | seeds | NMI | ARI | clusters | unclustered | alike | CPU s "
    "| × BERTopic | wall s | MB |"
)
_LEGEND = """NMI (arithmetic) and ARI over all prompts, the unclustered counted as one group: means
over the seeds with their range. Unclustered: share of all prompts. Alike: mean ARI between the
groupings of two seeds. CPU s: user and system seconds of the process for one seed, with one thread,
without encoding; ours with near-duplicates, the sweep over granularities, names and groups,
BERTopic's with its names, but without the processes it starts for core distances. × BERTopic: ratio
of CPU seconds. Wall seconds depend on what else the machine did. MB: peak memory of the process.
k-means is given the number of labels, which no one knows in practice; EVoC's default settings;
BERTopic's default settings with a seed.
"""
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one method made of one file; row i of every array is seed i."""

    labels: NDArray[np.int64]
    """Shape (n_seeds, n_prompts)."""
    seconds: NDArray[np.float64]
    cpu_s: NDArray[np.float64]
    peak_mb: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Compare discovery with labels and BERTopic.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--names", type=int)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--methods", default=",".join((_OURS, _K_MEANS, *METHODS)))
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work(options.worker[0], options.files[0], int(options.worker[1]), options.worker[2])
        return
    reports = [] if options.names else [_LEGEND]
    for path in options.files:
        store = Store(path=options.store.with_name(f"{options.store.stem}-{path.stem}.duckdb"))
        reports.append(
            name_report(path, store, n_shown=options.names)
            if options.names
            else report(path, store, options)
        )
        sys.stdout.write(reports[-1] + "\n")
        sys.stdout.flush()
    if options.out:
        options.out.write_text("\n".join(reports), encoding="utf-8")


def report(path: Path, store: Store, options: argparse.Namespace) -> str:
    """Run every method on one file; returns a Markdown section."""
    truth, texts, vectors = labelled(path, store)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "input.npz"
        np.savez(source, vectors=vectors, texts=np.array(texts), truth=truth.astype(str))
        kept = options.kept or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        found = {
            name: run(command, options.seeds, source, kept / f"{_key(name, truth, vectors)}.npz")
            for name, command in commands(options.peer).items()
            if name in options.methods.split(",")
        }
    heading = f"## {path.stem}\n\n{len(truth):,} prompts, {len(set(truth))} labels.\n"
    return "\n".join([heading, _HEADER, "|---" * 11 + "|", *rows(found, truth)]) + "\n"


def _key(method: str, truth: NDArray[np.str_], vectors: NDArray[np.float32]) -> str:
    known = str(len(set(truth))) if method == _K_MEANS else ""
    return f"{method}-{digest(vectors.tobytes().hex(), known)}"


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
    """Return what starts each method; `run` adds its arguments."""
    own = [sys.executable, "-m", "tests.benchmarks.discovery", "--worker"]
    found = {name: [*own, name] for name in (_OURS, _K_MEANS)}
    return found | {name: [str(peer), str(_PEER), name] for name in METHODS if peer}


def run(command: Sequence[str], n_seeds: int, source: Path, target: Path) -> Result:
    """Run one method in a process of its own, unless its result is there."""
    if not target.exists():
        order = (str(source), str(n_seeds), str(target))
        tail = order if str(_PEER) in command else (*order[1:], order[0])
        environment = os.environ | _ONE_THREAD
        subprocess.run([*command, *tail], check=True, stdout=sys.stderr, env=environment)
    with np.load(target) as data:
        return Result(
            labels=data["labels"],
            seconds=data["seconds"],
            cpu_s=data["cpu_s"],
            peak_mb=float(data["peak_mb"]),
        )


def work(method: str, source: Path, n_seeds: int, target: str) -> None:
    """Cluster in this process, and write what `run` reads."""
    with np.load(source) as data:
        texts, vectors, n_labels = data["texts"].tolist(), data["vectors"], len(set(data["truth"]))

    def ours(texts: list[str], vectors: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
        config = DiscoverConfig(project=ProjectConfig(seed=seed))
        return cluster_vectors(texts, vectors, config).clustering.cluster_ids

    def k_means(_: list[str], vectors: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
        return KMeans(n_labels, random_state=seed).fit_predict(vectors)

    measure(ours if method == _OURS else k_means, texts, vectors, n_seeds, target)


def rows(found: Mapping[str, Result], truth: NDArray[np.str_]) -> list[str]:
    """Return the lines of the table."""
    against = found[_AGAINST].cpu_s.mean() if _AGAINST in found else np.nan
    return [
        f"| {name} | {len(result.labels)} | {' | '.join(_cells(result, truth, against))} |"
        for name, result in found.items()
    ]


def _cells(result: Result, truth: NDArray[np.str_], against: float) -> list[str]:
    nmi = [normalized_mutual_info_score(truth, labels) for labels in result.labels]
    ari = [adjusted_rand_score(truth, labels) for labels in result.labels]
    alike = [adjusted_rand_score(a, b) for a, b in combinations(result.labels, 2)]
    cpu_s = float(result.cpu_s.mean())
    return [
        f"{np.mean(nmi):.3f} [{min(nmi):.3f}, {max(nmi):.3f}]",
        f"{np.mean(ari):.3f} [{min(ari):.3f}, {max(ari):.3f}]",
        f"{np.mean(result.labels.max(axis=1) + 1):.0f}",
        f"{np.mean(result.labels < 0):.1%}",
        f"{np.mean(alike):.2f}" if alike else "–",
        f"{cpu_s:.2f}",
        f"{cpu_s / against:.2f}" if np.isfinite(against) else "–",
        f"{result.seconds.mean():.1f}",
        f"{result.peak_mb:,.0f}",
    ]


if __name__ == "__main__":
    main()
