"""Unseen prompts to approved domains: a calibrated linear model, with refusal.

Decision: domains of few prompts are learnt by weighing each prompt by one over the root of its
domain's size. They are found more often than without weights or by the cosine to their mean; full
balance finds still more of them, but confuses large domains that overlap.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import fminbound
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits

from pipeline.closeness import Members, held_out_similarity, radii_of
from pipeline.config import AssignConfig

NO_DOMAIN = -1


@dataclass(frozen=True, kw_only=True)
class Assigner:
    """One matrix product, a softmax, and a least cosine for each domain."""

    weights: NDArray[np.float32]
    """Shape (n_domains, n_dims)."""
    intercepts: NDArray[np.float32]
    """Shape (n_domains,)."""
    temperature: float
    """Divides the logits; fitted on held-out members."""
    prototypes: NDArray[np.float32]
    """Shape (n_domains, n_dims): unit vectors, see `pipeline.closeness`."""
    radii: NDArray[np.float32]
    """Shape (n_domains,): a prompt whose cosine to its domain's prototype is lower is refused;
    -1 refuses none."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Which domain each prompt belongs to."""

    memberships: NDArray[np.float64]
    """Shape (n, n_domains + 1), rows sum to 1. The last column is `unassigned`: 1 for a refused
    prompt, whose other entries are 0, and 0 for an accepted one."""
    probabilities: NDArray[np.float64]
    """Shape (n, n_domains): before refusal."""

    @property
    def buckets(self) -> NDArray[np.int64]:
        """Row of the bucket with most membership, shape (n,); n_domains is `unassigned`."""
        return np.argmax(self.memberships, axis=1)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the likeliest domain, shape (n,), in [0, 1]; refused prompts included."""
        return self.probabilities.max(axis=1)


@dataclass(frozen=True, kw_only=True)
class FittedAssigner:
    """The assigner, and what it says of its own training prompts when it has not seen them."""

    assigner: Assigner
    held_out: Assignment
    """Row i comes from a model fitted without the fold of prompt i (cross-fitting), so a table
    built on it holds what really happens to the prompts sent to a domain, wrong turns included."""


def fit_assigner(
    vectors: NDArray[np.float32],
    domains: NDArray[np.int64],
    folds: NDArray[np.int64],
    config: AssignConfig,
) -> FittedAssigner:
    """Fit the assigner on the approved members.

    Parameters
    ----------
    vectors
        Shape (n, n_dims), unit rows.
    domains
        Shape (n,): the domain's row 0 … n_domains - 1, or -1 for prompts in no domain, which
        are not fitted on but do get a held-out assignment.
    folds
        Shape (n,): fold numbers; temperature and radii come from members held out of the fit.

    Raises
    ------
    ValueError
        If no prompt is in a domain, or a domain has no member.
    """
    _check(domains)
    n_domains = int(domains.max()) + 1
    members = domains != NO_DOMAIN
    logits = _held_out_logits(vectors, domains, folds, config)
    known = Members.of(vectors, domains, folds)
    similarity = held_out_similarity(known, vectors, folds)
    temperature = _temperature(logits[members], domains[members])
    own = similarity[np.arange(len(domains)), np.maximum(domains, 0)]
    radii = radii_of(own[members], domains[members], rejected_share=config.rejected_share)
    weights, intercepts = _logistic(vectors[members], domains[members], n_domains, config)
    assigner = Assigner(
        weights=weights,
        intercepts=intercepts,
        temperature=temperature,
        prototypes=known.prototypes().astype(np.float32),
        radii=radii.astype(np.float32),
    )
    return FittedAssigner(
        assigner=assigner,
        held_out=_with_refusal(softmax(logits / temperature, axis=1), similarity, radii),
    )


def assign(vectors: NDArray[np.float32], assigner: Assigner) -> Assignment:
    """Give each unit vector its domain memberships."""
    logits = vectors @ assigner.weights.T + assigner.intercepts
    probabilities = softmax(logits.astype(np.float64) / assigner.temperature, axis=1)
    return _with_refusal(probabilities, vectors @ assigner.prototypes.T, assigner.radii)


def _check(domains: NDArray[np.int64]) -> None:
    n_domains = int(domains.max(initial=NO_DOMAIN)) + 1
    if n_domains == 0:
        raise ValueError("No prompt is in a domain; approve at least one domain first.")
    empty = np.flatnonzero(np.bincount(domains[domains >= 0], minlength=n_domains) == 0)
    if len(empty):
        raise ValueError(f"Domains {empty.tolist()} have no member with a vector.")


def _with_refusal(
    probabilities: NDArray[np.float64],
    similarity: NDArray[np.floating],
    radii: NDArray[np.floating],
) -> Assignment:
    likeliest = np.argmax(probabilities, axis=1)
    refused = similarity[np.arange(len(likeliest)), likeliest] < radii[likeliest]
    memberships = np.column_stack([probabilities, np.zeros(len(probabilities))])
    memberships[refused] = 0.0
    memberships[refused, -1] = 1.0
    return Assignment(memberships=memberships, probabilities=probabilities)


def _logistic(
    vectors: NDArray[np.float32],
    domains: NDArray[np.int64],
    n_domains: int,
    config: AssignConfig,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = np.zeros((n_domains, vectors.shape[1]), dtype=np.float32)
    intercepts = np.full(n_domains, -30.0, dtype=np.float32)  # a domain absent here gets about 0
    present = np.unique(domains)
    if len(present) == 1:
        intercepts[present] = 0.0
        return weights, intercepts
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only fitting needs it

    model = LogisticRegression(C=config.inverse_regularisation, max_iter=300, tol=1e-4)
    weight = np.bincount(domains)[domains] ** -config.balance
    with threadpool_limits(limits=1):  # its products are small: threads cost ten times more
        model.fit(vectors, domains, sample_weight=weight / weight.mean())
    coefficients, offsets = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn stores one row for two classes
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        offsets = np.concatenate([-offsets / 2, offsets / 2])
    weights[present], intercepts[present] = coefficients, offsets
    return weights, intercepts


def _held_out_logits(
    vectors: NDArray[np.float32],
    domains: NDArray[np.int64],
    folds: NDArray[np.int64],
    config: AssignConfig,
) -> NDArray[np.float64]:
    n_domains = int(domains.max()) + 1
    logits = np.zeros((len(vectors), n_domains))
    for fold in np.unique(folds):
        fitted = (folds != fold) & (domains != NO_DOMAIN)
        if fitted.any():
            weights, intercepts = _logistic(vectors[fitted], domains[fitted], n_domains, config)
            logits[folds == fold] = vectors[folds == fold] @ weights.T + intercepts
    return logits


def _temperature(logits: NDArray[np.float64], domains: NDArray[np.int64]) -> float:
    """Return the temperature with least held-out log loss (Guo et al. 2017, arXiv 1706.04599)."""

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(domains)), domains].mean())

    return float(np.exp(fminbound(loss, -2.0, 2.0)))
