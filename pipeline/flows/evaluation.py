"""Evaluate: every router on held-out prompts of the store, or a table on outcomes it never saw."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.assign import assign
from pipeline.embed import Encoder
from pipeline.estimators.base import Estimator
from pipeline.estimators.domain_table import DomainTable
from pipeline.estimators.knn import NearestNeighbours
from pipeline.estimators.stack import Stack
from pipeline.evaluate import (
    ChoiceScore,
    Evaluation,
    Split,
    evaluate_routers,
    oracle_columns,
    score_choices,
)
from pipeline.flows.encoding import vectors_of
from pipeline.flows.tables import load_model
from pipeline.flows.training import TrainingData, as_prompts, fitted_memberships, read_training_data
from pipeline.ingest import Ingest
from pipeline.progress import progress_bar
from pipeline.split import in_test
from pipeline.store import Store
from pipeline.table import RoutingModel
from pipeline.taxonomy import present_rows
from profiles.errors import NotReadyError
from profiles.outcomes import CompleteCase, Outcomes, complete_case, outcome_matrix
from profiles.tables import OUTCOMES

ROUTERS: Mapping[str, Estimator] = {
    "stack": Stack(),
    "domain_table": DomainTable(soft=False),
    "soft_domain_table": DomainTable(soft=True),
    "knn": NearestNeighbours(),
}
_NEED_NO_DOMAIN = ("stack", "knn")
_LEAST_PROMPTS = 20


def evaluate_store(
    store: Store, encoder: Encoder, *, n_seeds: int = 5, test_share: float = 0.5
) -> tuple[Evaluation, dict[str, str]]:
    """Score every router on held-out parts of the prompts that all candidates answered.

    Returns
    -------
    Evaluation, dict
        The scores, and the models that were left out with the reason.

    Raises
    ------
    NotReadyError
        If too few prompts were answered by all candidates.
    """
    case, splits = splits_of(store, encoder, n_seeds=n_seeds, test_share=test_share)
    routers = dict(ROUTERS)
    if splits[0].train.memberships.shape[1] == 1:
        routers = {name: ROUTERS[name] for name in _NEED_NO_DOMAIN}
    return evaluate_routers(splits, routers, n_prompts=len(case.rows)), case.left_out


def splits_of(
    store: Store, encoder: Encoder, *, n_seeds: int, test_share: float
) -> tuple[CompleteCase, list[Split]]:
    """Split the prompts that all candidates answered, with memberships fitted on each train part.

    Raises
    ------
    NotReadyError
        If too few prompts were answered by all candidates.
    """
    whole = read_training_data(store, encoder)
    case = complete_case(whole.outcomes)
    if len(case.rows) < _LEAST_PROMPTS:
        raise NotReadyError(
            f"Only {len(case.rows)} prompts were answered by all candidates; a held-out score "
            f"needs at least {_LEAST_PROMPTS}. Import more outcomes."
        )
    data = replace(whole.rows(case.rows), outcomes=case.outcomes)
    bar = progress_bar("split", n_seeds)
    splits: list[Split] = []
    for seed in range(n_seeds):
        tested = in_test(data.prompt_ids, test_share=test_share, seed=seed)
        splits.append(_split(data, tested))
        bar.update(1)
    bar.close()
    return case, splits


def _split(data: TrainingData, tested: NDArray[np.bool_]) -> Split:
    train = data.rows(~tested)
    domains, domain_of = present_rows(train.domains, train.domain_of)
    train = replace(train, domains=domains, domain_of=domain_of)
    assigner, held_out = fitted_memberships(train)
    test = data.rows(tested)
    if assigner is None:
        memberships = np.ones((len(test.prompt_ids), 1))
    else:
        memberships = assign(test.vectors, assigner).memberships
    return Split(
        train=as_prompts(train, held_out),
        train_outcomes=train.outcomes,
        train_folds=train.folds,
        test=as_prompts(test, memberships),
        test_outcomes=test.outcomes,
        test_rows=np.flatnonzero(tested),
    )


@dataclass(frozen=True, kw_only=True)
class HoldoutScore:
    """Routing tables on outcomes that were never imported."""

    n_prompts: int
    n_skipped: int
    """Prompts of the file that the store had learned from, or that not every model answered."""
    reference_model_id: str
    scores: tuple[ChoiceScore, ...]
    """Best single (chosen on the store), cheapest, each table, oracle."""


def score_holdout(
    store: Store, encoder: Encoder, holdout: Ingest, versions: Mapping[str, int]
) -> HoldoutScore:
    """Route the prompts of a file that was never imported and look up what would have happened.

    Parameters
    ----------
    holdout
        The file, read by `pipeline.ingest.read_file`.
    versions
        Table versions to score, by the name to show.

    Raises
    ------
    NotReadyError
        If no prompt is left to score on.
    """
    models = {name: load_model(store, version)[1] for name, version in versions.items()}
    first = next(iter(models.values()))
    wanted = {model_id for model in models.values() for model_id in model.model_ids}
    learned = set(store.read(OUTCOMES)["prompt_id"])
    prompt_ids, outcomes = outcome_matrix(holdout.outcomes)
    missing = sorted(wanted - set(outcomes.model_ids))
    if missing:
        raise NotReadyError(
            f"The held-out file has no outcome of {missing[0]}, which the table may choose. "
            f"Build a table without it: `promptshed table build --models ...`."
        )
    outcomes = outcomes.columns(tuple(wanted))
    fresh = np.array([prompt_id not in learned for prompt_id in prompt_ids])
    usable = fresh & np.isfinite(outcomes.quality).all(axis=1)
    if not usable.any():
        raise NotReadyError(
            f"All {len(prompt_ids)} prompts of the held-out file were learned from or lack an "
            "outcome. Hold a file back: evaluate it without importing it."
        )
    text_of = dict(holdout.prompts.select("prompt_id", "text").iter_rows())
    kept = [prompt_id for prompt_id, use in zip(prompt_ids, usable, strict=True) if use]
    texts = [text_of[prompt_id] for prompt_id in kept]
    vectors = vectors_of(store, encoder, kept, texts)
    tested = outcomes.rows(usable)
    choices = _reference_choices(first, tested)
    for name, model in models.items():
        choices[name] = _columns_of(model, tested)[model.judge(texts, vectors).best()]
    choices["oracle"] = oracle_columns(tested)
    return HoldoutScore(
        n_prompts=len(kept),
        n_skipped=len(prompt_ids) - len(kept),
        reference_model_id=first.model_ids[first.terms.reference],
        scores=score_choices(
            choices, tested, reference=int(_columns_of(first, tested)[first.terms.reference])
        ),
    )


def _columns_of(model: RoutingModel, outcomes: Outcomes) -> NDArray[np.int64]:
    """Return where the table's models are among the outcomes' columns."""
    return np.array([outcomes.model_ids.index(model_id) for model_id in model.model_ids])


def _reference_choices(model: RoutingModel, tested: Outcomes) -> dict[str, NDArray[np.int64]]:
    n_prompts = len(tested.quality)
    columns = _columns_of(model, tested)
    choices = {"best single": np.full(n_prompts, columns[model.terms.reference])}
    if np.isfinite(model.cost_usd).all():
        cheapest = int(np.argmin(model.cost_usd.mean(axis=0)))
        choices["cheapest"] = np.full(n_prompts, columns[cheapest])
    return choices
