"""Cluster the vectors of a file with BERTopic's default settings, in its own environment.

    python -m venv peer && peer/bin/pip install bertopic
    peer/bin/python tests/benchmarks/bertopic_peer.py INPUT.npz SEED OUTPUT.npz

The input holds `vectors` and `texts`, the output `labels`, `seconds` and `peak_mb`.
"""

import resource
import sys
import time

import numpy as np


def main(source: str, seed: str, target: str) -> None:
    """Fit and write; the defaults with a seed, which they leave out."""
    from bertopic import BERTopic
    from umap import UMAP

    data = np.load(source)
    texts = [str(text) for text in data["texts"]]
    started = time.perf_counter()
    projection = UMAP(
        n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=int(seed)
    )
    labels, _ = BERTopic(umap_model=projection).fit_transform(texts, embeddings=data["vectors"])
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.savez(target, labels=np.array(labels), seconds=seconds, peak_mb=peak_mb)


if __name__ == "__main__":
    main(*sys.argv[1:])
