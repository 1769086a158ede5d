"""Limits on a model's share of the calls: by a surcharge on it, or exactly on one file."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.route import TIE, best_columns
from profiles.errors import InfeasibleError

_MOST_SWEEPS = 1_000


def share_surcharges(
    utility: NDArray[np.float64], most: Mapping[int, float], model_ids: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return the least surcharges under which no model takes more than its share.

    Each is raised to where the model keeps only the prompts on which it is worth most, again and
    again, since what one model loses another wins (an auction: Bertsekas 1988,
    doi:10.1007/BF02186476).

    Parameters
    ----------
    utility
        Shape (n, n_models), in units of quality; −inf marks what is no candidate.
    most
        Largest share of the prompts, in [0, 1], by column.

    Returns
    -------
    NDArray
        Shape (n_models,), in units of quality; 0 for models without a limit.

    Raises
    ------
    InfeasibleError
        If every model has a limit, or too many prompts have no other candidate than one with a
        limit.
    """
    n, n_models = utility.shape
    surcharge = np.zeros(n_models)
    if most and len(most) == n_models:
        raise InfeasibleError(
            "--max-share limits every model. Leave at least one without a limit.",
            constraint="--max-share",
        )
    for _ in range(_MOST_SWEEPS):
        before = surcharge.copy()
        for column, share in most.items():
            wish = _wish(utility - surcharge, column) + surcharge[column]
            places = int(np.floor(share * n + 1e-9))
            surcharge[column] = _price(wish, places, model_ids[column], share)
        if np.allclose(surcharge, before, rtol=0.0, atol=1e-12):
            break
    return surcharge


def assign_within_shares(
    utility: NDArray[np.float64],
    cost_usd: NDArray[np.float64],
    most: Mapping[int, float],
    model_ids: tuple[str, ...],
) -> NDArray[np.int64]:
    """Give every prompt a model so that no model takes more than its share, exactly.

    Every prompt asks its best model; one with too many keeps those that would lose most by going
    elsewhere (on ties the first ones), and the others ask their next best one (deferred
    acceptance: Gale and Shapley 1962, doi:10.1080/00029890.1962.11989827).

    Parameters
    ----------
    utility, most, model_ids
        As in `share_surcharges`.
    cost_usd
        Shape (n, n_models): the cheaper model wins a tie.

    Returns
    -------
    NDArray
        Shape (n,): columns of the models.

    Raises
    ------
    InfeasibleError
        If too many prompts have no other candidate than one with a limit.
    """
    open_to = utility.copy()
    places = {column: int(np.floor(share * len(utility) + 1e-9)) for column, share in most.items()}
    while True:
        chosen = best_columns(open_to, cost_usd)
        full = [j for j, size in places.items() if np.count_nonzero(chosen == j) > size]
        if not full:
            return chosen
        for column in full:
            asking = np.flatnonzero(chosen == column)
            wish = _wish(open_to, column)[asking]
            _require_others(wish, places[column], len(utility), model_ids[column], most[column])
            order = np.argsort(-wish, kind="stable")
            open_to[asking[order[places[column] :]], column] = -np.inf


def _wish(utility: NDArray[np.float64], column: int) -> NDArray[np.float64]:
    """Return how much better a model is than the best other one; −inf where no candidate."""
    others = np.delete(utility, column, axis=1).max(axis=1, initial=-np.inf)
    own = utility[:, column]
    return np.where(np.isfinite(own), own - np.where(np.isfinite(own), others, 0.0), -np.inf)


def _price(wish: NDArray[np.float64], places: int, model_id: str, share: float) -> float:
    if places >= len(wish):
        return 0.0
    _require_others(wish, places, len(wish), model_id, share)
    first_out = float(-np.partition(-wish, places)[places])
    # A tie goes to the cheaper model, so the first one left out must lose by more than that.
    return max(0.0, first_out + 2.0 * TIE) if first_out > -TIE else 0.0


def _require_others(
    wish: NDArray[np.float64], places: int, n: int, model_id: str, share: float
) -> None:
    n_only = int(np.isposinf(wish).sum())
    if n_only > places:
        nearest = np.ceil(1e4 * n_only / n) / 1e4
        raise InfeasibleError(
            f"--max-share {model_id}={share:g} cannot be kept: {n_only:,} of {n:,} prompts have no "
            f"other candidate. The nearest feasible share is {nearest:g}; take that, or loosen the "
            "other limits.",
            constraint="--max-share",
            nearest=float(nearest),
        )
