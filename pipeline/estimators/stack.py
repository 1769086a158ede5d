"""The default: non-negative weights over several smoothers, chosen on held-out predictions.

Weights sum to one, are shared by all models and pulled to fixed ones: per-model weights,
per-component weights and free least squares all fit the training prompts better and route unseen
ones worse (Breiman 1996, doi:10.1007/BF00117832, for the non-negativity).
Squared error is taken on paired differences, and models far below the best single one count less:
they are never chosen, so fitting them well buys nothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pipeline.estimators.base import HeldOutFit, Prompts, best_single
from pipeline.smoothers.base import (
    FloatArray,
    PairedTargets,
    Smoother,
    SmootherConfig,
    Smoothing,
    known_means,
)
from pipeline.smoothers.fit import FittedSmoother, fit_held_out
from pipeline.smoothers.knn import KernelKnn, PlainKnn
from pipeline.smoothers.membership_table import SoftTable
from pipeline.smoothers.refine import Refined
from pipeline.smoothers.ridge import VectorRidge
from pipeline.smoothers.tfidf import TfidfRidge
from profiles.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """Prior plus weighted deviations of the members from it."""

    members: tuple[Smoother, ...]
    """Fitted members, those of weight 0 left out."""
    weights: FloatArray
    """Shape (n_members,), positive."""
    prior: FloatArray
    """Shape (m,): mean known target."""

    def predict(self, prompts: Prompts) -> tuple[FloatArray, FloatArray]:
        """Return the sum, and a variance bound that adds the members' standard errors."""
        values = np.tile(self.prior, (len(prompts.texts), 1))
        deviation = np.zeros(len(prompts.texts))
        for weight, member in zip(self.weights, self.members, strict=True):
            part, variance = member.predict(prompts)
            values += weight * (part - self.prior)
            deviation += weight * np.sqrt(variance)
        return values, deviation**2


@dataclass(frozen=True, kw_only=True)
class Member:
    """A smoother and the weight it has before any outcome is seen."""

    smoother: SmootherConfig
    """Knobs."""
    prior_weight: float = 1.0
    """Relative to the other members'."""


DEFAULT_MEMBERS: tuple[Member, ...] = (
    Member(smoother=Refined(), prior_weight=2.0),  # two fits in one
    Member(smoother=VectorRidge()),
    Member(smoother=TfidfRidge()),
    Member(smoother=PlainKnn()),
    Member(smoother=KernelKnn()),
    Member(smoother=SoftTable()),
)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Knobs of the stack."""

    members: tuple[Member, ...] = DEFAULT_MEMBERS
    """Smoothers to weigh; one that says nothing (a table without domains) costs nothing."""
    prior_strength: float = 3.0
    """Pull to the prior weights, in units of the mean member's own information."""
    relevance_width: float = 0.1
    """A model this much worse than the best single one counts 1/e of it."""
    reference_model_id: str | None = None
    """The model all others are compared with; None: the best single model."""

    def smooth(self, prompts: Prompts, targets: PairedTargets) -> Smoothing:
        """Fit to paired targets of shape (n, m), NaN unknown."""
        parts = [member.smoother.smooth(prompts, targets) for member in self.members]
        prior = known_means(targets.values)
        deviations = np.stack([part.held_out - prior for part in parts])
        weights = self._choose_weights(
            deviations, targets.values - prior, self._relevance(prior, targets.reference)
        )
        held_out_deviation = sum(
            weight * np.sqrt(part.held_out_variance)
            for weight, part in zip(weights, parts, strict=True)
        )
        used = np.flatnonzero(weights > 0)
        smoother = WeightedSum(
            members=tuple(parts[k].smoother for k in used), weights=weights[used], prior=prior
        )
        return Smoothing(
            smoother=smoother,
            held_out=prior + np.einsum("k,knm->nm", weights, deviations),
            held_out_variance=np.asarray(held_out_deviation) ** 2,
        )

    def fit(self, prompts: Prompts, outcomes: Outcomes) -> FittedSmoother:
        """Fit quality and cost on outcomes."""
        return self.fit_held_out(prompts, outcomes).estimator

    def fit_held_out(self, prompts: Prompts, outcomes: Outcomes) -> HeldOutFit[FittedSmoother]:
        """Fit, with estimates of the training prompts that did not see their own outcomes.

        Shared numbers (a model's mean, the weights) do see them, which moves an estimate by the
        order of one over the number of prompts.

        Raises
        ------
        ValueError
            If no model has a known quality.
        """
        if self.reference_model_id is None:
            reference = best_single(outcomes)
        else:
            reference = outcomes.model_ids.index(self.reference_model_id)
        return fit_held_out(self, prompts, outcomes, reference=reference)

    def _choose_weights(
        self, deviations: FloatArray, targets: FloatArray, relevance: FloatArray
    ) -> FloatArray:
        """Return non-negative weights, shape (n_members,), by penalised least squares."""
        active = np.flatnonzero(np.abs(deviations).max(axis=(1, 2)) > 1e-12)
        weights = np.zeros(len(deviations))
        if len(active) == 0:
            return weights
        importance = relevance * np.isfinite(targets)
        known = np.where(np.isfinite(targets), targets, 0.0)
        gram = np.einsum("knm,nm,lnm->kl", deviations[active], importance, deviations[active])
        moments = np.einsum("knm,nm,nm->k", deviations[active], importance, known)
        pull = self.prior_strength * np.trace(gram) / len(active)
        gram[np.diag_indices_from(gram)] += max(pull, 1e-12)
        expected = np.array([self.members[k].prior_weight for k in active])
        moments += pull * expected / expected.sum()
        lower = np.linalg.cholesky(gram)
        weights[active] = nnls(lower.T, np.linalg.solve(lower, moments))[0]
        # Least squares stretches the sum to 1.4: with many models a lucky one then wins.
        return weights / max(float(weights.sum()), 1e-12)

    def _relevance(self, prior: FloatArray, reference: int) -> FloatArray:
        """Return the weight of each model's squared error, shape (m,); 0 for the reference.

        Decisions see differences only, and the reference's own error would drown theirs.
        """
        relevance = np.exp(np.minimum(prior, 0.0) / self.relevance_width)
        relevance[reference] = float(len(prior) == 1)
        return relevance
