"""Score routers on files of outcomes and print the tables of a Markdown report.

    python tests/benchmarks/routers.py FILE... [--out results.md] [--seeds 3] [--test-share 0.5]
                                       [--store data/benchmark.duckdb] [--routers stack,knn]
                                       [--peers data/peers/bin/python]

Each file holds prompts with the quality (and cost) of several models, in any form that
`promptshed import` reads; LEARN,TEST are two files of one split that came with the data. Labels of
training prompts, if any, are the approved domains of the tables. Prompts are encoded once: their
vectors stay in a store of their own for each file, named after `--store`. Splits are by prompt;
weights, trade-off and best single model are chosen on the training part. `--peers` adds other
projects' routers, installed by `tests/benchmarks/peers.sh`, on the same vectors, splits and folds.

Columns, means over the splits with 95 % intervals over prompts: `dQ`, points of quality over the
best single model, quality alone deciding; `over first`, the same over the router named first;
`AIQ` and `log AIQ` (`pipeline.frontier`); `hull 100/98/95 %`, the lowest cost on the test frontier
that reaches this share of the best single model's quality, over that model's cost, which flatters;
`ratio` and `at ratio`, cost ratio and points at the trade-off chosen on the training part. For
files with two models `APGR`, and `CPT(50)` and `CPT(80)`: the share of calls that must go to the
strong model to close 50 and 80 % of the gap (Ong et al. 2024, arXiv 2406.18665).
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.commands.scores_shown import known, shown
from pipeline.encoders import load_encoder
from pipeline.estimators.base import Estimates, Estimator, Prompts
from pipeline.evaluate import PairQuestion, Split
from pipeline.flows.curation import domains_from_labels
from pipeline.flows.evaluation import comparable_data, held_out_splits, split_at
from pipeline.flows.routers import DEFAULT_ROUTERS, ROUTERS
from pipeline.flows.training import TrainingData
from pipeline.ingest import read_file
from pipeline.scores import Evaluation, RouterScore
from pipeline.store import Store
from pipeline.strong_weak import Pair, read_target
from pipeline.summarise import evaluate_routers
from profiles.errors import NotReadyError
from profiles.outcomes import Outcomes

PEERS = ("saverouter", "cre-router", "paretobandit")
_ACTOR = "benchmark"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another project's router, run by the Python of an environment it is installed in."""

    name: str
    python: Path

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> "FittedPeer":
        """Keep what the peer will learn from."""
        return FittedPeer(peer=self, prompts=prompts, outcomes=outcomes)


@dataclass(frozen=True, kw_only=True)
class FittedPeer:
    """Training data, handed to the peer's own process with the prompts to estimate."""

    peer: Peer
    prompts: Prompts
    outcomes: Outcomes

    def estimate(self, prompts: Prompts) -> Estimates:
        """Fit and estimate in one go."""
        worker = Path(__file__).with_name("peer_worker.py")
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
            np.savez(
                source,
                vectors=self.prompts.vectors,
                quality=self.outcomes.quality,
                cost_usd=self.outcomes.cost_usd,
                unseen=prompts.vectors,
            )
            command = [self.peer.python, worker, self.peer.name, source, target]
            subprocess.run([str(part) for part in command], check=True)
            found = np.load(target)
            return Estimates(
                model_ids=self.outcomes.model_ids,
                quality=found["quality"],
                cost_usd=found["cost_usd"],
                standard_error=np.zeros_like(found["quality"]),
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Score routers on files of outcomes.")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test-share", type=float, default=0.5)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    parser.add_argument("--routers", default=",".join(DEFAULT_ROUTERS))
    parser.add_argument("--peers", type=Path, help="Python of the peers' environment.")
    options = parser.parse_args(arguments)
    wanted: dict[str, Estimator] = {name: ROUTERS[name] for name in options.routers.split(",")}
    if options.peers:
        wanted |= {name: Peer(name=name, python=options.peers) for name in PEERS}
    reports = []
    for file in options.files:
        started = cpu_seconds()
        splits = read_splits(
            file, options.store, n_seeds=options.seeds, test_share=options.test_share
        )
        text = report(Path(file.partition(",")[0]).stem, splits, wanted)
        reports.append(f"{text}\nCPU time: {cpu_seconds() - started:.0f} s.\n")
        sys.stdout.write(reports[-1] + "\n")
        sys.stdout.flush()
    if options.out:
        options.out.write_text("\n".join(reports), encoding="utf-8")


def read_splits(file: str, store: Path, *, n_seeds: int, test_share: float) -> list[Split]:
    """Read FILE and split it, or read LEARN,TEST as they are."""
    learn, _, test = file.partition(",")
    named = store.with_name(f"{store.stem}-{Path(learn).stem}.duckdb")
    data = read_data(Path(learn), Store(path=named))
    if not test:
        return held_out_splits(data, n_seeds=n_seeds, test_share=test_share)
    other = Store(path=named.with_name(f"{named.stem}-test.duckdb"))
    return [one_split(data, read_data(Path(test), other))]


def read_data(path: Path, store: Store) -> TrainingData:
    """Import a file and approve its labels as domains."""
    store.append(*read_file(path).tables())
    try:
        domains_from_labels(store, actor=_ACTOR)
    except NotReadyError as error:
        sys.stderr.write(f"{path.name}: no domains ({error})\n")
    return comparable_data(store, load_encoder())[1]


def one_split(learn: TrainingData, test: TrainingData) -> Split:
    """Learn from one file and score on another, whose labels nobody sees."""
    fresh = test.rows(~np.isin(test.prompt_ids, learn.prompt_ids))
    both = TrainingData(
        prompt_ids=learn.prompt_ids + fresh.prompt_ids,
        texts=learn.texts + fresh.texts,
        vectors=np.concatenate([learn.vectors, fresh.vectors]),
        outcomes=Outcomes(
            model_ids=learn.outcomes.model_ids,
            quality=np.concatenate([learn.outcomes.quality, fresh.outcomes.quality]),
            cost_usd=np.concatenate([learn.outcomes.cost_usd, fresh.outcomes.cost_usd]),
        ),
        latency_s=np.concatenate([learn.latency_s, fresh.latency_s]),
        domains=learn.domains,
        domain_of=np.concatenate([learn.domain_of, np.full(len(fresh.texts), -1)]),
    )
    return split_at(both, np.arange(len(both.texts)) >= len(learn.texts))


def report(name: str, splits: Sequence[Split], routers: Mapping[str, Estimator]) -> str:
    """Score every router on every split; returns a Markdown section."""
    first = splits[0]
    n_prompts = len(first.train.texts) + len(first.test.texts)
    found = evaluate_routers(splits, routers, n_prompts=n_prompts, question=question_of(first))
    lines = [
        f"## {name}\n",
        (
            f"{len(first.train.texts):,} + {len(first.test.texts):,} prompts, "
            f"{len(found.model_ids)} models, {len(splits)} splits. Best single "
            f"{found.best_single} {found.best_single_quality:.4f}, oracle "
            f"{found.oracle_quality:.4f}, zero router AIQ {found.zero_router_aiq:.4f} "
            f"(log {found.zero_router_log_aiq:.4f}).\n"
        ),
        *table(found),
    ]
    return "\n".join(lines) + "\n"


def question_of(split: Split) -> PairQuestion | None:
    """Return the question of a strong and a weak model, where there are just two."""
    mean = split.train_outcomes.quality.mean(axis=0)
    if len(mean) != 2:
        return None
    strong = int(mean.argmax())
    return PairQuestion(pair=Pair(strong=strong, weak=1 - strong), target=read_target("gap=0.8"))


def table(found: Evaluation) -> list[str]:
    """Return the lines of a Markdown table."""
    header = ["router", "dQ", "over first", "AIQ", "log AIQ", "hull 100/98/95 %", "ratio"]
    header += ["at ratio"]
    if any(score.pair for score in found.routers):
        header += ["APGR", "CPT(50)", "CPT(80)"]
    rows = [cells(score)[: len(header)] for score in found.routers if score.router != "random"]
    return ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]


def cells(score: RouterScore) -> list[str]:
    """Return one row; unknown numbers are dashes."""
    hull = [known(kept.cost_ratio_frontier, "{:.3f}") or "–" for kept in score.kept.values()]
    found = [
        score.router,
        shown(score.delta_points, "{:+.2f}"),
        shown(score.versus.delta_points, "{:+.2f}"),
        known(score.aiq, "{:.4f}"),
        known(score.log_aiq, "{:.4f}"),
        " / ".join(hull),
        shown(score.cost_ratio, "{:.3f}"),
        shown(score.parity_delta_points, "{:+.2f}"),
    ]
    if score.pair:
        placed = score.pair.placement
        found += [shown(placed.apgr, "{:.3f}"), shown(placed.cpt50, "{:.1%}")]
        found += [shown(placed.cpt80, "{:.1%}")]
    return [cell or "–" for cell in [*found, *([None] * 3)]]


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those it waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    main()
