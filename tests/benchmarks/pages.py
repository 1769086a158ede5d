"""Time every page: `python -m tests.benchmarks.pages [--store STORE] [--large N [--at PATH]]`.

Each page is opened in a process of its own which has loaded what a server loads when it starts, so
`first` is what the first visitor of a new server waits for, with nothing cached. It is run three
times more; the median is `rerun`. Both are wall-clock seconds; `CPU` is the processor time of the
first visit, which other work on the machine does not change. With `--large N` a store of N prompts
and ten models is made: random vectors around 24 centres, outcomes of every model on every prompt.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import polars as pl
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from pipeline.commands.serving import load_libraries
from pipeline.config import Policy
from pipeline.embed import check_vectors
from pipeline.flows.curation import approve_clusters
from pipeline.flows.profiling import profile
from pipeline.flows.tables import build_table, publish_table
from pipeline.store import Store
from profiles.tables import CLUSTERS, IMPORTS, MEMBERS, OUTCOMES, PROMPTS, REQUESTS, RUNS, VECTORS

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = (
    "", "data-and-runs", "map", "map?colour=Regret", "map?colour=Confidence", "map?words=kind",
    "review", "taxonomy", "profiles", "profiles?models-tab=Two models", "routing",
    "routing?view=Try a policy", "hindsight", "batch-routing", "coverage",
)  # fmt: skip
"""Addresses."""
_PATIENCE_S = 300
_N_MODELS, _N_CENTRES, _N_DIMS = 10, 24, 384
_START = datetime(2026, 6, 1, tzinfo=UTC)


class StoredEncoder:
    """Names the vectors of the large store; it is never asked for another one."""

    encoder_id = "made:0"

    def encode(self, texts):
        return check_vectors(np.ones((len(texts), _N_DIMS), dtype=np.float32), len(texts))


def timed(store: Path) -> None:
    """Print what every page takes, in seconds."""
    for page in _PAGES:
        command = [sys.executable, "-m", "tests.benchmarks.pages", "--store", str(store)]
        done = subprocess.run(
            [*command, "--page", page],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
        *_, said = done.stdout.splitlines() or [f"{page}: exit code {done.returncode}"]
        print(said, flush=True)  # noqa: T201


def timed_page(store: Path, page: str) -> None:
    """Print the first visit and the median rerun of one page, in seconds."""
    os.environ["PROMPTSHED_STORE"] = str(store)
    path, _, query = page.partition("?")
    load_libraries()
    app = AppTest.from_file(str(_ROOT / "app.py"), default_timeout=_PATIENCE_S)
    app._page_hash = calc_hash(path) if path else ""  # switch_page needs a first run
    for name, value in parse_qsl(query):
        app.query_params[name] = value
    seconds, cpu = [], time.process_time()
    for visit in range(4):
        began = time.perf_counter()
        app.run()
        seconds.append(time.perf_counter() - began)
        cpu = time.process_time() - cpu if visit == 0 else cpu
    problem = f"  {app.exception[0].value.splitlines()[0]}" if app.exception else ""
    rerun, title = statistics.median(seconds[1:]), app.title[0].value
    shown = f"{title}{f' ({query})' if query else ''}"
    print(f"{shown:<32} first {seconds[0]:6.2f}  CPU {cpu:6.2f}  rerun {rerun:6.2f}{problem}")  # noqa: T201


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


def make_all(path: Path, n: int) -> None:
    """Make a store of n prompts in which every step of the loop is done."""
    make_large(path, n)
    store, encoder = Store(path=path), StoredEncoder()
    approve_clusters(store, list(range(_N_CENTRES - 4)), actor="benchmark")
    print("made", path, file=sys.stderr)  # noqa: T201
    profile(store, encoder)
    publish_table(store, build_table(store, encoder, Policy(router="table")))


def main() -> None:
    """Time the pages of one store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--page", help=argparse.SUPPRESS)
    parser.add_argument("--large", type=int, metavar="N")
    parser.add_argument("--at", type=Path, help="Keep the large store there.")
    given = parser.parse_args()
    if given.page is not None:
        timed_page(given.store, given.page)
    elif given.store:
        timed(given.store)
    if given.large:
        with tempfile.TemporaryDirectory() as folder:
            path = given.at or Path(folder) / "large.duckdb"
            make_all(path, given.large)
            timed(path)


if __name__ == "__main__":
    main()
