"""What a routing table lost against the model that turned out best, and where it lost it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.bootstrap import Statistic, bootstrap_intervals
from pipeline.choices import choice_of, oracle_columns
from pipeline.regret import RegretCell, regret_matrix
from pipeline.study import Study, choose_by
from pipeline.terms import Terms
from profiles.interval import Z_95
from profiles.profile import ALL

Floats = NDArray[np.float64]
Columns = NDArray[np.int64]

REFINEMENT, WRONG_DOMAIN = "refinement by prompt", "wrong domain"
WRONG_ENTRY, IRREDUCIBLE = "wrong entry", "beyond any table"
TOTAL = "all together"
PARTS = (WRONG_ENTRY, WRONG_DOMAIN, REFINEMENT, IRREDUCIBLE)


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """Regret of a table on training prompts, each routed without its own outcome."""

    n_prompts: int
    """Prompts on which every candidate's quality is known; only these can tell."""
    n_all: int
    cells: tuple[RegretCell, ...]
    parts: pl.DataFrame
    """part, points, points_lo, points_hi: `TOTAL` and the `PARTS` it is the sum of. Wrong entry:
    the best model of the approved domain in hindsight minus the table's one there. Wrong domain:
    that one minus the entry of the domain it was taken for. Refinement: that entry minus the model
    chosen for the prompt; negative where looking at the single prompt gains. Beyond any table: the
    best model of the prompt minus the best one of its domain."""
    baseline: pl.DataFrame
    """The total of the safe choice on the same prompts, columns as in `parts`."""
    domains: pl.DataFrame
    """domain, n, points, points_lo, points_hi and share of all regret, the largest share first."""
    prompts: pl.DataFrame
    """prompt_id, domain, chosen, best, regret, overspend_usd; the largest regret first, then the
    largest overspend."""
    models: pl.DataFrame
    """element, model_id, n_regret, regret, regret_lo, regret_hi: what the prompts of a domain lose
    on average if all of it goes to one model. Element is `all`, a domain's id or `unassigned`, by
    the domain that prompts are taken for."""


def look_back(study: Study, terms: Terms, entry: Columns, approved: Columns) -> Hindsight | None:
    """Compare a table's choices with the best ones in hindsight.

    Parameters
    ----------
    study
        With the columns of the table's models.
    terms
        Of the table.
    entry
        Shape (n_buckets,): column of the first choice of each bucket.
    approved
        Shape (n,): bucket of the domain that a person approved for the prompt; -1 for none, and
        then the bucket it was taken for counts as right.

    Returns
    -------
    Hindsight or None
        None where on no prompt the quality of every model is known.

    Notes
    -----
    The best model of a domain in hindsight is the luckiest one too, so `WRONG_ENTRY` is what a
    table could gain at most, and `IRREDUCIBLE` at least what it could not.
    """
    known = np.flatnonzero(np.isfinite(study.outcomes.quality).all(axis=1))
    if not len(known):
        return None
    seen = study.rows(known)
    taken = seen.buckets
    right = np.where(approved[known] < 0, taken, approved[known])
    chosen, oracle = choose_by(seen, terms), oracle_columns(seen.outcomes)
    steps = {
        "chosen": chosen,
        "taken": entry[taken],
        "right": entry[right],
        "best": _best_entries(seen, right)[right],
        "oracle": oracle,
    }
    cells = regret_matrix(
        [choice_of(chosen, seen.outcomes)], [choice_of(oracle, seen.outcomes)], seen.model_ids
    )
    return Hindsight(
        n_prompts=len(known),
        n_all=len(study.prompt_ids),
        cells=cells,
        parts=_parts(seen, steps),
        baseline=_baseline(seen, oracle),
        domains=_by_domain(seen, steps, right),
        prompts=_by_prompt(seen, steps, right),
        models=_by_model(seen, oracle),
    )


def _best_entries(study: Study, right: Columns) -> Columns:
    """Return the model of the best mean quality in each bucket, shape (n_buckets,)."""
    best = np.full(len(study.names), study.reference)
    for bucket in np.unique(right):
        best[bucket] = int(np.argmax(study.outcomes.quality[right == bucket].mean(axis=0)))
    return best


def _quality(study: Study, columns: Columns) -> Floats:
    return study.outcomes.quality[np.arange(len(columns)), columns]


def _parts(study: Study, steps: Mapping[str, Columns]) -> pl.DataFrame:
    values = {name: _quality(study, columns) for name, columns in steps.items()}
    lost = {
        TOTAL: values["oracle"] - values["chosen"],
        WRONG_ENTRY: values["best"] - values["right"],
        WRONG_DOMAIN: values["right"] - values["taken"],
        REFINEMENT: values["taken"] - values["chosen"],
        IRREDUCIBLE: values["oracle"] - values["best"],
    }
    return _intervals(lost)


def _baseline(study: Study, oracle: Columns) -> pl.DataFrame:
    best = _quality(study, oracle)
    return _intervals({TOTAL: best - study.outcomes.quality[:, study.reference]})


def _intervals(lost: Mapping[str, Floats]) -> pl.DataFrame:
    n = len(next(iter(lost.values())))
    found = bootstrap_intervals(
        [np.column_stack(list(lost.values()))],
        [np.arange(n)],
        statistics={name: _mean_of(column) for column, name in enumerate(lost)},
        n_prompts=n,
    )
    return pl.DataFrame(
        [(name, value.mean, value.lo, value.hi) for name, value in found.items()],
        schema=["part", "points", "points_lo", "points_hi"],
        orient="row",
    )


def _mean_of(column: int) -> Statistic:
    return lambda means: 100.0 * means[:, column]


def _by_prompt(study: Study, steps: Mapping[str, Columns], right: Columns) -> pl.DataFrame:
    rows, ids = np.arange(len(right)), np.array(study.model_ids, dtype=object)
    cost = study.outcomes.cost_usd
    frame = pl.DataFrame(
        {
            "prompt_id": study.prompt_ids,
            "domain": np.array(study.names, dtype=object)[right],
            "chosen": ids[steps["chosen"]],
            "best": ids[steps["oracle"]],
            "regret": _quality(study, steps["oracle"]) - _quality(study, steps["chosen"]),
            "overspend_usd": cost[rows, steps["chosen"]] - cost[rows, steps["oracle"]],
        },
        schema_overrides={"domain": pl.String, "chosen": pl.String, "best": pl.String},
    )
    return frame.fill_nan(None).sort(
        ["regret", "overspend_usd", "prompt_id"],
        descending=[True, True, False],
        nulls_last=True,
    )


def _by_domain(study: Study, steps: Mapping[str, Columns], right: Columns) -> pl.DataFrame:
    lost = _quality(study, steps["oracle"]) - _quality(study, steps["chosen"])
    half = Z_95 * pl.col("sd") / pl.col("n").sqrt()
    return (
        pl.DataFrame({"domain": np.array(study.names, dtype=object)[right], "lost": 100.0 * lost})
        .with_columns(pl.col("domain").cast(pl.String))
        .group_by("domain")
        .agg(n=pl.len(), points=pl.col("lost").mean(), sd=pl.col("lost").std())
        .with_columns(
            points_lo=pl.col("points") - half,
            points_hi=pl.col("points") + half,
            share=pl.col("n") * pl.col("points") / max(float(100.0 * lost.sum()), 1e-12),
        )
        .drop("sd")
        .sort(["share", "domain"], descending=[True, False])
    )


def _by_model(study: Study, oracle: Columns) -> pl.DataFrame:
    lost = _quality(study, oracle)[:, None] - study.outcomes.quality
    groups = {ALL: np.arange(len(lost))} | {
        study.domain_ids[bucket]: np.flatnonzero(study.buckets == bucket)
        for bucket in np.unique(study.buckets)
    }
    rows = []
    for element, index in groups.items():
        mean, n = lost[index].mean(axis=0), len(index)
        half = (
            Z_95 * lost[index].std(axis=0, ddof=1) / np.sqrt(n)
            if n > 1
            else np.full_like(mean, np.nan)
        )
        rows += [
            (element, model_id, n, mean[j], mean[j] - half[j], mean[j] + half[j])
            for j, model_id in enumerate(study.model_ids)
        ]
    return pl.DataFrame(
        rows,
        schema=["element", "model_id", "n_regret", "regret", "regret_lo", "regret_hi"],
        orient="row",
    ).fill_nan(None)
