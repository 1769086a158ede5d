"""Evaluate on logs that saw one model for each prompt, if the chance of each pick was logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.bootstrap import Interval
from pipeline.embed import Encoder
from pipeline.estimators.base import Estimator
from pipeline.evaluate import Split
from pipeline.flows.evaluation import NONE_EXTRA, held_out_splits
from pipeline.flows.routers import choose_routers
from pipeline.flows.training import TrainingData, read_training_data
from pipeline.off_policy import LoggedCalls, OffPolicyValue, logged_value, value_of_choices
from pipeline.route import choose_by_utility
from pipeline.store import Store
from profiles.errors import NotReadyError
from profiles.tables import OUTCOMES

_LEAST_CALLS = 100


@dataclass(frozen=True, kw_only=True)
class LogScore:
    """Routers on logged calls."""

    n_outcomes: int
    """Outcomes with a known quality."""
    n_explored: int
    """Those whose model was drawn with a known chance below 1: all numbers come from these."""
    n_seeds: int
    logged: Interval
    """Mean quality of what the logging itself chose."""
    routers: tuple[OffPolicyValue, ...]


def score_logs(
    store: Store,
    encoder: Encoder,
    *,
    n_seeds: int = 5,
    names: Sequence[str] = (),
    extra: Mapping[str, Estimator] = NONE_EXTRA,
) -> LogScore:
    """Fit routers on one half of the logged prompts and value their choices on the other half.

    Raises
    ------
    NotReadyError
        If too few outcomes have a propensity below 1: then the number cannot be known.
    """
    logged = store.read(OUTCOMES).drop_nulls("quality")
    explored = logged.filter(pl.col("propensity") < 1.0)
    if explored.height < _LEAST_CALLS:
        raise NotReadyError(
            f"What another routing would have been worth cannot be known from these logs: "
            f"{explored.height:,} of {logged.height:,} outcomes have a propensity below 1, and at "
            f"least {_LEAST_CALLS} are needed. Log the chance of each pick as `propensity`, or "
            "let a share of the traffic go to models drawn at random and import that."
        )
    data = _among(read_training_data(store, encoder), set(explored["model_id"]))
    splits = held_out_splits(data, n_seeds=n_seeds, test_share=0.5)
    routers = choose_routers(names, extra, has_domains=not data.domains.is_empty())
    calls = [_calls_of(explored, data, split) for split in splits]
    return LogScore(
        n_outcomes=logged.height,
        n_explored=explored.height,
        n_seeds=n_seeds,
        logged=logged_value(calls, n_prompts=len(data.prompt_ids)),
        routers=tuple(
            _value(name, router, splits, calls, n_prompts=len(data.prompt_ids))
            for name, router in routers.items()
        ),
    )


def _value(
    name: str,
    router: Estimator,
    splits: list[Split],
    calls: list[LoggedCalls],
    *,
    n_prompts: int,
) -> OffPolicyValue:
    chosen, expected = [], []
    for split, part in zip(splits, calls, strict=True):
        estimates = router.fit(split.train, split.train_outcomes).estimate(split.test)
        rows = np.searchsorted(split.test_rows, part.rows)
        chosen.append(choose_by_utility(estimates, quality_value_usd=float("inf"))[rows])
        expected.append(estimates.quality[rows])
    return value_of_choices(name, calls, chosen, expected, n_prompts=n_prompts)


def _among(data: TrainingData, model_ids: set[str]) -> TrainingData:
    """Keep the models that were drawn at random, and the prompts with an outcome of any of them."""
    outcomes = data.outcomes.columns(tuple(model_ids))
    kept = np.flatnonzero(np.isfinite(outcomes.quality).any(axis=1))
    return replace(data, outcomes=outcomes).rows(kept)


def _calls_of(explored: pl.DataFrame, data: TrainingData, split: Split) -> LoggedCalls:
    """Return the explored calls of a split's test prompts."""
    tested = pl.DataFrame(
        {
            "prompt_id": [data.prompt_ids[row] for row in split.test_rows],
            "row": split.test_rows.astype(np.int64),
        }
    )
    found = explored.join(tested, on="prompt_id").sort("row", "model_id", "request_id")
    columns = {model_id: j for j, model_id in enumerate(data.outcomes.model_ids)}
    return LoggedCalls(
        logged=np.array([columns[model_id] for model_id in found["model_id"]], dtype=np.int64),
        quality=found["quality"].to_numpy(),
        propensity=found["propensity"].to_numpy(),
        rows=found["row"].to_numpy().astype(np.intp),
    )
