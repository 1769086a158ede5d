"""A budget for a whole file, met exactly in two passes and constant memory.

Every prompt starts at its cheapest candidate and may be improved step by step, along the convex
hull of its (cost, utility) points, up to the model it would take without a budget. The best use of
the money takes the steps of all prompts in the order of their slope (the multiple-choice knapsack's
linear relaxation; Sinha and Zoltners 1979, doi:10.1287/opre.27.3.503). The first pass counts the
cost of steps by their slope, on a fine logarithmic scale; the second one takes every step above the
slope at which the money ends, and at that slope as many as still fit, in the order of the file.
The result loses less than one step, and one bin of the scale (0.3 %), to the best one.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.route import best_columns
from profiles.errors import InfeasibleError, UsageError

Floats = NDArray[np.float64]
Columns = NDArray[np.int64]

_BINS_PER_OCTAVE = 256
_LOWEST_OCTAVE, _N_OCTAVES = -64, 192
_N_BINS = _BINS_PER_OCTAVE * _N_OCTAVES
_USABLE = 1.0 - 1e-9
"""Of the budget: sums in another order differ by rounding, and must not exceed it."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The improvements of some prompts, each prompt's in falling order of slope."""

    start: Columns
    """Shape (n,): the cheapest candidate of each prompt."""
    row: NDArray[np.intp]
    """Shape (n_steps,)."""
    column: Columns
    """Shape (n_steps,): the model after the step."""
    extra_usd: Floats
    """Shape (n_steps,): what the step costs more, at least 0."""
    bin: Columns
    """Shape (n_steps,): the slope (utility for a US dollar) on the scale; higher is steeper."""


def improvement_steps(utility: Floats, cost_usd: Floats) -> Steps:
    """Return the steps from each prompt's cheapest candidate to its choice without a budget.

    Parameters
    ----------
    utility
        Shape (n, n_models); −inf marks what is no candidate.
    cost_usd
        Shape (n, n_models); a candidate of unknown cost is passed over.

    Raises
    ------
    UsageError
        If some prompt has no candidate of known cost.
    """
    utility = np.where(np.isfinite(cost_usd), utility, -np.inf)
    stranded = ~np.isfinite(utility).any(axis=1)
    if stranded.any():
        raise UsageError(
            f"{int(stranded.sum()):,} prompts have no candidate of known cost, so no budget can be "
            "kept. Import costs, or route without --budget-usd."
        )
    top = best_columns(utility, cost_usd)
    start = _cheapest(utility, cost_usd)
    rows, at = np.flatnonzero(start != top), start[start != top]
    slope = np.full(len(rows), np.inf)
    parts: list[tuple[NDArray, ...]] = []
    while len(rows):
        target, slope = _next_step(utility[rows], cost_usd[rows], at, top[rows], slope)
        extra = cost_usd[rows, target] - cost_usd[rows, at]
        parts.append((rows, target, np.maximum(extra, 0.0), _bin_of(slope)))
        going = target != top[rows]
        rows, at, slope = rows[going], target[going], slope[going]
    none = (np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    row, column, extra, bins = (np.concatenate(part) for part in zip(none, *parts, strict=True))
    order = np.lexsort((-bins, row))  # stable: equal slopes of one prompt stay in their order
    return Steps(
        start=start, row=row[order], column=column[order], extra_usd=extra[order], bin=bins[order]
    )


def _cheapest(utility: Floats, cost_usd: Floats) -> Columns:
    """Return the cheapest candidate of each row, the better one on ties."""
    cost = np.where(np.isfinite(utility), cost_usd, np.inf)
    tied = cost == cost.min(axis=1, keepdims=True, initial=np.inf)
    return np.argmax(np.where(tied, utility, -np.inf), axis=1)


def _next_step(
    utility: Floats, cost_usd: Floats, at: Columns, top: Columns, before: Floats
) -> tuple[Columns, Floats]:
    """Return where the steepest step leads and its slope, never above the one before."""
    here = np.arange(len(at))
    gain = utility - utility[here, at, None]
    extra = cost_usd - cost_usd[here, at, None]
    useful = (extra > 0.0) & (gain > 0.0) & (cost_usd <= cost_usd[here, top, None])
    steep = np.divide(gain, extra, out=np.full_like(gain, -np.inf), where=useful)
    target = np.argmax(steep, axis=1)
    slope = steep[here, target]
    target = np.where(np.isfinite(slope), target, top)
    return target, np.minimum(before, np.where(np.isfinite(slope), slope, 0.0))


def _bin_of(slope: Floats) -> Columns:
    octave = np.log2(np.maximum(slope, 2.0**_LOWEST_OCTAVE)) - _LOWEST_OCTAVE
    return np.clip((octave * _BINS_PER_OCTAVE).astype(np.int64), 0, _N_BINS - 1)


@dataclass(kw_only=True)
class Ledger:
    """What the first pass counts."""

    least_usd: float = 0.0
    """Cost of the cheapest candidates."""
    extra_usd: Floats = field(default_factory=lambda: np.zeros(_N_BINS))
    """Shape (n_bins,): cost of all steps, by slope."""

    def add(self, utility: Floats, cost_usd: Floats) -> None:
        """Count some prompts."""
        steps = improvement_steps(utility, cost_usd)
        self.least_usd += float(cost_usd[np.arange(len(steps.start)), steps.start].sum())
        self.extra_usd += np.bincount(steps.bin, weights=steps.extra_usd, minlength=_N_BINS)

    def spend(self, budget_usd: float) -> "Spending":
        """Return the rule of the second pass.

        Raises
        ------
        InfeasibleError
            If the budget is below the cheapest possible cost.
        """
        usable = budget_usd * _USABLE
        if self.least_usd > usable:
            nearest = _round_up(self.least_usd / _USABLE)
            raise InfeasibleError(
                f"--budget-usd {budget_usd:g} is below ${nearest:g}, the least the file can cost "
                "by the table's estimates. Raise it, or allow cheaper models.",
                constraint="--budget-usd",
                nearest=nearest,
            )
        spent = self.least_usd + np.cumsum(self.extra_usd[::-1])
        n_taken = int(np.searchsorted(spent, usable, side="right"))
        if n_taken == _N_BINS:
            return Spending(least_bin=0, left_usd=0.0, shadow_price=0.0)
        least = _N_BINS - n_taken
        taken = spent[n_taken - 1] if n_taken else self.least_usd
        price = 2.0 ** ((least - 0.5) / _BINS_PER_OCTAVE + _LOWEST_OCTAVE)
        return Spending(least_bin=least, left_usd=float(usable - taken), shadow_price=price)


@dataclass(kw_only=True)
class Spending:
    """The second pass: which steps are taken."""

    least_bin: int
    """Steps of this slope and steeper are taken."""
    left_usd: float
    """What is left for steps just below that slope."""
    shadow_price: float
    """Utility that one more US dollar would buy; 0 where the budget does not bind."""

    def choose(self, utility: Floats, cost_usd: Floats) -> Columns:
        """Return the chosen columns of the next prompts of the file, shape (n,)."""
        steps = improvement_steps(utility, cost_usd)
        chosen = steps.start.copy()
        taken = steps.bin >= self.least_bin
        chosen[steps.row[taken]] = steps.column[taken]  # of a prompt's steps the last one stays
        refused = -1
        for index in np.flatnonzero(steps.bin == self.least_bin - 1):
            row, extra = int(steps.row[index]), float(steps.extra_usd[index])
            if row == refused or extra > self.left_usd:
                refused = row  # a later step of this prompt builds on the one refused
                continue
            self.left_usd -= extra
            chosen[row] = steps.column[index]
        return chosen


def _round_up(value: float) -> float:
    """Round up to four digits, so that a limit in a message can be typed back.

    >>> _round_up(1.33701), _round_up(0.0)
    (1.338, 0.0)
    """
    if value <= 0.0:
        return value
    digits = 3 - math.floor(math.log10(value))
    return round(math.ceil(value * 10.0**digits) / 10.0**digits, max(digits, 0))
