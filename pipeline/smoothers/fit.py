"""From a smoother's knobs to an estimator: pair the outcomes, smooth them, add cost and error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.estimators.base import Estimates, HeldOutFit, Prompts
from pipeline.estimators.domain_table import shrunk_quality
from pipeline.smoothers.base import (
    FloatArray,
    Smoother,
    SmootherConfig,
    pair_targets,
    paired_spread,
    unpair,
)
from pipeline.smoothers.cost import CostRegressor, FittedCost
from profiles.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class FittedSmoother:
    """A smoother of paired targets with a cost model beside it."""

    model_ids: tuple[str, ...]
    """Length m."""
    reference: int
    """Column of the reference model."""
    spread: FloatArray
    """Shape (m,): held-out standard deviation of one paired difference; 0 for the reference, NaN
    for a model without any known difference, whose estimates are NaN."""
    thinness: FloatArray
    """Shape (m,): variance that few outcomes add to a model's mean, over that of one difference; 0
    for the model known on most prompts."""
    smoother: Smoother
    """Paired targets per prompt."""
    cost: FittedCost
    """Cost per prompt."""

    def estimate(self, prompts: Prompts) -> Estimates:
        """Estimate quality and cost of every model on unseen prompts.

        Quality is not clipped to [0, 1], so that ties at the ends keep their order.
        """
        if not prompts.texts:
            nothing = np.zeros((0, len(self.model_ids)))
            return self.assemble(values=nothing, variance=np.zeros(0), cost_usd=nothing)
        values, variance = self.smoother.predict(prompts)
        return self.assemble(values=values, variance=variance, cost_usd=self.cost.predict(prompts))

    def assemble(
        self, *, values: FloatArray, variance: FloatArray, cost_usd: FloatArray
    ) -> Estimates:
        """Turn smoothed paired targets into estimates."""
        return Estimates(
            model_ids=self.model_ids,
            quality=np.where(np.isfinite(self.spread), unpair(values, self.reference), np.nan),
            cost_usd=cost_usd,
            standard_error=np.sqrt(variance[:, None] + self.thinness) * self.spread,
        )


def fit_held_out(
    config: SmootherConfig, prompts: Prompts, outcomes: Outcomes, *, reference: int
) -> HeldOutFit[FittedSmoother]:
    """Fit a smoother and the cost model, with held-out estimates of the training prompts.

    Parameters
    ----------
    reference
        Column of the model that all others are compared with.
    """
    order = _canonical_order(prompts, outcomes)
    back = np.argsort(order)
    ordered, known = prompts.rows(order), outcomes.rows(order)
    bucket_quality = shrunk_quality(ordered.memberships, known.quality[:, reference])
    targets = pair_targets(
        known.quality,
        reference=reference,
        reference_quality=ordered.memberships @ bucket_quality,
    )
    smoothing = config.smooth(ordered, targets)
    fitted_cost, held_out_cost = CostRegressor().fit(ordered, known.cost_usd)
    estimator = FittedSmoother(
        model_ids=outcomes.model_ids,
        reference=reference,
        spread=paired_spread(targets, smoothing.held_out),
        thinness=_thinness(targets.values),
        smoother=smoothing.smoother,
        cost=fitted_cost,
    )
    held_out = estimator.assemble(
        values=smoothing.held_out[back],
        variance=smoothing.held_out_variance[back],
        cost_usd=held_out_cost[back],
    )
    return HeldOutFit(estimator=estimator, held_out=held_out)


def _thinness(values: FloatArray) -> FloatArray:
    """Return 1 / n − 1 / (largest n) of each model's known targets.

    A smoother's own variance is that of the model known on most prompts.
    """
    n_known = np.maximum(np.isfinite(values).sum(axis=0), 1)
    return 1.0 / n_known - 1.0 / n_known.max()


def _canonical_order(prompts: Prompts, outcomes: Outcomes) -> NDArray[np.intp]:
    """Return rows sorted by text, then outcomes: sums and ties come out the same in any order."""
    keys = [
        (text, quality.tobytes(), cost.tobytes())
        for text, quality, cost in zip(
            prompts.texts, outcomes.quality, outcomes.cost_usd, strict=True
        )
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)
