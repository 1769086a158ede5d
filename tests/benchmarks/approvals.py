"""Time 20 approvals in a row: `python -m tests.benchmarks.approvals [--store STORE | --large N]`.

In the review inbox of a copy of the store, in which every approval was taken back; or of a store of
N prompts and ten models (see `tests.benchmarks.pages`). A decision is the click, what it writes and
the page that comes after it: seconds on the wall, and of processor time.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import polars as pl
from streamlit.testing.v1 import AppTest

from pipeline.commands.serving import load_libraries
from pipeline.config import Policy
from pipeline.flows.curation import approve_clusters, undo_decision
from pipeline.flows.profiling import profile
from pipeline.flows.tables import build_table, publish_table
from pipeline.store import Store
from pipeline.taxonomy import in_force
from profiles.tables import DOMAIN_EVENTS
from tests.benchmarks.pages import StoredEncoder, make_large

_ROOT = Path(__file__).resolve().parents[2]
_N_DECISIONS, _N_APPROVED = 20, 4


def take_back_all(store: Store) -> None:
    """Undo every approval that is in force."""
    while True:
        left = in_force(store.read(DOMAIN_EVENTS)).filter(pl.col("verb") == "approve")
        if left.is_empty():
            return
        undo_decision(store, int(left["event_id"][-1]), actor="benchmark")


def make(path: Path, n: int) -> None:
    """Make a store of n prompts in which twenty clusters wait."""
    make_large(path, n)
    store, encoder = Store(path=path), StoredEncoder()
    approve_clusters(store, list(range(_N_APPROVED)), actor="benchmark")
    profile(store, encoder)
    publish_table(store, build_table(store, encoder, Policy(router="table")))


def timed(path: Path) -> None:
    """Approve the first card again and again, and print what each decision took."""
    os.environ["PROMPTSHED_STORE"] = str(path)
    load_libraries()
    app = AppTest.from_file(str(_ROOT / "app.py"), default_timeout=300).run()
    app.switch_page("pages/inbox.py").run()
    walls, cpus = [], []
    for _ in range(_N_DECISIONS):
        approve = next((button for button in app.button if button.label == "Approve"), None)
        if approve is None:
            break
        wall, cpu = time.perf_counter(), time.process_time()
        approve.click().run()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        if app.exception or app.error:
            raise RuntimeError((app.exception or app.error)[0].value)
    print(  # noqa: T201
        f"{len(walls)} approvals: {sum(walls):.1f} s, {sum(cpus):.1f} s of CPU; each "
        f"{statistics.median(walls):.2f} s, at most {max(walls):.2f} s"
    )


def main() -> None:
    """Time the approvals of one store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--large", type=int, metavar="N")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "approvals.duckdb")
        if given.store:
            shutil.copy(given.store, path)
            take_back_all(Store(path=path))
        else:
            make(path, given.large)
        timed(path)


if __name__ == "__main__":
    main()
