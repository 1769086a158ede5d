"""Score our routers on files of outcomes and print the tables of a Markdown report.

    python tests/benchmarks/routers.py FILE... [--out results.md] [--seeds 3] [--test-share 0.5]
                                       [--store data/benchmark.duckdb] [--routers stack,knn]

Each file holds prompts with the quality (and cost) of several models, in any form that
`promptshed import` reads. Its labels, if any, are the approved domains of the tables. Prompts are
encoded once: their vectors stay in a store of their own for each file, named after `--store`.
Splits are by prompt; weights, trade-off and best single model are chosen on the training part.

Columns, means over the splits: `dQ`, points of quality over the best single model, quality alone
deciding (and the worst split); `AIQ`; `hull`, the lowest cost on the test frontier that reaches the
best single model's quality, over that model's cost, which flatters; `ratio` and `at ratio`, cost
ratio and points at the trade-off chosen on the training part. For files with two models also
`APGR`, and `CPT50` and `CPT80`: the share of calls in percent that must go to the strong model to
close 50 and 80 % of the gap (Ong et al. 2024, arXiv 2406.18665). `fit s` is the time of fitting
with held-out estimates and of estimating the test prompts.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoders import load_encoder
from pipeline.estimators.base import Estimator, best_single, fit_with_held_out, relative_to
from pipeline.evaluate import Split
from pipeline.flows.curation import domains_from_labels
from pipeline.flows.evaluation import ROUTERS, splits_of
from pipeline.frontier import (
    average_improvement,
    cost_to_reach,
    means_of,
    quality_values,
    sweep_router,
)
from pipeline.ingest import read_file
from pipeline.store import Store
from pipeline.tradeoff import at_parity, at_value, choose_at
from profiles.errors import NotReadyError
from profiles.outcomes import Outcomes

_ACTOR = "benchmark"
_HEADER = ("dQ", "worst", "AIQ", "hull", "ratio", "at ratio", "APGR", "CPT50", "CPT80", "fit s")


@dataclass(frozen=True, kw_only=True)
class StrongWeak:
    """How well the strong model's calls are placed; NaN unless there are two models."""

    apgr: float = float("nan")
    cpt50: float = float("nan")
    cpt80: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Score:
    """One router on one split."""

    delta_points: float
    aiq: float
    hull_ratio: float
    train_ratio: float
    train_points: float
    placed: StrongWeak
    seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Score our routers on files of outcomes.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test-share", type=float, default=0.5)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    parser.add_argument("--routers", default=",".join(ROUTERS))
    options = parser.parse_args(arguments)
    reports = []
    for path in options.files:
        store = Store(path=options.store.with_name(f"{options.store.stem}-{path.stem}.duckdb"))
        splits = read_splits(path, store, n_seeds=options.seeds, test_share=options.test_share)
        wanted = {name: ROUTERS[name] for name in options.routers.split(",")}
        reports.append(report(path.stem, splits, wanted))
        sys.stdout.write(reports[-1] + "\n")
        sys.stdout.flush()
    if options.out:
        options.out.write_text("\n".join(reports), encoding="utf-8")


def read_splits(path: Path, store: Store, *, n_seeds: int, test_share: float) -> list[Split]:
    """Import a file, approve its labels as domains and split its prompts."""
    store.append(*read_file(path).tables())
    try:
        domains_from_labels(store, actor=_ACTOR)
    except NotReadyError as error:
        sys.stderr.write(f"{path.name}: no domains ({error})\n")
    return splits_of(store, load_encoder(), n_seeds=n_seeds, test_share=test_share)[1]


def report(name: str, splits: Sequence[Split], routers: Mapping[str, Estimator]) -> str:
    """Score every router on every split; returns a Markdown section."""
    first = splits[0]
    lines = [
        f"## {name}\n",
        (
            f"{len(first.train.texts):,} + {len(first.test.texts):,} prompts, "
            f"{len(first.test_outcomes.model_ids)} models, {len(splits)} splits; zero router AIQ "
            f"{np.mean([zero_router_aiq(split.test_outcomes) for split in splits]):.4f}.\n"
        ),
        "| router | " + " | ".join(_HEADER) + " |",
        "|---" * (len(_HEADER) + 1) + "|",
    ]
    for router, estimator in routers.items():
        scores = [score_router(split, estimator) for split in splits]
        lines.append(f"| {router} | " + " | ".join(_cells(scores)) + " |")
    return "\n".join(lines) + "\n"


def score_router(split: Split, estimator: Estimator) -> Score:
    """Fit on the training part, score on the test part."""
    started = time.perf_counter()
    test, reference = split.test_outcomes, best_single(split.train_outcomes)
    estimator = relative_to(estimator, test.model_ids[reference])
    fit = fit_with_held_out(estimator, split.train, split.train_outcomes, split.train_folds)
    estimates = fit.estimator.estimate(split.test)
    seconds = time.perf_counter() - started
    chosen = sweep_router(estimates, quality_values(split.train_outcomes)).chosen
    known = {"outcomes": split.train_outcomes, "reference": reference}
    first = at_value(fit.held_out, quality_value_usd=np.inf, **known)
    chosen[0] = choose_at(estimates, first, reference=reference)
    cost, quality = means_of(chosen, test)
    single_cost, single_quality = test.cost_usd.mean(axis=0), test.quality.mean(axis=0)
    parity = at_parity(fit.held_out, **known)
    train_cost, train_quality = means_of(choose_at(estimates, parity, reference=reference), test)
    two = len(test.model_ids) == 2
    gain = estimates.quality[:, reference] - estimates.quality[:, 1 - reference] if two else None
    return Score(
        delta_points=100.0 * float(quality[0] - single_quality[reference]),
        aiq=average_improvement(
            cost, quality, cheapest_usd=single_cost.min(), dearest_usd=single_cost.max()
        ),
        hull_ratio=cost_to_reach(cost, quality, single_quality[reference]) / single_cost[reference],
        train_ratio=float(train_cost / single_cost[reference]),
        train_points=100.0 * float(train_quality - single_quality[reference]),
        placed=StrongWeak() if gain is None else strong_weak(gain, test, strong=reference),
        seconds=seconds,
    )


def strong_weak(gain: NDArray[np.float64], test: Outcomes, *, strong: int) -> StrongWeak:
    """Give the strong model the prompts of largest expected gain, and read off what is closed.

    The gap is the strong model's quality minus the weak one's.
    """
    order = np.argsort(-gain, kind="stable")
    won = (test.quality[:, strong] - test.quality[:, 1 - strong])[order]
    closed = np.concatenate([[0.0], np.cumsum(won)]) / won.sum()
    share = np.arange(len(closed)) / len(won)
    return StrongWeak(
        apgr=float(np.trapezoid(closed, share)),
        cpt50=100.0 * float(share[np.argmax(closed >= 0.5)]),
        cpt80=100.0 * float(share[np.argmax(closed >= 0.8)]),
    )


def zero_router_aiq(test: Outcomes) -> float:
    """Return the AIQ of mixing single models blindly."""
    cost, quality = test.cost_usd.mean(axis=0), test.quality.mean(axis=0)
    return average_improvement(cost, quality, cheapest_usd=cost.min(), dearest_usd=cost.max())


def _cells(scores: Sequence[Score]) -> list[str]:
    def mean(values: Sequence[float], form: str) -> str:
        average = float(np.mean(values))
        return form.format(average) if np.isfinite(average) else "–"

    return [
        mean([s.delta_points for s in scores], "{:+.2f}"),
        f"{min(s.delta_points for s in scores):+.2f}",
        mean([s.aiq for s in scores], "{:.4f}"),
        mean([s.hull_ratio for s in scores], "{:.3f}"),
        mean([s.train_ratio for s in scores], "{:.3f}"),
        mean([s.train_points for s in scores], "{:+.2f}"),
        mean([s.placed.apgr for s in scores], "{:.3f}"),
        mean([s.placed.cpt50 for s in scores], "{:.1f}"),
        mean([s.placed.cpt80 for s in scores], "{:.1f}"),
        mean([s.seconds for s in scores], "{:.1f}"),
    ]


if __name__ == "__main__":
    main()
