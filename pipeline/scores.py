"""What is known of a router once it was scored on every split."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.bootstrap import Interval
from pipeline.regret import RegretCell
from pipeline.strong_weak import Placement


@dataclass(frozen=True, kw_only=True)
class KeptScore:
    """A router at the trade-off that kept a share of quality on the training folds."""

    delta_points: Interval
    """100 x (quality − the best single model's)."""
    cost_ratio: Interval
    """Cost over the best single model's."""
    cost_ratio_frontier: float
    """The same with the trade-off read off the test prompts, which flatters."""


@dataclass(frozen=True, kw_only=True)
class PairScore:
    """A router as a choice between a strong and a weak model."""

    placement: Placement
    calls: float
    """Share of strong calls at the threshold that was set on the training folds."""
    gap_closed: float
    """Part of the gap that those calls close on the test prompts."""
    cost_usd: float
    """Mean for one prompt at that threshold."""


@dataclass(frozen=True, kw_only=True)
class Versus:
    """A router against the one named first."""

    delta_points: Interval
    """Quality alone deciding."""
    parity_delta_points: Interval
    """At each one's own trade-off that was chosen on the training folds."""
    parity_cost_ratio: Interval


@dataclass(frozen=True, kw_only=True)
class RouterScore:
    """One router over all splits. Points are hundredths of mean quality; NaN is unknown."""

    router: str
    quality: float
    cost_usd: float
    delta_points: Interval
    """Quality minus the best single model's, quality alone deciding."""
    parity_quality: float
    parity_cost_usd: float
    parity_delta_points: Interval
    """The same at the trade-off chosen on the training folds."""
    cost_ratio: Interval
    """Cost over the best single model's, at the trade-off chosen on the training folds."""
    cost_ratio_frontier: float
    """Lowest cost that reaches the best single model's quality on the test prompts themselves,
    over that model's cost; it flatters, since the trade-off is read off the test."""
    kept: Mapping[float, KeptScore]
    """The same for each of `KEPT_SHARES`."""
    break_even_prompts: Interval
    """Routed prompts after which the cost of the outcomes the router was fitted on is saved, at
    parity; NaN without a saving, `hi` infinite where the interval of the saving reaches 0."""
    versus: Versus
    aiq: float
    log_aiq: float
    gap_closed: float
    regret: float
    """Oracle quality minus quality, quality alone deciding."""
    parity_regret: float
    parity_regret_cells: tuple[RegretCell, ...]
    pair: PairScore | None
    """None without a pair, and for baselines."""
    calls: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All routers on held-out prompts."""

    n_prompts: int
    model_ids: tuple[str, ...]
    n_seeds: int
    best_single: str
    best_single_quality: float
    best_single_cost_usd: float
    oracle_quality: float
    oracle_cost_usd: float
    zero_router_aiq: float
    zero_router_log_aiq: float
    labelling_usd: float
    """Known cost of the outcomes of one training part, mean over splits."""
    routers: tuple[RouterScore, ...]
    """In the order given; the first is the one that all are compared with."""
