"""Measure the assigner on prompts that were held out, and print a Markdown table.

    python tests/benchmarks/assignment.py FILE FILE... [--store data/benchmark.duckdb]
                                          [--most 5000]
                                          [--out tests/benchmarks/results/assignment.md]

Each file holds prompts with a label, in any form that `promptshed import` reads. The labels of one
are its domains; the prompts of each other file are in none of them. Half of its prompts are fitted
on, the other half scored. With one file alone, each of its labels in turn is the strangers of the
others. Of a file the first prompts by their id, a hash, are taken. Labels that say a prompt is of
no kind are no domain, nor are those of fewer than ten prompts.

Columns: accuracy of the likeliest domain on held-out members; expected calibration error (Naeini et
al. 2015) over ten bins of equal width; the share of held-out members that are refused, against the
promised one; the share of the strangers that is refused; the same two shares if closeness were the
cosine to the domain's mean; and how well closeness, less what its domain asks for, tells members
from strangers: the area under the ROC curve, ours and the mean's. All but the last with 95 %
bootstrap intervals over prompts.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipeline.assign import NO_DOMAIN, Assigner, assign, fit_assigner
from pipeline.bootstrap import resample_counts
from pipeline.closeness import radii_of
from pipeline.config import AssignConfig
from pipeline.encoders import load_encoder
from pipeline.flows.encoding import vectors_of
from pipeline.ingest import read_file
from pipeline.prototypes import prototypes_of
from pipeline.split import fold_numbers, in_test
from pipeline.store import Store
from profiles.tables import PROMPTS

_N_BINS = 10
_STATED_OUT = ("oos", "unclear", "other")
"""Labels for prompts of no kind: they are no domain."""
_LEAST_PROMPTS = 10
_HEADER = (
    "| domains | strangers | accuracy | calibration error | members refused | strangers refused "
    "| by means: members | strangers | area | by means |"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Measure assignment to known labels.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--store", type=Path, default=Path("data/benchmark.duckdb"))
    parser.add_argument("--most", type=int, default=50_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    known = {path.stem: _labelled(path, options) for path in options.files}
    lines = [_HEADER, "|---" * 10 + "|"]
    for name, cells in _rows(known):
        lines.append(f"| {name} | {' | '.join(cells)} |")
        sys.stderr.write(lines[-1] + "\n")
    promised = f"Promised: {AssignConfig().rejected_share:.0%} of the members are refused.\n\n"
    text = promised + "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if options.out:
        options.out.write_text("# Assignment\n\n" + text, encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Prompts with a label; row i of each is prompt i."""

    ids: NDArray[np.str_]
    labels: NDArray[np.str_]
    vectors: NDArray[np.float32]

    def where(self, kept: NDArray[np.bool_]) -> "Labelled":
        """Return some of the rows."""
        return Labelled(ids=self.ids[kept], labels=self.labels[kept], vectors=self.vectors[kept])


def _rows(known: Mapping[str, Labelled]) -> Iterator[tuple[str, list[str]]]:
    if len(known) > 1:
        for name, whole in known.items():
            own = _of_enough(whole)
            if len(np.unique(own.labels)) < 2:
                continue
            others = {other: labelled for other, labelled in known.items() if other != name}
            for other, cells in zip(others, measure(own, list(others.values())), strict=True):
                yield f"{name} | {other}", cells
        return
    [(name, whole)] = ((name, _of_enough(labelled)) for name, labelled in known.items())
    for label in np.unique(whole.labels):
        [cells] = measure(whole.where(whole.labels != label), [whole.where(whole.labels == label)])
        yield f"{name}, others | {label}", cells


def _of_enough(labelled: Labelled) -> Labelled:
    _, label, sizes = np.unique(labelled.labels, return_inverse=True, return_counts=True)
    return labelled.where(sizes[label] >= _LEAST_PROMPTS)


def _labelled(path: Path, options: argparse.Namespace) -> Labelled:
    """Return the prompts that have a label, by prompt_id."""
    name = f"{options.store.stem}-{path.stem}.duckdb"
    store = Store(path=options.store.with_name(name))
    store.append(*read_file(path).tables())
    known = pl.col("label").is_not_null() & ~pl.col("label").is_in(_STATED_OUT)
    prompts = store.read(PROMPTS).filter(known).sort("prompt_id").head(options.most)
    ids = prompts["prompt_id"].to_list()
    return Labelled(
        ids=np.array(ids),
        labels=prompts["label"].to_numpy().astype(str),
        vectors=vectors_of(store, load_encoder(), ids, prompts["text"].to_list()),
    )


def measure(own: Labelled, strangers: Sequence[Labelled]) -> list[list[str]]:
    """Fit on half of the prompts; return the cells of one row for each set of strangers."""
    domains = np.unique(own.labels, return_inverse=True)[1].astype(np.int64)
    ids = tuple(own.ids.tolist())
    test, config = in_test(ids), AssignConfig()
    folds = fold_numbers(ids, n_folds=config.n_folds)[~test]
    fitted = fit_assigner(own.vectors[~test], domains[~test], folds, config).assigner
    by_means = _with_means(fitted, own.vectors[~test], domains[~test], folds, config)
    members = assign(own.vectors[test], fitted)
    right = members.probabilities.argmax(axis=1) == domains[test]
    bins = np.minimum((members.confidence * _N_BINS).astype(int), _N_BINS - 1)
    error = (right - members.confidence) * np.eye(_N_BINS)[bins].T
    shown = [
        _cell(lambda w: (w @ right) / w.sum(axis=-1), len(right)),
        _cell(lambda w: np.abs(w @ error.T).sum(axis=-1) / w.sum(axis=-1), len(right)),
    ]
    rows = []
    for other in strangers:
        ours, theirs = (
            (_margins(own.vectors[test], rule), _margins(other.vectors, rule))
            for rule in (fitted, by_means)
        )
        shares = [_share_refused(margins) for margins in (*ours, *theirs)]
        rows.append([*shown, *shares, *(f"{_area(*pair):.3f}" for pair in (ours, theirs))])
    return rows


def _with_means(
    fitted: Assigner,
    vectors: NDArray[np.float32],
    domains: NDArray[np.int64],
    folds: NDArray[np.int64],
    config: AssignConfig,
) -> Assigner:
    """Return the assigner with closeness to each domain's mean, under the same promise."""
    own = np.empty(len(vectors))
    for fold in np.unique(folds):
        outside = np.where(folds == fold, NO_DOMAIN, domains)
        means, rows = prototypes_of(vectors, outside, len(fitted.radii)), folds == fold
        own[rows] = (vectors[rows] * means[domains[rows]]).sum(axis=1)
    return replace(
        fitted,
        prototypes=prototypes_of(vectors, domains, len(fitted.radii)),
        radii=radii_of(own, domains, rejected_share=config.rejected_share).astype(np.float32),
    )


def _margins(vectors: NDArray[np.float32], assigner: Assigner) -> NDArray[np.float64]:
    """Return by how much each prompt is closer to its likeliest domain than that asks for."""
    likeliest = assign(vectors, assigner).probabilities.argmax(axis=1)
    closeness = (vectors * assigner.prototypes[likeliest]).sum(axis=1)
    return (closeness - assigner.radii[likeliest]).astype(np.float64)


def _area(members: NDArray[np.float64], strangers: NDArray[np.float64]) -> float:
    is_member = np.repeat([1, 0], [len(members), len(strangers)])
    return float(roc_auc_score(is_member, np.concatenate([members, strangers])))


def _share_refused(margins: NDArray[np.float64]) -> str:
    refused = margins < 0.0
    return _cell(lambda w: (w @ refused) / w.sum(axis=-1), len(refused))


def _cell(statistic: Callable[[NDArray[np.float32]], NDArray[np.float64]], n: int) -> str:
    """Show a statistic of weighed prompts with its interval."""
    drawn = statistic(resample_counts(n))
    lo, hi = np.percentile(drawn, [2.5, 97.5])
    plain = float(statistic(np.ones((1, n), dtype=np.float32))[0])
    return f"{plain:.3f} [{lo:.3f}, {hi:.3f}]"


if __name__ == "__main__":
    main()
