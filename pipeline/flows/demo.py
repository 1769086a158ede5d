"""The whole loop on the prompts, qualities and recorded costs that ship with `paretobandit`."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from pipeline.batch import route_file
from pipeline.config import DiscoverConfig, Policy
from pipeline.embed import Encoder
from pipeline.flows.curation import approve_clusters
from pipeline.flows.discovery import discover
from pipeline.flows.evaluation import HoldoutScore, score_holdout
from pipeline.flows.profiling import profile
from pipeline.flows.proposals import read_proposals
from pipeline.flows.routing import load_router
from pipeline.flows.tables import build_table, publish_table
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import NotReadyError
from profiles.tables import DOMAIN_EVENTS, RUNS

_ACTOR = "demo"
_N_LEFT_IN_INBOX = 4


def run_demo(
    store: Store, encoder: Encoder, say: Callable[[str], None]
) -> tuple[HoldoutScore, Path]:
    """Import, discover, approve, profile, build, route and score; safe to run again.

    Returns
    -------
    HoldoutScore, Path
        The score on the held-out prompts, and the routed file.

    Raises
    ------
    NotReadyError
        If the package with the data is not installed.
    """
    learn, test, outcomes = _write_files(store.path.parent / "demo")
    store.append(*read_file(learn).tables())
    say(f"1/6 imported {learn}")
    run_id = discover(store, encoder, DiscoverConfig())
    run = store.read(RUNS, run_id=run_id).row(0, named=True)
    say(f"2/6 {run['n_clusters']} clusters of {run['n_prompts']:,} prompts")
    n_approved = _approve_larger(store)
    say(f"3/6 {n_approved} domains approved, {_N_LEFT_IN_INBOX} clusters left in the inbox")
    profile(store, encoder)
    versions = {
        "our table, 98 % quality": build_table(store, encoder, Policy(keep_quality=0.98)),
        "our table": build_table(store, encoder, Policy()),
    }
    publish_table(store, versions["our table"])
    say(f"4/6 routing table {versions['our table']} published")
    score = score_holdout(store, encoder, read_file(outcomes), versions)
    say("5/6 scored on prompts that were never imported")
    routed = test.with_name("routed.jsonl")
    route_file(test, routed, load_router(store, encoder).decide)
    say(f"6/6 {routed} written; the score:")
    return score, routed


def _approve_larger(store: Store) -> int:
    """Approve all but the four smallest clusters; does nothing where someone decided already."""
    if store.read(DOMAIN_EVENTS).is_empty():
        offered = read_proposals(store).sort("n_prompts", descending=True)
        keep = offered["cluster_id"].to_list()[: max(1, offered.height - _N_LEFT_IN_INBOX)]
        approve_clusters(store, keep, actor=_ACTOR, reason="a larger cluster of the demo")
    return store.read(DOMAIN_EVENTS).filter(pl.col("verb") == "approve").height


def _write_files(folder: Path) -> tuple[Path, Path, Path]:
    """Write the package's records as files any user could have."""
    examples = _package_folder() / "data" / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    learn, test, outcomes = (
        folder / name for name in ("learn.jsonl", "prompts.jsonl", "outcomes.jsonl")
    )
    _write_lines(learn, _outcome_rows(examples / "val.jsonl"))
    _write_lines(outcomes, _outcome_rows(examples / "test_holdout.jsonl"))
    _write_lines(
        test,
        (
            {"id": f"r-{number:06}", "prompt": record["prompt"]}
            for number, record in enumerate(_records(examples / "test_holdout.jsonl"))
        ),
    )
    return learn, test, outcomes


def _package_folder() -> Path:
    spec = importlib.util.find_spec("pareto_bandit")
    if spec is None or spec.origin is None:
        raise NotReadyError(
            "The demo's data is not installed. Run `pip install 'promptshed[demo]'`."
        )
    return Path(spec.origin).parent


def _records(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _outcome_rows(path: Path) -> Iterator[dict[str, object]]:
    for record in _records(path):
        arms = record["arms"]
        if not isinstance(arms, dict):
            raise TypeError(f"{path}: expected an object under 'arms'.")
        for model_id, arm in arms.items():
            yield {
                "prompt": record["prompt"],
                "model": model_id,
                "quality": arm["reward"],
                "cost_usd": arm["cost"],
                "label": record["source"],
            }


def _write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
