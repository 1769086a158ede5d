"""Leave a safe model only for an advantage that survives its own uncertainty."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from pipeline.estimators.base import Estimates


def z_for_loss_ratio(loss_ratio: ArrayLike) -> NDArray[np.float64]:
    """Return how many standard errors an advantage must exceed.

    Parameters
    ----------
    loss_ratio
        Cost of a bad switch over the value of a good one, positive; any shape, such as one per
        prompt where some domains are more delicate.

    Returns
    -------
    NDArray
        Φ⁻¹(r / (1 + r)): 0 where both weigh the same, above 0 where a bad switch is worse. It is
        the point at which the expected gain of switching outweighs its risk.

    Raises
    ------
    ValueError
        If a ratio is not finite and positive.

    >>> z_for_loss_ratio([1.0, 3.0]).round(3).tolist()
    [0.0, 0.674]
    """
    ratio = np.asarray(loss_ratio, dtype=np.float64)
    if not np.all(np.isfinite(ratio) & (ratio > 0.0)):
        raise ValueError("A loss ratio must be finite and positive, such as 2 for twice as bad.")
    return ndtri(ratio / (1.0 + ratio))


def guarded(estimates: Estimates, z: ArrayLike, reference: int) -> Estimates:
    """Lower every other model's quality by z standard errors of its advantage.

    Parameters
    ----------
    z
        One number, or shape (n,): one per prompt (`z_for_loss_ratio`).
    reference
        Column of the safe model, whose quality stays as it is.

    Returns
    -------
    Estimates
        When quality alone decides, a prompt leaves the reference model only for an advantage
        above z standard errors (`pipeline.route.TIE` aside); when cost counts too, the saving is
        added to that advantage. A model of unknown standard error is no candidate unless z is 0.
        The sums of these qualities are cautious, not expected ones.

    Raises
    ------
    ValueError
        If `z` is not finite or has another length than the estimates, or there is no such column.
    """
    n, n_models = estimates.quality.shape
    steps = np.asarray(z, dtype=np.float64)
    if steps.shape not in {(), (n,)} or not np.isfinite(steps).all():
        raise ValueError(f"z must be one finite number or {n} of them, got shape {steps.shape}.")
    if not 0 <= reference < n_models:
        raise ValueError(f"reference must be a column from 0 to {n_models - 1}, got {reference}.")
    steps = np.broadcast_to(steps, (n,))[:, None]
    penalty = np.where(steps == 0.0, 0.0, steps * estimates.standard_error)
    penalty[:, reference] = 0.0
    return replace(estimates, quality=estimates.quality - penalty)
