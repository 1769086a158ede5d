"""Cluster the vectors of a file with another tool's default settings, in its own environment.

    python -m venv peer && peer/bin/pip install bertopic evoc
    peer/bin/python tests/benchmarks/discovery_peer.py bertopic INPUT.npz N_SEEDS OUTPUT.npz

The input holds `vectors` and `texts`; the output, for each seed, `labels`, wall `seconds` and
`cpu_s` of this process, and `peak_mb`. The first rows are clustered once before, so that what a
process compiles or loads at its first call is not counted; the benchmark does the same by itself.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_N_WARM = 4_200


def bertopic(texts: list[str], vectors: np.ndarray, seed: int) -> np.ndarray:
    """Fit the defaults with a seed, which they leave out."""
    from bertopic import BERTopic
    from umap import UMAP

    projection = UMAP(
        n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed
    )
    labels, _ = BERTopic(umap_model=projection).fit_transform(texts, embeddings=vectors)
    return np.array(labels)


def evoc(texts: list[str], vectors: np.ndarray, seed: int) -> np.ndarray:
    """Fit the defaults, which need no texts."""
    from evoc import EVoC

    return np.array(EVoC(random_state=seed).fit_predict(vectors))


METHODS: dict[str, Callable[[list[str], np.ndarray, int], np.ndarray]] = {
    "bertopic": bertopic,
    "evoc": evoc,
}


def cpu_s() -> float:
    """Return the seconds this process has computed."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mb() -> float:
    """Return the most memory this process had; `ru_maxrss` would count what started it, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(
    method: Callable[[list[str], np.ndarray, int], np.ndarray],
    texts: list[str],
    vectors: np.ndarray,
    n_seeds: int,
    target: str,
) -> None:
    """Cluster once for each seed, after the first rows; writes after each what was found."""
    method(texts[:_N_WARM], vectors[:_N_WARM], 0)
    labels, seconds, computed = [], [], []
    for seed in range(n_seeds):
        started, cpu_before = time.perf_counter(), cpu_s()
        labels.append(method(texts, vectors, seed))
        seconds.append(time.perf_counter() - started)
        computed.append(cpu_s() - cpu_before)
        np.savez(
            target, labels=np.array(labels), seconds=seconds, cpu_s=computed, peak_mb=peak_mb()
        )


def main(name: str, source: str, n_seeds: str, target: str) -> None:
    """Run one method on one file."""
    data = np.load(source)
    texts = [str(text) for text in data["texts"]]
    measure(METHODS[name], texts, data["vectors"], int(n_seeds), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
