"""Measure the assigner on prompts that were held out, and print Markdown tables.

    python tests/benchmarks/assignment.py FILE STRANGERS [--store data/benchmark.duckdb]

Both files hold prompts with a label, in any form that `promptshed import` reads. The labels of FILE
are its domains. Half of its prompts are fitted on, the other half scored; the prompts of STRANGERS
are in none of these domains.

Columns: accuracy of the likeliest domain on held-out members; expected calibration error (Naeini et
al. 2015) over ten bins of equal width; the share of held-out members that are refused, against the
promised one; the share of the strangers that is refused; and how well confidence and closeness tell
members from strangers at all: area under the ROC curve of the closeness that refusal rests on. All
with 95 % bootstrap intervals over prompts.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.assign import Assignment, assign, fit_assigner
from pipeline.bootstrap import resample_counts
from pipeline.config import AssignConfig
from pipeline.encoders import load_encoder
from pipeline.flows.encoding import vectors_of
from pipeline.ingest import read_file
from pipeline.split import fold_numbers, in_test
from pipeline.store import Store
from profiles.tables import PROMPTS

_N_BINS = 10
_STATED_OUT = ("oos", "unclear", "other")
"""Labels for prompts of no kind: they are no domain."""
_HEADER = "| domains | strangers | accuracy | calibration error | members refused | refused |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Measure assignment to known labels.")
    parser.add_argument("file", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    options = parser.parse_args(arguments)
    ids, labels, vectors = _labelled(options.file, options.store)
    _, _, strange = _labelled(options.strangers, options.store)
    lines = [_HEADER, "|---" * 6 + "|"]
    cells = measure(ids, labels, vectors, strange)
    lines.append(f"| {options.file.stem} | {options.strangers.stem} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def _labelled(path: Path, store_path: Path) -> tuple[list[str], pl.Series, NDArray[np.float32]]:
    """Return ids, labels and vectors of the prompts that have a label, by prompt_id."""
    store = Store(path=store_path.with_name(f"{store_path.stem}-{path.stem}.duckdb"))
    store.append(*read_file(path).tables())
    known = pl.col("label").is_not_null() & ~pl.col("label").is_in(_STATED_OUT)
    prompts = store.read(PROMPTS).filter(known)
    ids = prompts["prompt_id"].to_list()
    return (
        ids,
        prompts["label"],
        vectors_of(store, load_encoder(), ids, prompts["text"].to_list()),
    )


def measure(
    ids: Sequence[str],
    labels: pl.Series,
    vectors: NDArray[np.float32],
    strange: NDArray[np.float32],
) -> list[str]:
    """Fit on half of the prompts; return the cells of one row."""
    domains = labels.rank("dense").to_numpy().astype(np.int64) - 1
    test = in_test(ids)
    folds = fold_numbers(ids, n_folds=AssignConfig().n_folds)
    fitted = fit_assigner(vectors[~test], domains[~test], folds[~test], AssignConfig())
    members, others = assign(vectors[test], fitted.assigner), assign(strange, fitted.assigner)
    right = members.probabilities.argmax(axis=1) == domains[test]
    bins = np.minimum((members.confidence * _N_BINS).astype(int), _N_BINS - 1)
    error = (right - members.confidence) * np.eye(_N_BINS)[bins].T
    return [
        _cell(lambda w: (w @ right) / w.sum(axis=-1), len(right)),
        _cell(lambda w: np.abs(w @ error.T).sum(axis=-1) / w.sum(axis=-1), len(right)),
        _share_refused(members),
        _share_refused(others),
    ]


def _share_refused(found: Assignment) -> str:
    refused = found.memberships[:, -1] == 1.0
    return _cell(lambda w: (w @ refused) / w.sum(axis=-1), len(refused))


def _cell(statistic: Callable[[NDArray[np.float32]], NDArray[np.float64]], n: int) -> str:
    """Show a statistic of weighed prompts with its interval."""
    drawn = statistic(resample_counts(n))
    lo, hi = np.percentile(drawn, [2.5, 97.5])
    plain = float(statistic(np.ones((1, n), dtype=np.float32))[0])
    return f"{plain:.3f} [{lo:.3f}, {hi:.3f}]"


if __name__ == "__main__":
    main()
