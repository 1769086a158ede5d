"""What was lost against the model that turned out best, by chosen and by best model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.choices import Choice


@dataclass(frozen=True, kw_only=True)
class RegretCell:
    """Prompts on which one model was chosen and another, or the same, turned out best."""

    chosen: str
    best: str
    """The model of highest quality on the prompt, the cheapest on ties."""
    n: int
    """Prompts, over all splits."""
    regret: float
    """Mean quality of the best model minus the chosen one's, in [0, 1]."""
    overspend_usd: float
    """Mean cost of the chosen model minus the best one's; negative where the best one is dearer,
    NaN where a cost is unknown."""


def regret_matrix(
    choices: Sequence[Choice], oracles: Sequence[Choice], model_ids: tuple[str, ...]
) -> tuple[RegretCell, ...]:
    """Count prompts by chosen and best model; a choice and an oracle for each split.

    Returns
    -------
    tuple of RegretCell
        Cells with a prompt, by falling total regret, then falling count; empty where the choice
        is random. Over all cells, the mean of `regret` weighted by `n` is the mean regret.
    """
    if not choices or choices[0].columns is None:
        return ()
    n_models = len(model_ids)
    place = np.concatenate(
        [
            n_models * _columns(choice) + _columns(oracle)
            for choice, oracle in zip(choices, oracles, strict=True)
        ]
    )
    lost = np.concatenate([o.quality - c.quality for c, o in zip(choices, oracles, strict=True)])
    spent = np.concatenate([c.cost_usd - o.cost_usd for c, o in zip(choices, oracles, strict=True)])
    cells = []
    for cell in np.unique(place):
        here = place == cell
        cells.append(
            RegretCell(
                chosen=model_ids[cell // n_models],
                best=model_ids[cell % n_models],
                n=int(here.sum()),
                regret=float(lost[here].mean()),
                overspend_usd=float(spent[here].mean()),
            )
        )
    return tuple(sorted(cells, key=lambda c: (-c.n * c.regret, -c.n, c.chosen, c.best)))


def _columns(choice: Choice) -> NDArray[np.int64]:
    if choice.columns is None:
        raise ValueError("A random choice has no chosen models.")
    return choice.columns
