"""Time a rerun of every page: `python -m tests.benchmarks.pages [--store STORE] [--large N]`.

Each page is opened once, to fill the caches as the first visitor does, and run again three times;
the median counts. With `--large N` a store of N prompts and ten models is made in a folder of its
own: random vectors around 24 centres, outcomes of every model on every prompt.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from streamlit.testing.v1 import AppTest

from pipeline.config import Policy
from pipeline.embed import check_vectors
from pipeline.flows.curation import approve_clusters
from pipeline.flows.profiling import profile
from pipeline.flows.tables import build_table, publish_table
from pipeline.store import Store
from profiles.tables import CLUSTERS, IMPORTS, MEMBERS, OUTCOMES, PROMPTS, REQUESTS, RUNS, VECTORS

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = (
    "overview", "runs", "prompt_map", "inbox", "domains", "models", "policy", "regret", "batch",
    "drift",
)  # fmt: skip
_N_MODELS, _N_CENTRES, _N_DIMS = 10, 24, 384
_START = datetime(2026, 6, 1, tzinfo=UTC)


class StoredEncoder:
    """Names the vectors of the large store; it is never asked for another one."""

    encoder_id = "made:0"

    def encode(self, texts):
        return check_vectors(np.ones((len(texts), _N_DIMS), dtype=np.float32), len(texts))


def timed(store: Path, **query: str) -> None:
    """Print the first visit and the median rerun of every page, in seconds."""
    os.environ["PROMPTSHED_STORE"] = str(store)
    for page, more in [*((name, {}) for name in _PAGES), ("policy", {"view": "Try a policy"})]:
        app = AppTest.from_file(str(_ROOT / "app.py"), default_timeout=300).run()
        app.switch_page(f"pages/{page}.py")
        for name, value in (query | more).items():
            app.query_params[name] = value
        seconds = []
        for _ in range(4):
            began = time.perf_counter()
            app.run()
            seconds.append(time.perf_counter() - began)
        problem = f"  {app.exception[0].value}" if app.exception else ""
        label = f"{page} {' '.join(more.values())}".strip()
        rerun = statistics.median(seconds[1:])
        print(f"{label:<22} first {seconds[0]:6.2f}  rerun {rerun:6.2f}{problem}")  # noqa: T201


def make_large(path: Path, n: int) -> None:
    """Make a store of n prompts."""
    rng, store = np.random.default_rng(0), Store(path=path)
    place = rng.integers(0, _N_CENTRES, n)
    centres = rng.normal(size=(_N_CENTRES, _N_DIMS))
    vectors = centres[place] + rng.normal(scale=1.5, size=(n, _N_DIMS))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    ids = [f"{number:064x}" for number in rng.permutation(n)]
    kinds = pl.Series([str(number) for number in place])
    texts = "prompt of kind " + kinds + " " + pl.Series(ids)
    prompts = pl.DataFrame({"prompt_id": ids, "text": texts})
    store.append(
        (PROMPTS, prompts.with_columns(label=pl.lit(None, pl.String))),
        *_requests(prompts),
        (VECTORS, _vectors(ids, vectors)),
        *_run(ids, place, vectors),
    )
    skill = rng.uniform(0.4, 0.95, size=(_N_CENTRES, _N_MODELS))
    for model in range(_N_MODELS):
        quality = (rng.uniform(size=n) < skill[place, model]).astype(float)
        rows = prompts.select(
            "prompt_id", model_id=pl.lit(f"maker/model-{model}"), request_id="prompt_id"
        )
        store.append((OUTCOMES, _outcomes(rows, quality, 1e-4 * 2.0**model, rng)))


def _requests(prompts):
    n = prompts.height
    requests = prompts.select(
        "prompt_id",
        request_id="prompt_id",
        import_id=pl.lit("i"),
        occurred_at=pl.lit(_START) + pl.duration(days=pl.int_range(n) % 90),
        external_id=pl.lit(None, pl.String),
        payload=pl.lit(None, pl.String),
    )
    imported = {
        "import_id": "i",
        "file_digest": "i",
        "file_name": "made",
        "imported_at": _START + timedelta(days=90),
        "n_rows": n,
        "n_rejected": 0,
        "mapping": "{}",
    }
    return (REQUESTS, requests), (IMPORTS, pl.DataFrame([imported], schema=IMPORTS.schema))


def _vectors(ids, vectors):
    frame = pl.DataFrame({"prompt_id": ids, "vector": vectors})
    return frame.with_columns(
        pl.col("vector").arr.to_list(), encoder_id=pl.lit(StoredEncoder.encoder_id)
    )


def _outcomes(rows, quality, cost_usd, rng):
    n = len(quality)
    return rows.with_columns(
        quality=pl.Series(quality),
        cost_usd=pl.Series(cost_usd * rng.uniform(0.5, 1.5, n)),
        latency_s=pl.Series(rng.uniform(0.5, 5.0, n)),
        n_tokens_in=pl.lit(300),
        n_tokens_out=pl.lit(200),
        propensity=pl.lit(None, pl.Float64),
    )


def _run(ids, place, vectors):
    frame = pl.DataFrame({"prompt_id": ids, "cluster_id": place})
    clusters = [
        {
            "run_id": "r",
            "cluster_id": number,
            "name": f"kind {number}",
            "names": ["kind"],
            "n_prompts": rows.height,
            "cohesion": 0.5,
            "medoid_prompt_id": rows["prompt_id"][0],
            "exemplar_prompt_ids": rows["prompt_id"].head(5).to_list(),
            "border_prompt_ids": rows["prompt_id"].tail(5).to_list(),
        }
        for (number,), rows in frame.group_by("cluster_id", maintain_order=True)
    ]
    run = {
        "run_id": "r",
        "created_at": _START,
        "asked_at": _START,
        "encoder_id": StoredEncoder.encoder_id,
        "config": "{}",
        "n_prompts": len(ids),
        "n_clusters": len(clusters),
        "n_unclustered": 0,
        "sweep": "[]",
        "duration_s": 1.0,
    }
    members = frame.with_columns(
        run_id=pl.lit("r"), x=pl.Series(vectors[:, 0]), y=pl.Series(vectors[:, 1])
    )
    return (
        (RUNS, pl.DataFrame([run], schema=RUNS.schema)),
        (CLUSTERS, pl.DataFrame(clusters, schema=CLUSTERS.schema)),
        (MEMBERS, members),
    )


def main() -> None:
    """Time the pages of one store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--large", type=int, metavar="N")
    given = parser.parse_args()
    if given.store:
        timed(given.store)
    if given.large:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "large.duckdb"
            make_large(path, given.large)
            store, encoder = Store(path=path), StoredEncoder()
            approve_clusters(store, list(range(_N_CENTRES - 4)), actor="benchmark")
            print("made", path, file=sys.stderr)  # noqa: T201
            profile(store, encoder)
            publish_table(store, build_table(store, encoder, Policy(router="table")))
            timed(path)


if __name__ == "__main__":
    main()
