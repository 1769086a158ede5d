"""The trade-off of a router: what quality is worth, and how sure an advantage must be.

Both are chosen on held-out estimates of training prompts, never on what is scored. Measured on
four outcome matrices: quality alone needs the guard (without it kNN loses up to 2.9 points where
prompts are few and models many), while along the cost frontier no guard is best, as errors there
cut both ways. So the settings that are tried are every value without a guard, and quality alone
under every guard.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, column_means
from pipeline.frontier import quality_values
from pipeline.guard import guarded
from pipeline.route import choose_by_utility
from profiles.outcomes import Outcomes

GUARDS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.0)
"""Standard errors by which an advantage may have to exceed 0, the most careful first. The larger
ones keep the reference model for nearly everything, where nothing better is known."""

_KEPT_BY = 0.5
"""Standard errors by which quality must be kept: of many settings the cheapest that just keeps it
was lucky. Without this margin unseen prompts lost .2 to .6 points on three of four matrices, with
a whole standard error hardly anything is saved."""


Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """One setting of a router."""

    quality_value_usd: float
    """US dollars that one unit of quality is worth on one prompt; infinity: quality alone."""
    z: float
    """Standard errors by which an advantage over the reference model must exceed 0."""


def choose_at(estimates: Estimates, tradeoff: Tradeoff, *, reference: int) -> NDArray[np.int64]:
    """Return the chosen columns, shape (n,)."""
    return choose_by_utility(
        guarded(estimates, tradeoff.z, reference), quality_value_usd=tradeoff.quality_value_usd
    )


def at_value(
    held_out: Estimates, outcomes: Outcomes, *, reference: int, quality_value_usd: float
) -> Tradeoff:
    """Choose the guard under which the choices surely gained most; the most careful one on ties.

    What counts is the mean gain over the reference model less its own standard error: of many
    models a lucky one gains a little on few prompts.

    Parameters
    ----------
    held_out
        Held-out estimates of training prompts (`fit_with_held_out`).
    outcomes
        Outcomes of the same prompts; unknown ones count as `_mean_gain` says.
    reference
        Column of the model to leave only for an advantage.
    """
    if quality_value_usd == 0.0:
        return Tradeoff(quality_value_usd=0.0, z=0.0)
    settings = [Tradeoff(quality_value_usd=quality_value_usd, z=z) for z in GUARDS]
    gains = [
        _sure_gain(choose_at(held_out, setting, reference=reference), outcomes, reference, setting)
        for setting in settings
    ]
    return settings[int(np.argmax(gains))]


def settings_to_try(
    held_out: Estimates, outcomes: Outcomes, *, reference: int, z: float | None = None
) -> tuple[Tradeoff, ...]:
    """Return settings from the safest to the cheapest, for a certificate to walk along.

    Quality alone under its guard comes first, then every value without a guard, or with `z`
    where that is given.
    """
    values = [float(value) for value in quality_values(outcomes)]
    if z is not None:
        return tuple(Tradeoff(quality_value_usd=value, z=z) for value in values)
    first = at_value(held_out, outcomes, reference=reference, quality_value_usd=np.inf)
    return first, *(Tradeoff(quality_value_usd=value, z=0.0) for value in values)


def at_parity(
    held_out: Estimates,
    outcomes: Outcomes,
    *,
    reference: int,
    keep_quality: float = 1.0,
    z: float | None = None,
) -> Tradeoff:
    """Choose the cheapest setting that keeps the reference model's quality, by a small margin.

    Parameters
    ----------
    held_out, outcomes, reference
        As in `at_value`.
    keep_quality
        Share of the reference model's mean quality to keep, such as 0.98.
    z
        The guard, where it is given.

    Returns
    -------
    Tradeoff
        The best one by quality alone where no setting keeps it, or where the reference model's
        cost is unknown, so that nothing can be called cheaper.
    """
    free = tuple(
        Tradeoff(quality_value_usd=float(value), z=z or 0.0) for value in quality_values(outcomes)
    )
    careful = (Tradeoff(quality_value_usd=np.inf, z=guard) for guard in GUARDS if guard > 0.0)
    settings = free if z is not None else (*free, *careful)
    chosen = np.stack([choose_at(held_out, setting, reference=reference) for setting in settings])
    rows = np.arange(len(outcomes.quality))
    quality, target = outcomes.quality[rows, chosen], outcomes.quality[:, reference]
    spare, error = _mean_gain(
        quality - keep_quality * target, chosen != reference, _spread(outcomes)
    )
    kept = spare >= _KEPT_BY * error
    cost = column_means(outcomes.cost_usd[rows, chosen].T)
    comparable = kept & np.isfinite(cost) & np.isfinite(outcomes.cost_usd[:, reference]).any()
    if not comparable.any():
        best = at_value(held_out, outcomes, reference=reference, quality_value_usd=np.inf)
        return best if z is None else free[0]
    return settings[int(np.argmin(np.where(comparable, cost, np.inf)))]


def _sure_gain(
    chosen: NDArray[np.int64], outcomes: Outcomes, reference: int, setting: Tradeoff
) -> float:
    """Return the mean gain over the reference model less its standard error, as quality."""
    rows = np.arange(len(chosen))
    gain = outcomes.quality[rows, chosen] - outcomes.quality[:, reference]
    if np.isfinite(setting.quality_value_usd):
        saved = outcomes.cost_usd[:, reference] - outcomes.cost_usd[rows, chosen]
        gain = gain + np.nan_to_num(saved) / setting.quality_value_usd
    mean, error = _mean_gain(gain, chosen != reference, _spread(outcomes))
    return float(mean - error)


def _mean_gain(gain: Floats, moved: NDArray[np.bool_], spread: float) -> tuple[Floats, Floats]:
    """Return the mean gain over the reference model and its standard error.

    Prompts that leave the reference model with an unknown outcome are taken to gain as much as the
    known ones that leave it, and to vary as all qualities do: so a model that answered a handful of
    prompts well has proved nothing. Without any known one the error is infinite.

    Parameters
    ----------
    gain
        Shape (..., n); NaN is unknown.
    moved
        Shape (..., n): prompts that leave the reference model.
    spread
        Variance of all known qualities.
    """
    n = gain.shape[-1]
    known = np.isfinite(gain)
    n_moved, n_seen = moved.sum(axis=-1), (moved & known).sum(axis=-1)
    seen_mean = np.where(moved & known, gain, 0.0).sum(axis=-1) / np.maximum(n_seen, 1)
    filled = np.where(known, gain, np.where(moved, seen_mean[..., None], 0.0))
    variance = filled.var(axis=-1) + spread * (n_moved - n_seen) / n
    scale = np.where(n_moved > 0, n_moved / np.maximum(n_seen, 1), 1.0)
    unproved = (n_moved > 0) & (n_seen == 0)
    return filled.mean(axis=-1), np.where(unproved, np.inf, scale * np.sqrt(variance / n))


def _spread(outcomes: Outcomes) -> float:
    known = outcomes.quality[np.isfinite(outcomes.quality)]
    return float(known.var()) if len(known) else 0.0
