"""Outcomes as a matrix of prompts × candidate models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from profiles.errors import NotReadyError

RowIndex: TypeAlias = NDArray[np.bool_] | NDArray[np.intp] | NDArray[np.int64]
"""A mask over rows, or their positions."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What each candidate model did on each prompt; NaN is unknown."""

    model_ids: tuple[str, ...]
    """Sorted."""
    quality: NDArray[np.float64]
    """Shape (n_prompts, n_models), in [0, 1]; the mean where a prompt was answered repeatedly."""
    cost_usd: NDArray[np.float64]
    """Shape (n_prompts, n_models), US dollars for one prompt."""

    def rows(self, index: RowIndex) -> "Outcomes":
        """Return the outcomes of some prompts."""
        return Outcomes(
            model_ids=self.model_ids, quality=self.quality[index], cost_usd=self.cost_usd[index]
        )

    def columns(self, model_ids: tuple[str, ...]) -> "Outcomes":
        """Return the outcomes of some models, in sorted order."""
        kept = tuple(sorted(model_ids))
        index = [self.model_ids.index(model_id) for model_id in kept]
        return Outcomes(
            model_ids=kept, quality=self.quality[:, index], cost_usd=self.cost_usd[:, index]
        )


def outcome_matrix(outcomes: pl.DataFrame) -> tuple[tuple[str, ...], Outcomes]:
    """Turn the outcomes table into prompt ids (sorted) and a matrix.

    Repeated outcomes of a model on a prompt are averaged over their known values.

    Raises
    ------
    NotReadyError
        If there is no outcome.
    """
    if outcomes.is_empty():
        raise NotReadyError(
            "There are no outcomes yet. Run `promptshed import FILE` with a model and a quality "
            "column."
        )
    means = outcomes.group_by("prompt_id", "model_id").agg(
        pl.col("quality").mean(), pl.col("cost_usd").mean()
    )
    prompts = means.select(pl.col("prompt_id").unique().sort())
    models = means.select(pl.col("model_id").unique().sort())
    located = means.join(prompts.with_row_index("row"), on="prompt_id").join(
        models.with_row_index("column"), on="model_id"
    )
    shape = (prompts.height, models.height)
    return tuple(prompts["prompt_id"]), Outcomes(
        model_ids=tuple(models["model_id"]),
        quality=_fill(located, "quality", shape),
        cost_usd=_fill(located, "cost_usd", shape),
    )


def latency_matrix(
    outcomes: pl.DataFrame, prompt_ids: Sequence[str], model_ids: Sequence[str]
) -> NDArray[np.float64]:
    """Return mean known latencies in seconds, shape (n_prompts, n_models); NaN is unknown."""
    row_of = {prompt_id: row for row, prompt_id in enumerate(prompt_ids)}
    column_of = {model_id: column for column, model_id in enumerate(model_ids)}
    means = outcomes.group_by("prompt_id", "model_id").agg(pl.col("latency_s").mean())
    located = means.with_columns(
        row=pl.col("prompt_id").replace_strict(row_of, default=None, return_dtype=pl.Int64),
        column=pl.col("model_id").replace_strict(column_of, default=None, return_dtype=pl.Int64),
    )
    return _fill(located.drop_nulls(), "latency_s", (len(row_of), len(column_of)))


def _fill(located: pl.DataFrame, column: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    matrix = np.full(shape, np.nan)
    known = located.filter(pl.col(column).is_not_null())
    matrix[known["row"].to_numpy(), known["column"].to_numpy()] = known[column].to_numpy()
    return matrix


@dataclass(frozen=True, kw_only=True)
class CompleteCase:
    """The part of an outcome matrix on which every candidate can be compared."""

    rows: NDArray[np.intp]
    """Prompts with a known outcome of every candidate."""
    n_gaps: int
    """Prompts without one, which are in nothing."""
    outcomes: Outcomes
    has_cost: bool
    """False: no cost is known, and every cost is NaN."""
    left_out: dict[str, str]
    """Models that are not candidates, and why."""


def complete_case(outcomes: Outcomes, *, least_coverage: float = 0.9) -> CompleteCase:
    """Keep the models known on nearly all prompts, then the prompts known for all those models.

    Parameters
    ----------
    least_coverage
        Share of prompts on which a model's quality must be known; likewise its cost, unless no
        model reaches that, in which case cost is left out of everything.

    Raises
    ------
    NotReadyError
        If fewer than two models remain, or no prompt was answered by all of them.
    """
    answered = np.isfinite(outcomes.quality)
    n_prompts = max(len(answered), 1)
    coverage = answered.sum(axis=0) / n_prompts
    priced = (np.isfinite(outcomes.cost_usd) & answered).sum(axis=0) / n_prompts
    priced = priced >= least_coverage * coverage
    priced &= coverage >= least_coverage
    has_cost = bool(priced.sum() >= 2)
    left_out: dict[str, str] = {}
    for model_id, share, known in zip(outcomes.model_ids, coverage, priced, strict=True):
        if share < least_coverage:
            left_out[model_id] = f"quality known on {share:.0%} of the prompts"
        elif has_cost and not known:
            left_out[model_id] = "cost unknown"
    kept = outcomes.columns(tuple(m for m in outcomes.model_ids if m not in left_out))
    known_all = np.isfinite(kept.quality).all(axis=1)
    if has_cost:
        known_all &= np.isfinite(kept.cost_usd).all(axis=1)
    if len(kept.model_ids) < 2 or not known_all.any():
        raise NotReadyError(
            f"Comparing routers needs prompts that were answered by at least two models each; of "
            f"{len(outcomes.quality):,} prompts and {len(outcomes.model_ids)} models none are. "
            "Import outcomes of more models on the same prompts."
        )
    rows = np.flatnonzero(known_all)
    chosen = kept.rows(rows)
    if not has_cost:
        blank = np.full_like(chosen.quality, np.nan)
        chosen = Outcomes(model_ids=chosen.model_ids, quality=chosen.quality, cost_usd=blank)
    n_gaps = len(kept.quality) - len(rows)
    return CompleteCase(
        rows=rows, n_gaps=n_gaps, outcomes=chosen, has_cost=has_cost, left_out=left_out
    )
