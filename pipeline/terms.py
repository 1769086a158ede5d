"""The terms on which a model is chosen: who is a candidate for a prompt, and what it must prove."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates
from pipeline.guard import guarded
from pipeline.route import utilities
from profiles.errors import InfeasibleError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a model must promise on a prompt; None asks for nothing."""

    min_quality: float | None = None
    """Lowest expected quality, in [0, 1]."""
    max_latency_s: float | None = None
    """Highest expected latency; a model of unknown latency is then no candidate."""
    fallback: tuple[int, ...] = ()
    """Columns of models, first choice first, for prompts that no model can take within the limits
    and for unassigned ones. Empty: the former go to the reference model, the latter are routed."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How estimates become decisions."""

    reference: int
    """Column of the safe choice."""
    quality_value_usd: float
    """US dollars that one unit of quality is worth on one prompt; infinity: quality alone."""
    z: Floats
    """Shape (n_buckets,): standard errors that an advantage over the reference must exceed."""
    surcharge: Floats
    """Shape (n_models,), in units of quality: what a place within a model's share is worth."""
    limits: Limits
    locks: NDArray[np.int64]
    """Shape (n_buckets,): column of the only model for prompts that are likeliest of this bucket;
    -1 for none. A lock goes before limits, and after rules."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What each model is worth on each prompt."""

    utility: Floats
    """Shape (n, n_models), in units of quality; −inf marks what is no candidate."""
    unlocked: Floats
    """Shape (n, n_models): the same without locks, by which the next model to try is found."""
    unlimited: Floats
    """Shape (n, n_models): the same before any limit."""
    fell_back: Mask
    """Shape (n,): the fallback chain decides."""
    is_locked: Mask
    """Shape (n,): a lock decides."""


def weigh(
    estimates: Estimates,
    memberships: Floats,
    latency_s: Floats,
    terms: Terms,
    *,
    allowed: Mask | None = None,
) -> Weighed:
    """Return the cautious utility of every model on every prompt.

    Parameters
    ----------
    memberships
        Shape (n, n_buckets): mixes the z of the buckets; all in the last one is `unassigned`.
    latency_s
        Shape (n, n_models): expected latency; NaN is unknown.
    allowed
        Shape (n, n_models): what rules let pass; it binds the fallback chain too, and where that
        has no such model, the limits yield before the rules do.
    """
    allowed = np.ones(latency_s.shape, dtype=bool) if allowed is None else allowed
    cautious = guarded(estimates, memberships @ terms.z, terms.reference)
    worth = utilities(cautious, quality_value_usd=terms.quality_value_usd) - terms.surcharge
    ruled_in = allowed & np.isfinite(worth)
    possible = ruled_in & within(estimates.quality, latency_s, terms.limits)
    fell_back: Mask = np.logical_not(possible.any(axis=1))
    if terms.limits.fallback:
        fell_back = fell_back | (memberships[:, -1] == 1.0)
    chain = _last_resort(_chain_utility(estimates.quality, terms), worth, ruled_in)
    unlocked = np.where(fell_back[:, None], chain, np.where(possible, worth, -np.inf))
    locked = _locked(memberships, terms.locks, allowed & np.isfinite(estimates.quality))
    is_locked: Mask = np.any(locked, axis=1)
    return Weighed(
        utility=np.where(is_locked[:, None], np.where(locked, 0.0, -np.inf), unlocked),
        unlocked=unlocked,
        unlimited=worth,
        fell_back=fell_back & np.logical_not(is_locked),
        is_locked=is_locked,
    )


def _locked(memberships: Floats, locks: NDArray[np.int64], possible: Mask) -> Mask:
    """Return where a lock's model stands, shape (n, n_models), as far as it is possible there."""
    column = locks[memberships.argmax(axis=1)]
    return (np.arange(possible.shape[1]) == column[:, None]) & possible


def _last_resort(chain: Floats, worth: Floats, ruled_in: Mask) -> Floats:
    """Return the chain within the rules; where it has none such, all models within the rules."""
    within_rules = np.where(ruled_in, chain, -np.inf)
    some = np.isfinite(within_rules).any(axis=1, keepdims=True)
    any_ruled_in = ruled_in.any(axis=1, keepdims=True)
    rest = np.where(any_ruled_in, np.where(ruled_in, worth, -np.inf), chain)
    return np.where(some, within_rules, rest)


def within(quality: Floats, latency_s: Floats, limits: Limits) -> Mask:
    """Return which models keep the limits, shape (n, n_models)."""
    kept = np.ones(quality.shape, dtype=bool)
    if limits.min_quality is not None:
        kept &= quality >= limits.min_quality
    if limits.max_latency_s is not None:
        kept &= latency_s <= limits.max_latency_s
    return kept


def _chain_utility(quality: Floats, terms: Terms) -> Floats:
    """Return 0 for the chain's first model, −1 for its second and so on, −inf elsewhere."""
    worth = np.full(quality.shape, -np.inf)
    for place, column in enumerate(terms.limits.fallback or (terms.reference,)):
        worth[:, column] = np.where(np.isfinite(quality[:, column]), -float(place), -np.inf)
    return worth


def require_feasible(
    quality: Floats, latency_s: Floats, limits: Limits, names: Sequence[str]
) -> None:
    """Check that in every bucket some model keeps the limits, or that a fallback is named.

    Parameters
    ----------
    quality, latency_s
        Shape (n_buckets, n_models); NaN is unknown.
    names
        One for each bucket.

    Raises
    ------
    InfeasibleError
        Names the limit that binds, where, and the nearest value that can be kept.
    """
    if limits.fallback:
        return
    cap, floor = limits.max_latency_s, limits.min_quality
    fast = within(quality, latency_s, Limits(max_latency_s=cap)) & np.isfinite(quality)
    slow = np.flatnonzero(~fast.any(axis=1))
    if len(slow):
        known = np.where(np.isfinite(latency_s), latency_s, np.inf).min(axis=1)
        raise _infeasible("--max-latency-s", f"{cap:g}", slow, names, _round_up(known[slow].max()))
    best = np.where(fast, quality, -np.inf).max(axis=1)
    poor = np.flatnonzero(best < (floor or 0.0))
    if len(poor):
        nearest = math.floor(1e4 * best[poor].min()) / 1e4
        raise _infeasible("--min-quality", f"{floor:g}", poor, names, nearest)


def _infeasible(
    option: str, value: str, rows: NDArray[np.intp], names: Sequence[str], nearest: float
) -> InfeasibleError:
    where = f"in {len(rows)} of {len(names)} domains, such as {names[rows[0]]!r}"
    if not math.isfinite(nearest):
        return InfeasibleError(
            f"{option} {value} cannot be kept {where}: no latency is known there. Import outcomes "
            "with a latency, leave the option out, or name a --fallback.",
            constraint=option,
        )
    return InfeasibleError(
        f"{option} {value} cannot be kept by any model {where}; the nearest value that can be kept "
        f"everywhere is {nearest:g}. Take that, allow more models, or name a --fallback.",
        constraint=option,
        nearest=nearest,
    )


def _round_up(value: float) -> float:
    return math.ceil(1e4 * value) / 1e4 if math.isfinite(value) else value
