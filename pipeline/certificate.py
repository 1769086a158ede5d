"""Certificates: a routing table that provably loses little against a safe reference model.

Trade-offs are tried from the safest to the cheapest on prompts that nothing was fitted on, each
with a one-sided bound on the mean paired loss, and the first failure ends the walk. Because it
does, no correction for the number of trade-offs is needed: the chance that the certified one truly
loses more than delta is at most alpha (fixed-sequence testing; Angelopoulos et al. 2021, Learn
then Test, arXiv 2110.01052).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.mean_bounds import METHODS, upper_bound
from profiles.outcomes import Outcomes

Floats = NDArray[np.float64]

_MOST_PROMPTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """One trade-off that was tested."""

    value_usd: float
    mean_loss: float
    """Reference quality minus chosen quality; negative is a gain. NaN without prompts."""
    bound: float
    """The true mean loss exceeds this with probability at most alpha."""
    cost_ratio: float
    """Cost over the reference model's; NaN where unknown."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was shown about the loss against the reference model."""

    delta: float
    """Largest mean loss allowed, in units of quality."""
    alpha: float
    """Largest chance of certifying a trade-off that loses more than delta."""
    n: int
    """Calibration prompts."""
    method: str
    """A key of `pipeline.mean_bounds.METHODS`; "normal" is approximate, the others are not."""
    steps: tuple[Step, ...]
    """Every trade-off tested, safest first; only the last one may have failed."""
    n_passed: int
    n_needed: int | None
    """How many more labelled prompts like these would let the next trade-off pass; 0 where all
    passed, None where its observed loss is not below delta (or over a million would be needed)."""

    @property
    def certified(self) -> Step | None:
        """The cheapest trade-off that passed; None if not even the safest did."""
        return self.steps[self.n_passed - 1] if self.n_passed else None


def certify(
    losses: Floats,
    values_usd: Sequence[float],
    *,
    cost_usd: Floats,
    reference_cost_usd: Floats,
    delta: float,
    alpha: float = 0.05,
    method: str | None = None,
) -> Certificate:
    """Certify the cheapest trade-off that is shown to lose at most delta.

    Parameters
    ----------
    losses
        Shape (n_values, n): reference quality minus chosen quality, in [−1, 1], of independent
        prompts in an order that does not depend on them, such as by `prompt_id`.
    values_usd
        What a unit of quality is worth, never rising: the safest first.
    cost_usd, reference_cost_usd
        Shapes (n_values, n) and (n,): what the chosen and the reference models cost.
    method
        A key of `pipeline.mean_bounds.METHODS`; None takes "discordant" where every loss is −1, 0
        or 1 (0/1 quality), else "betting". Name it where the quality scale is known.

    Raises
    ------
    ValueError
        If shapes do not match, a loss is unknown or outside [−1, 1], values rise, or delta or
        alpha is out of range.
    """
    _require_sensible(losses, values_usd, cost_usd, reference_cost_usd)
    if not 0.0 <= delta < 1.0 or not 0.0 < alpha < 1.0:
        raise ValueError(f"delta must be in [0, 1) and alpha in (0, 1), got {delta} and {alpha}.")
    method = _method_for(losses, method)
    n_passed = n_passing(losses, delta=delta, alpha=alpha, method=method)
    steps: list[Step] = []
    for row, value in enumerate(values_usd[: n_passed + 1]):
        bound = upper_bound(losses[row], alpha=alpha, method=method)
        steps.append(
            Step(
                value_usd=float(value),
                mean_loss=float(losses[row].mean()) if losses.shape[1] else float("nan"),
                bound=min(bound, delta) if row < n_passed else bound,  # it is rounded up
                cost_ratio=_ratio(cost_usd[row], reference_cost_usd),
            )
        )
    failed = losses[n_passed] if n_passed < len(losses) else None
    return Certificate(
        delta=delta,
        alpha=alpha,
        n=losses.shape[1],
        method=method,
        steps=tuple(steps),
        n_passed=n_passed,
        n_needed=0 if failed is None else _n_needed(failed, delta, alpha, method),
    )


def certificate_json(certificate: Certificate) -> str:
    """Return what is kept with a table: the step that was certified, or the one that failed."""
    step = certificate.certified or certificate.steps[0]
    return json.dumps(
        {
            "max_loss": certificate.delta,
            "alpha": certificate.alpha,
            "n_prompts": certificate.n,
            "method": certificate.method,
            "is_certified": certificate.certified is not None,
            "mean_loss": step.mean_loss if certificate.n else None,
            "bound": step.bound,
            "cost_ratio": step.cost_ratio if np.isfinite(step.cost_ratio) else None,
            "n_needed": certificate.n_needed,
        }
    )


def certificate_sentence(saved: str) -> str:
    """Say in plain words what the JSON of `certificate_json` shows."""
    told = json.loads(saved)
    n, allowed, bound = told["n_prompts"], 100 * told["max_loss"], 100 * told["bound"]
    sure = f"{1 - told['alpha']:.0%}".replace("%", " %")
    if told["is_certified"]:
        share = told["cost_ratio"]
        cost = "" if share is None else f", at {100 * share:.0f} % of its cost"
        return (
            f"Certified: against the safe choice it loses at most {bound:.1f} points of quality "
            f"(allowed {allowed:g}) with {sure} confidence, on {n:,} prompts kept out of "
            f"everything{cost}."
        )
    if told["n_needed"] is None:
        more = "The loss seen is not clearly below that, so more prompts alone may not help."
    else:
        more = f"About {told['n_needed']:,} more labelled prompts like these would settle it."
    return (
        f"Not certified: {n:,} prompts kept out of everything cannot rule out, with {sure} "
        f"confidence, that it loses more than {allowed:g} points of quality against the safe "
        f"choice (bound {bound:.1f}). {more}"
    )


def n_passing(losses: Floats, *, delta: float, alpha: float, method: str) -> int:
    """Return how many rows, from the first, are shown to lose less than delta in a row."""
    rules_out = METHODS[method]
    for row, loss in enumerate(losses):
        if not rules_out(loss, delta, alpha):
            return row
    return len(losses)


def paired_losses(chosen: NDArray[np.int64], outcomes: Outcomes, *, reference: int) -> Floats:
    """Return reference quality minus chosen quality.

    Parameters
    ----------
    chosen
        Shape (n_values, n): columns of the chosen models, such as `Sweep.chosen`.

    Returns
    -------
    NDArray
        Shape (n_values, n); NaN where either outcome is unknown.
    """
    rows = np.arange(len(outcomes.quality))
    return outcomes.quality[:, reference] - outcomes.quality[rows, chosen]


def _require_sensible(
    losses: Floats, values_usd: Sequence[float], cost_usd: Floats, reference_cost_usd: Floats
) -> None:
    if losses.ndim != 2 or len(losses) != len(values_usd) or not len(losses):
        raise ValueError(
            f"losses must have shape (n_values, n) with one row per value, got {losses.shape} for "
            f"{len(values_usd)} values."
        )
    if cost_usd.shape != losses.shape or reference_cost_usd.shape != losses.shape[1:]:
        raise ValueError(
            f"cost_usd and reference_cost_usd must have shapes {losses.shape} and "
            f"{losses.shape[1:]}, got {cost_usd.shape} and {reference_cost_usd.shape}."
        )
    if not np.all(np.abs(losses) <= 1.0):
        raise ValueError("Every loss must be known and in [−1, 1]. Leave out unknown prompts.")
    if any(left < right for left, right in pairwise(values_usd)):
        raise ValueError("values_usd must not rise: the safest trade-off comes first.")


def _method_for(losses: Floats, method: str | None) -> str:
    whole = bool(np.isin(losses, [-1.0, 0.0, 1.0]).all())
    if method is None:
        return "discordant" if whole else "betting"
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    if method == "discordant" and not whole:
        raise ValueError('"discordant" needs losses of −1, 0 or 1; take "betting" for graded ones.')
    return method


def _ratio(cost_usd: Floats, reference_cost_usd: Floats) -> float:
    total = float(reference_cost_usd.sum())
    return float(cost_usd.sum()) / total if total > 0.0 else float("nan")


def _n_needed(losses: Floats, delta: float, alpha: float, method: str) -> int | None:
    """Repeat the prompts seen until the test passes."""
    n = len(losses)
    if n == 0 or losses.mean() >= delta:
        return None
    rules_out = METHODS[method]

    def passes(size: int) -> bool:
        return rules_out(np.resize(losses, size), delta, alpha)

    high = 2 * n
    while not passes(high):
        high *= 2
        if high > _MOST_PROMPTS:
            return None
    low = high // 2
    while high - low > max(1, n // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high - n
