"""Which models may take which prompt, before any limit on totals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.knapsack import round_up
from profiles.errors import InfeasibleError, UsageError

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What decisions must satisfy; the defaults ask for nothing."""

    allow: tuple[str, ...] = ()
    """The only candidate models; empty allows all."""
    deny: tuple[str, ...] = ()
    min_quality: float | Floats | None = None
    """Lowest expected quality of a prompt: one number, or shape (n,)."""
    budget_usd: float | None = None
    """Most that all prompts together may cost, on estimates."""
    max_latency_s: float | None = None
    max_count: Mapping[str, int] = field(default_factory=dict[str, int])
    """Most prompts for each model named."""
    max_share: Mapping[str, float] = field(default_factory=dict[str, float])
    """Most prompts for each model named, as a share of all, rounded down."""
    fallback: tuple[str, ...] = ()
    """Models, first choice first, for prompts that no model can serve within the floor and the
    latency cap, and for unassigned ones. Empty: such a prompt is an error."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What constraints look at beside the estimates; leave out what no constraint needs."""

    latency_s: Floats | None = None
    """Shape (n, n_models): expected latency; a model of unknown (NaN) latency is no candidate
    under a cap."""
    n_tokens_in: NDArray[np.int64] | None = None
    """Shape (n,)."""
    context_tokens: Floats | None = None
    """Shape (n_models,): context window; a model of unknown (NaN) size is no candidate."""
    required: Sequence[frozenset[str]] | None = None
    """For each prompt the features its model must have."""
    features: Sequence[frozenset[str]] | None = None
    """For each model the features it has."""
    unassigned: Mask | None = None
    """Shape (n,): prompts that go to the fallback chain, if there is one."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Which models may take which prompt, and what ruled out the others."""

    listed: Mask
    """Shape (n, n_models): by the allow and deny lists, with a known utility."""
    rules: dict[str, Mask]
    """Shape (n, n_models) each: what each constraint lets pass, by its name."""
    allowed: Mask
    """Shape (n, n_models): the candidates; one for a prompt on the fallback chain."""
    fell_back: Mask
    """Shape (n,)."""


def find_candidates(
    model_ids: tuple[str, ...],
    utility: Floats,
    quality: Floats,
    constraints: Constraints,
    facts: Facts,
) -> Candidates:
    """Apply every constraint that looks at one prompt at a time.

    Raises
    ------
    InfeasibleError
        If some prompt has no candidate; names the constraint and the nearest feasible value.
    UsageError
        If a constraint names an unknown model.
    ValueError
        If an array has the wrong shape, or a constraint's facts are missing.
    """
    listed = np.isfinite(utility) & _listed(model_ids, constraints)
    hard = {"context": _context(utility.shape, facts), "features": _features(utility.shape, facts)}
    soft = {
        "latency": _latency(utility.shape, constraints, facts),
        "floor": _floor(quality, constraints),
    }
    possible = listed & hard["context"] & hard["features"]
    allowed = possible & soft["latency"] & soft["floor"]
    sent: Mask = np.logical_not(allowed.any(axis=1))
    if facts.unassigned is not None and constraints.fallback:
        sent = sent | facts.unassigned
    if sent.any() and constraints.fallback:
        allowed = np.where(sent[:, None], _first_of(model_ids, constraints, possible), allowed)
    _require_candidates(listed, hard | soft, allowed, quality, constraints, facts)
    fell_back = sent if constraints.fallback else np.zeros(len(utility), dtype=bool)
    return Candidates(listed=listed, rules=hard | soft, allowed=allowed, fell_back=fell_back)


def column_of(model_ids: tuple[str, ...], model_id: str) -> int:
    """Return the column of a model.

    Raises
    ------
    UsageError
        If there is none.
    """
    if model_id not in model_ids:
        known = ", ".join(model_ids)
        raise UsageError(f"There is no model {model_id!r} among the candidates: {known}.")
    return model_ids.index(model_id)


def _listed(model_ids: tuple[str, ...], constraints: Constraints) -> Mask:
    listed = np.full(len(model_ids), not constraints.allow)
    listed[[column_of(model_ids, model_id) for model_id in constraints.allow]] = True
    listed[[column_of(model_ids, model_id) for model_id in constraints.deny]] = False
    if not listed.any():
        raise InfeasibleError(
            "The allow and deny lists leave no model. Allow at least one.", constraint="allow"
        )
    return listed


def _context(shape: tuple[int, ...], facts: Facts) -> Mask:
    if facts.n_tokens_in is None or facts.context_tokens is None:
        return np.ones(shape, dtype=bool)
    _require_shape("n_tokens_in", facts.n_tokens_in, shape[:1])
    _require_shape("context_tokens", facts.context_tokens, shape[1:])
    return facts.n_tokens_in[:, None] <= facts.context_tokens


def _features(shape: tuple[int, ...], facts: Facts) -> Mask:
    if facts.required is None:
        return np.ones(shape, dtype=bool)
    features = facts.features or ()
    if (len(facts.required), len(features)) != shape:
        raise ValueError(
            f"required and features must list {shape[0]} prompts and {shape[1]} models, got "
            f"{len(facts.required)} and {len(features)}."
        )
    masks = {
        needed: np.array([needed <= has for has in features], dtype=bool)
        for needed in set(facts.required)
    }
    return np.array([masks[needed] for needed in facts.required], dtype=bool).reshape(shape)


def _latency(shape: tuple[int, ...], constraints: Constraints, facts: Facts) -> Mask:
    if constraints.max_latency_s is None:
        return np.ones(shape, dtype=bool)
    if facts.latency_s is None:
        raise ValueError("max_latency_s needs latency estimates: give Facts(latency_s=...).")
    _require_shape("latency_s", facts.latency_s, shape)
    return facts.latency_s <= constraints.max_latency_s


def _floor(quality: Floats, constraints: Constraints) -> Mask:
    if constraints.min_quality is None:
        return np.ones(quality.shape, dtype=bool)
    floor = np.asarray(constraints.min_quality, dtype=np.float64)
    if floor.ndim:
        _require_shape("min_quality", floor, quality.shape[:1])
    return quality >= np.broadcast_to(floor, quality.shape[:1])[:, None]


def _require_shape(name: str, values: NDArray, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {values.shape}.")


def _first_of(model_ids: tuple[str, ...], constraints: Constraints, possible: Mask) -> Mask:
    """Return, per prompt, only the first possible model of the fallback chain."""
    first, waiting = np.zeros_like(possible), np.ones(len(possible), dtype=bool)
    for model_id in constraints.fallback:
        column = column_of(model_ids, model_id)
        first[:, column] = waiting & possible[:, column]
        waiting &= ~possible[:, column]
    return first


def _require_candidates(
    listed: Mask,
    rules: dict[str, Mask],
    allowed: Mask,
    quality: Floats,
    constraints: Constraints,
    facts: Facts,
) -> None:
    """Name the first constraint that leaves some prompt without a candidate."""
    lost: Mask = np.logical_not(allowed.any(axis=1))
    passing = listed & lost[:, None]
    for name, rule in rules.items():
        stranded = passing.any(axis=1) & np.logical_not((passing & rule).any(axis=1))
        if stranded.any():
            raise _infeasible(name, stranded, passing, quality, constraints, facts)
        passing = passing & rule
    if not lost.any():
        return
    where = np.flatnonzero(lost)
    raise InfeasibleError(
        f"No model of known quality and cost can take {len(where):,} prompts, first at row "
        f"{where[0]}. Allow a model that can, or extend the fallback chain.",
        constraint="candidates",
    )


def _infeasible(
    name: str,
    stranded: Mask,
    passing: Mask,
    quality: Floats,
    constraints: Constraints,
    facts: Facts,
) -> InfeasibleError:
    where = f"on {int(stranded.sum()):,} prompts, first at row {int(np.argmax(stranded))}"
    if name == "floor":
        reach = np.where(passing & np.isfinite(quality), quality, 0.0).max(axis=1)[stranded]
        floors = np.asarray(constraints.min_quality, dtype=np.float64)
        floor = np.broadcast_to(floors, stranded.shape)[stranded]
        if floors.ndim:
            short = float((floor - reach).max())
            message = f"No model reaches the floor {where}; the largest shortfall is {short:.6g}."
            return InfeasibleError(message, constraint=name, nearest=short)
        nearest = math.floor(float(reach.min()) * 1e4) / 1e4
        message = f"No model reaches the floor {floor[0]:g} {where}; the highest feasible floor is"
    elif name == "latency" and facts.latency_s is not None:
        known = np.where(passing & np.isfinite(facts.latency_s), facts.latency_s, np.inf)
        nearest = round_up(float(known.min(axis=1)[stranded].max()))
        message = f"No model answers within {constraints.max_latency_s:g} s {where}; the lowest "
        message += "feasible cap in seconds is"
    elif name == "context" and facts.context_tokens is not None:
        nearest = float(np.nan_to_num(facts.context_tokens).max())
        message = f"No model's context window fits {where}; the largest one in tokens is"
    else:
        message = f"No model has the required features {where}. Allow a model that has them."
        return InfeasibleError(message, constraint=name)
    message = f"{message} {nearest:.6g}. Loosen it, allow more models or name a fallback."
    return InfeasibleError(message, constraint=name, nearest=nearest)
