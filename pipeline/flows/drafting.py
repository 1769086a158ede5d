"""From training data and a policy to a routing table that has no version yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.assign import Assigner, assign
from pipeline.axes.rules import RuleSet, rule_set, rules_json
from pipeline.certificate import Certificate, certificate_json, certify, paired_losses
from pipeline.config import Policy, as_json
from pipeline.estimators.base import (
    Estimates,
    FittedEstimator,
    fit_with_held_out,
)
from pipeline.estimators.domain_table import Cells, DomainTable, bucket_means
from pipeline.estimators.stack import Stack
from pipeline.expected import held_out_json
from pipeline.flows.candidates import Facts, candidates, column_of, safe_choice
from pipeline.flows.training import TrainingData, as_prompts, fitted_memberships
from pipeline.guard import z_for_loss_ratio
from pipeline.packing import to_bytes
from pipeline.ranking import table_entries
from pipeline.route import best_columns
from pipeline.shares import share_surcharges
from pipeline.smoothers.fit import FittedSmoother
from pipeline.split import in_test
from pipeline.table import buckets_frame
from pipeline.taxonomy import present_rows
from pipeline.terms import Limits, Terms, Weighed, require_feasible, weigh, within
from pipeline.tradeoff import Tradeoff, at_parity, at_value, settings_to_try
from profiles.errors import NotReadyError, UsageError
from profiles.profile import UNASSIGNED

Floats = NDArray[np.float64]
_ROUTERS: Mapping[str, type[Stack] | type[DomainTable]] = {"stack": Stack, "table": DomainTable}
_CALIBRATION_SHARE = 0.3
_CALIBRATION_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A table that has no version yet."""

    meta: dict[str, object]
    buckets: pl.DataFrame
    entries: pl.DataFrame
    packed: bytes | None
    """The router; None: the table alone decides."""


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Everything that was learned from the training prompts, before any trade-off."""

    data: TrainingData
    """With the candidate models only."""
    assigner: Assigner
    memberships: Floats
    reference: int
    router: FittedEstimator
    held_out: Estimates
    cells: Cells
    latency_s: Floats
    """Shape (n_buckets, n_models)."""
    limits: Limits
    locks: NDArray[np.int64]
    """As in `Terms`."""
    rules: RuleSet | None
    names: tuple[str, ...]
    """Of the buckets."""

    def allowed(self, data: TrainingData, memberships: Floats) -> NDArray[np.bool_] | None:
        """Return what rules let pass on some prompts, shape (n, n_models); None: everything."""
        if self.rules is None:
            return None
        latency_s = memberships @ self.latency_s
        return self.rules.masks(data.texts, data.outcomes.model_ids, latency_s).allowed


def draft_table(data: TrainingData, policy: Policy, encoder_id: str, facts: Facts) -> Draft:
    """Fit the router and the table's cells, and settle the terms on held-out estimates.

    With a certificate, a share of the prompts is kept out of everything and calibrates it.

    Raises
    ------
    NotReadyError
        If no approved domain has prompts with outcomes, or no candidate a known quality.
    UsageError
        If the policy names an unknown model or domain, or a safe choice that cannot be one.
    InfeasibleError
        If a limit of the policy cannot be kept.
    """
    data = candidates(data, policy, facts)
    kept_out = np.zeros(len(data.prompt_ids), dtype=bool)
    if policy.max_loss is not None:
        share, seed = _CALIBRATION_SHARE, _CALIBRATION_SEED
        kept_out = in_test(data.prompt_ids, test_share=share, seed=seed)
    model_ids = data.outcomes.model_ids
    rules = rule_set(policy.rules, facts.models, model_ids) if policy.rules else None
    fit = _fit(_train_part(data, ~kept_out), policy, rules)
    certificate = None
    if policy.max_loss is None:
        setting = _tradeoff(fit, policy)
    else:
        setting, certificate = _certified(fit, data.rows(kept_out), policy, policy.max_loss)
    return _draft(fit, _terms(fit, setting, policy), policy, encoder_id, certificate)


def _train_part(data: TrainingData, rows: NDArray[np.bool_]) -> TrainingData:
    train = data.rows(rows)
    domains, domain_of = present_rows(train.domains, train.domain_of)
    return replace(train, domains=domains, domain_of=domain_of)


def _fit(data: TrainingData, policy: Policy, rules: RuleSet | None) -> _Fit:
    assigner, memberships = fitted_memberships(data)
    if assigner is None:
        raise NotReadyError(
            "No approved domain has prompts with outcomes. Run `promptshed domains approve --all` "
            "or `promptshed domains from-labels` first."
        )
    outcomes, prompts = data.outcomes, as_prompts(data, memberships)
    reference = safe_choice(outcomes, policy)
    reference_id = outcomes.model_ids[reference]
    fit = fit_with_held_out(
        _ROUTERS[policy.router](reference_model_id=reference_id), prompts, outcomes, data.folds
    )
    cells = DomainTable(reference_model_id=reference_id).fit(prompts, outcomes).cells
    latency_s = bucket_means(memberships, data.latency_s)
    limits = Limits(
        min_quality=policy.min_quality,
        max_latency_s=policy.max_latency_s,
        fallback=tuple(outcomes.model_ids.index(model_id) for model_id in policy.fallback),
    )
    names = (*data.domains["name"], UNASSIGNED)
    require_feasible(cells.quality, latency_s, limits, names)
    return _Fit(
        data=data,
        assigner=assigner,
        memberships=memberships,
        reference=reference,
        router=fit.estimator,
        held_out=fit.held_out,
        cells=cells,
        latency_s=latency_s,
        limits=limits,
        locks=_locks(data, policy),
        rules=rules,
        names=names,
    )


def _tradeoff(fit: _Fit, policy: Policy) -> Tradeoff:
    """Settle what quality is worth and the guard, on held-out estimates within the limits."""
    estimates, outcomes = _limited(fit), fit.data.outcomes
    z = None if policy.loss_ratio is None else float(z_for_loss_ratio(policy.loss_ratio))
    value = policy.quality_value_usd
    if value is None:
        return at_parity(
            estimates, outcomes, reference=fit.reference, keep_quality=policy.keep_quality, z=z
        )
    if z is not None:
        return Tradeoff(quality_value_usd=value, z=z)
    return at_value(estimates, outcomes, reference=fit.reference, quality_value_usd=value)


def _limited(fit: _Fit) -> Estimates:
    """Return the held-out estimates without models beyond a limit, where another one is left.

    Locks do not count here: a lock changes its own domain and no other one.
    """
    quality = fit.held_out.quality
    kept = within(quality, fit.memberships @ fit.latency_s, fit.limits) & np.isfinite(quality)
    allowed = fit.allowed(fit.data, fit.memberships)
    kept &= True if allowed is None else allowed
    kept |= ~kept.any(axis=1, keepdims=True)
    return replace(fit.held_out, quality=np.where(kept, quality, np.nan))


def _terms(fit: _Fit, setting: Tradeoff, policy: Policy) -> Terms:
    """Return the terms of a setting, with surcharges for models of limited share."""
    model_ids = fit.data.outcomes.model_ids
    terms = Terms(
        reference=fit.reference,
        quality_value_usd=setting.quality_value_usd,
        z=_guard_of_buckets(fit, setting.z, policy),
        surcharge=np.zeros(len(model_ids)),
        limits=fit.limits,
        locks=fit.locks,
    )
    most = {column_of(model_ids, model_id): share for model_id, share in policy.max_share}
    if not most:
        return terms
    weighed = _weigh_held_out(fit, terms)
    return replace(terms, surcharge=share_surcharges(weighed.utility, most, model_ids))


def _guard_of_buckets(fit: _Fit, z: float, policy: Policy) -> Floats:
    guard = np.full(len(fit.names), z)
    for name, ratio in policy.domain_loss_ratios:
        guard[_buckets_called(name, fit.data.domains)] = z_for_loss_ratio(ratio)
    return guard


def _locks(data: TrainingData, policy: Policy) -> NDArray[np.int64]:
    """Return the column each bucket is locked to, shape (n_buckets,); -1 for none."""
    locks = np.full(data.domains.height + 1, -1, dtype=np.int64)
    for name, model_id in policy.locks:
        locks[_buckets_called(name, data.domains)] = column_of(data.outcomes.model_ids, model_id)
    return locks


def _buckets_called(name: str, domains: pl.DataFrame) -> list[int]:
    """Return the rows of the buckets with this name or id.

    Raises
    ------
    UsageError
        If there is none.
    """
    names = (*domains["name"], UNASSIGNED)
    ids = (*domains["domain_id"], UNASSIGNED)
    rows = [row for row, pair in enumerate(zip(names, ids, strict=True)) if name in pair]
    if not rows:
        raise UsageError(f"There is no domain {name!r}. Known: {', '.join(names)}.")
    return rows


def _weigh_held_out(fit: _Fit, terms: Terms) -> Weighed:
    latency_s = fit.memberships @ fit.latency_s
    allowed = fit.allowed(fit.data, fit.memberships)
    return weigh(fit.held_out, fit.memberships, latency_s, terms, allowed=allowed)


def _certified(
    fit: _Fit, kept_out: TrainingData, policy: Policy, max_loss: float
) -> tuple[Tradeoff, Certificate]:
    """Return the cheapest setting that is certified, or the safest one where none is."""
    if policy.quality_value_usd is not None:
        settings = (_tradeoff(fit, policy),)
    else:
        z = None if policy.loss_ratio is None else float(z_for_loss_ratio(policy.loss_ratio))
        settings = settings_to_try(_limited(fit), fit.data.outcomes, reference=fit.reference, z=z)
    memberships = assign(kept_out.vectors, fit.assigner).memberships
    estimates = fit.router.estimate(as_prompts(kept_out, memberships))
    allowed = fit.allowed(kept_out, memberships)
    chosen = np.stack(
        [
            best_columns(
                weigh(
                    estimates,
                    memberships,
                    memberships @ fit.latency_s,
                    _terms(fit, setting, policy),
                    allowed=allowed,
                ).utility,
                estimates.cost_usd,
            )
            for setting in settings
        ]
    )
    outcomes = kept_out.outcomes
    losses = paired_losses(chosen, outcomes, reference=fit.reference)
    known = np.flatnonzero(np.isfinite(losses).all(axis=0))
    certificate = certify(
        losses[:, known],
        [setting.quality_value_usd for setting in settings],
        cost_usd=outcomes.cost_usd[known, chosen[:, known]],
        reference_cost_usd=outcomes.cost_usd[known, fit.reference],
        delta=max_loss,
        alpha=policy.alpha,
    )
    return settings[max(certificate.n_passed - 1, 0)], certificate


def _draft(
    fit: _Fit, terms: Terms, policy: Policy, encoder_id: str, certificate: Certificate | None
) -> Draft:
    data, outcomes = fit.data, fit.data.outcomes
    chosen = best_columns(_weigh_held_out(fit, terms).utility, fit.held_out.cost_usd)
    n_unassigned = int(np.sum(fit.memberships[:, -1] == 1.0))
    return Draft(
        meta={
            "encoder_id": encoder_id,
            "policy": as_json(policy),
            "reference_model_id": outcomes.model_ids[fit.reference],
            "quality_value_usd": terms.quality_value_usd,
            "n_prompts": len(data.prompt_ids),
            "temperature": fit.assigner.temperature,
            "held_out": held_out_json(chosen, outcomes, reference=fit.reference),
            "rules": None if fit.rules is None else rules_json(fit.rules),
            "certificate": None if certificate is None else certificate_json(certificate),
        },
        buckets=buckets_frame(
            data.domains,
            fit.assigner,
            n_unassigned=n_unassigned,
            z=terms.z,
            locks=[None if m < 0 else outcomes.model_ids[m] for m in terms.locks],
        ),
        entries=table_entries(fit.cells, fit.latency_s, terms),
        packed=to_bytes(fit.router) if isinstance(fit.router, FittedSmoother) else None,
    )
