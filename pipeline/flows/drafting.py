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
from pipeline.estimators.base import FittedEstimator, fit_with_held_out
from pipeline.estimators.domain_table import DomainTable, bucket_means
from pipeline.estimators.stack import Stack
from pipeline.flows.candidates import Facts, candidates, known_or_named, safe_choice
from pipeline.flows.training import TrainingData, as_prompts, fitted_memberships
from pipeline.guard import z_for_loss_ratio
from pipeline.packing import to_bytes
from pipeline.smoothers.fit import FittedSmoother
from pipeline.split import in_test
from pipeline.study import (
    Settled,
    Study,
    choose_by,
    limited,
    limits_of,
    settle_at,
    study_bytes,
    terms_of,
    tradeoff_of,
)
from pipeline.table import buckets_frame
from pipeline.taxonomy import present_rows
from pipeline.terms import require_feasible
from pipeline.tradeoff import Tradeoff, settings_to_try
from profiles.errors import NotReadyError
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
    study: bytes
    """What the trade-off was chosen on, see `pipeline.study`."""


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Everything that was learned from the training prompts, before any trade-off."""

    data: TrainingData
    assigner: Assigner
    memberships: Floats
    router: FittedEstimator
    rules: RuleSet | None
    study: Study
    """With every model that was learned from."""
    model_ids: tuple[str, ...]
    """The candidates, sorted."""

    @property
    def candidates(self) -> Study:
        """Return the study of the candidates alone."""
        return self.study.columns(self.model_ids)


def draft_table(data: TrainingData, policy: Policy, encoder_id: str, facts: Facts) -> Draft:
    """Fit the router and the table's cells, and settle the terms on held-out estimates.

    Models that the policy leaves out are learned from all the same: what is easy for one is often
    easy for another. With a certificate, a share of the prompts is kept out of everything and
    calibrates it.

    Raises
    ------
    NotReadyError
        If no approved domain has prompts with outcomes, or no candidate a known quality.
    UsageError
        If the policy names an unknown model or domain, or a safe choice that cannot be one.
    InfeasibleError
        If a limit of the policy cannot be kept.
    """
    eligible = candidates(data.outcomes, replace(policy, deny=()), facts)
    model_ids = candidates(data.outcomes, policy, facts)
    data = data.columns(known_or_named(data.outcomes, eligible))
    kept_out = np.zeros(len(data.prompt_ids), dtype=bool)
    if policy.max_loss is not None:
        share, seed = _CALIBRATION_SHARE, _CALIBRATION_SEED
        kept_out = in_test(data.prompt_ids, test_share=share, seed=seed)
    rules = rule_set(policy.rules, facts.models, data.outcomes.model_ids) if policy.rules else None
    fit = _fit(_train_part(data, ~kept_out), policy, rules, (eligible, model_ids))
    study, certificate = fit.candidates, None
    require_feasible(study.cells.quality, study.latency_s, limits_of(study, policy), study.names)
    if policy.max_loss is None:
        setting = tradeoff_of(study, policy)
    else:
        kept = data.rows(kept_out)
        setting, certificate = _certified(fit, kept, policy, policy.max_loss)
    return _draft(fit, settle_at(study, setting, policy), policy, encoder_id, certificate)


def _train_part(data: TrainingData, rows: NDArray[np.bool_]) -> TrainingData:
    train = data.rows(rows)
    domains, domain_of = present_rows(train.domains, train.domain_of)
    return replace(train, domains=domains, domain_of=domain_of)


def _fit(
    data: TrainingData,
    policy: Policy,
    rules: RuleSet | None,
    models: tuple[tuple[str, ...], tuple[str, ...]],
) -> _Fit:
    """Fit the router, relative to the safe choice among the candidates."""
    assigner, memberships = fitted_memberships(data)
    if assigner is None:
        raise NotReadyError(
            "No approved domain has prompts with outcomes. Run `promptshed domains approve --all` "
            "or `promptshed domains from-labels` first."
        )
    eligible, model_ids = models
    outcomes, prompts = data.outcomes, as_prompts(data, memberships)
    among = outcomes.columns(model_ids)
    reference_id = among.model_ids[safe_choice(among, policy)]
    fit = fit_with_held_out(
        _ROUTERS[policy.router](reference_model_id=reference_id), prompts, outcomes, data.folds
    )
    latency_s = bucket_means(memberships, data.latency_s)
    study = Study(
        prompt_ids=data.prompt_ids,
        outcomes=outcomes,
        held_out=fit.held_out,
        memberships=memberships,
        allowed=_allowed(rules, data, memberships @ latency_s),
        cells=DomainTable(reference_model_id=reference_id).fit(prompts, outcomes).cells,
        latency_s=latency_s,
        domain_ids=(*data.domains["domain_id"], UNASSIGNED),
        names=(*data.domains["name"], UNASSIGNED),
        eligible=eligible,
    )
    return _Fit(
        data=data,
        assigner=assigner,
        memberships=memberships,
        router=fit.estimator,
        rules=rules,
        study=study,
        model_ids=model_ids,
    )


def _allowed(
    rules: RuleSet | None, data: TrainingData, latency_s: Floats
) -> NDArray[np.bool_] | None:
    """Return what rules let pass on some prompts, shape (n, n_models); None: everything."""
    if rules is None:
        return None
    return rules.masks(data.texts, data.outcomes.model_ids, latency_s).allowed


def _certified(
    fit: _Fit, kept_out: TrainingData, policy: Policy, max_loss: float
) -> tuple[Tradeoff, Certificate]:
    """Return the cheapest setting that is certified, or the safest one where none is."""
    learned, unseen = fit.candidates, _unseen(fit, kept_out).columns(fit.model_ids)
    if policy.quality_value_usd is not None:
        settings = (tradeoff_of(learned, policy),)
    else:
        z = None if policy.loss_ratio is None else float(z_for_loss_ratio(policy.loss_ratio))
        settings = settings_to_try(
            limited(learned, policy), learned.outcomes, reference=learned.reference, z=z
        )
    terms = [terms_of(learned, setting, policy) for setting in settings]
    chosen = np.stack([choose_by(unseen, at) for at in terms])
    outcomes, reference = unseen.outcomes, unseen.reference
    losses = paired_losses(chosen, outcomes, reference=reference)
    known = np.flatnonzero(np.isfinite(losses).all(axis=0))
    certificate = certify(
        losses[:, known],
        [setting.quality_value_usd for setting in settings],
        cost_usd=outcomes.cost_usd[known, chosen[:, known]],
        reference_cost_usd=outcomes.cost_usd[known, reference],
        delta=max_loss,
        alpha=policy.alpha,
    )
    return settings[max(certificate.n_passed - 1, 0)], certificate


def _unseen(fit: _Fit, kept_out: TrainingData) -> Study:
    """Estimate prompts that were kept out of the fit."""
    memberships = assign(kept_out.vectors, fit.assigner).memberships
    return replace(
        fit.study,
        prompt_ids=kept_out.prompt_ids,
        outcomes=kept_out.outcomes,
        held_out=fit.router.estimate(as_prompts(kept_out, memberships)),
        memberships=memberships,
        allowed=_allowed(fit.rules, kept_out, memberships @ fit.study.latency_s),
    )


def _draft(
    fit: _Fit, settled: Settled, policy: Policy, encoder_id: str, certificate: Certificate | None
) -> Draft:
    n_unassigned = int(np.sum(fit.memberships[:, -1] == 1.0))
    terms, reference = settled.terms, fit.candidates.reference
    return Draft(
        meta={
            "encoder_id": encoder_id,
            "policy": as_json(policy),
            "reference_model_id": fit.model_ids[reference],
            "quality_value_usd": terms.quality_value_usd,
            "n_prompts": len(fit.data.prompt_ids),
            "temperature": fit.assigner.temperature,
            "held_out": settled.held_out,
            "rules": None if fit.rules is None else rules_json(fit.rules),
            "certificate": None if certificate is None else certificate_json(certificate),
        },
        buckets=buckets_frame(
            fit.data.domains,
            fit.assigner,
            n_unassigned=n_unassigned,
            z=terms.z,
            locks=[None if m < 0 else fit.model_ids[m] for m in terms.locks],
        ),
        entries=settled.entries,
        packed=to_bytes(fit.router) if isinstance(fit.router, FittedSmoother) else None,
        study=study_bytes(fit.study),
    )
