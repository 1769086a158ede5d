"""Cascades replayed on recorded outcomes: cheap first, escalate when a check fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from profiles.outcomes import Outcomes

Check: TypeAlias = Callable[[NDArray[np.intp], int], NDArray[np.bool_]]
"""Takes rows and a column; says which of that model's answers on those prompts are accepted."""


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """What a cascade did on each prompt."""

    chosen: NDArray[np.int64]
    """Shape (n,): column of the model whose answer was kept."""
    accepted: NDArray[np.bool_]
    """Shape (n,): False where no answer passed and the last model's was kept."""
    quality: NDArray[np.float64]
    """Shape (n,): recorded quality of the kept answer; NaN is unknown."""
    cost_usd: NDArray[np.float64]
    """Shape (n,): of all calls made, and of their checks; NaN if one of them is unknown."""
    n_calls: NDArray[np.int64]
    """Shape (n_models,): calls made to each model."""


def simulate_cascade(
    order: Sequence[str],
    outcomes: Outcomes,
    passes: NDArray[np.bool_] | Check,
    *,
    check_usd: float = 0.0,
) -> Cascade:
    """Ask one model after the other until an answer passes the check.

    Parameters
    ----------
    order
        Model ids, first to last; the last model's answer is kept unchecked.
    passes
        Shape (n, n_models): True where the model's answer would be accepted; or a function.
        A check that reads recorded quality is an oracle, good only as a ceiling.
    check_usd
        Cost of checking one answer.

    Raises
    ------
    ValueError
        If `order` is empty, repeats a model or names an unknown one, or `passes` has another
        shape than the outcomes.
    """
    columns = _columns(order, outcomes)
    n = len(outcomes.quality)
    check = _check_of(passes, outcomes)
    chosen, cost = np.full(n, columns[-1], dtype=np.int64), np.zeros(n)
    n_calls = np.zeros(len(outcomes.model_ids), dtype=np.int64)
    waiting = np.arange(n)
    for column in columns[:-1]:
        n_calls[column] = len(waiting)
        cost[waiting] += outcomes.cost_usd[waiting, column] + check_usd
        accepted = check(waiting, column)
        chosen[waiting[accepted]] = column
        waiting = waiting[~accepted]
    n_calls[columns[-1]] = len(waiting)
    cost[waiting] += outcomes.cost_usd[waiting, columns[-1]]
    kept = np.ones(n, dtype=bool)
    kept[waiting] = check(waiting, columns[-1])
    return Cascade(
        chosen=chosen,
        accepted=kept,
        quality=outcomes.quality[np.arange(n), chosen],
        cost_usd=cost,
        n_calls=n_calls,
    )


def _columns(order: Sequence[str], outcomes: Outcomes) -> list[int]:
    unknown = [model_id for model_id in order if model_id not in outcomes.model_ids]
    if unknown or not order or len(set(order)) < len(order):
        raise ValueError(
            f"A cascade needs different models out of {', '.join(outcomes.model_ids)}, "
            f"got {list(order)}."
        )
    return [outcomes.model_ids.index(model_id) for model_id in order]


def _check_of(passes: NDArray[np.bool_] | Check, outcomes: Outcomes) -> Check:
    if not isinstance(passes, np.ndarray):
        return passes
    if passes.shape != outcomes.quality.shape:
        raise ValueError(
            f"passes must have the outcomes' shape {outcomes.quality.shape}, got {passes.shape}."
        )
    return lambda rows, column: passes[rows, column].astype(bool)
