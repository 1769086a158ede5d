"""Evaluate: every router on held-out prompts of the store, or a table on outcomes it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.assign import assign
from pipeline.choices import ChoiceScore, oracle_columns, score_choices
from pipeline.embed import Encoder
from pipeline.estimators.base import Estimator
from pipeline.estimators.strong_weak import StrongWeak
from pipeline.evaluate import PairQuestion, Split
from pipeline.flows.encoding import vectors_of
from pipeline.flows.routers import choose_routers
from pipeline.flows.tables import load_model
from pipeline.flows.training import TrainingData, as_prompts, fitted_memberships, read_training_data
from pipeline.ingest import Ingest
from pipeline.onboarding import OnboardingPoint, onboarding_curve
from pipeline.price import ListPrices, price_outcomes
from pipeline.progress import progress_bar
from pipeline.scores import Evaluation
from pipeline.split import in_test
from pipeline.store import Store
from pipeline.strong_weak import Pair, PairTarget
from pipeline.summarise import evaluate_routers
from pipeline.table import RoutingModel
from pipeline.taxonomy import present_rows
from profiles.errors import NotReadyError, UsageError
from profiles.outcomes import CompleteCase, Outcomes, complete_case, outcome_matrix
from profiles.tables import OUTCOMES

NONE_EXTRA: Mapping[str, Estimator] = MappingProxyType({})
_LEAST_PROMPTS = 20


@dataclass(frozen=True, kw_only=True)
class PairOption:
    """Two models by name, and what a threshold between them is to reach."""

    strong: str
    weak: str
    target: PairTarget

    def columns(self, model_ids: tuple[str, ...]) -> Pair:
        """Return where the two are.

        Raises
        ------
        NotReadyError
            If the outcomes leave one of them out.
        """
        missing = [name for name in (self.strong, self.weak) if name not in model_ids]
        if missing:
            raise NotReadyError(
                f"{missing[0]} is known on too few prompts to be compared with the other one."
            )
        return Pair(strong=model_ids.index(self.strong), weak=model_ids.index(self.weak))


def evaluate_store(
    store: Store,
    encoder: Encoder,
    *,
    n_seeds: int = 5,
    test_share: float = 0.5,
    names: Sequence[str] = (),
    extra: Mapping[str, Estimator] = NONE_EXTRA,
    pair: PairOption | None = None,
    at: ListPrices | None = None,
) -> tuple[Evaluation, CompleteCase]:
    """Score every router on held-out parts of the prompts that all candidates answered.

    Parameters
    ----------
    names
        Routers to compare, the first of them with all others; empty: the usual ones.
    extra
        Routers that were given something besides the store.
    pair
        Two models to look at alone.
    at
        Take costs as tokens at these prices, wherever both are known.

    Returns
    -------
    Evaluation, CompleteCase
        The scores, and what they rest on: the models and prompts that were left out.

    Raises
    ------
    NotReadyError
        If too few prompts were answered by all candidates.
    """
    only = () if pair is None else (pair.strong, pair.weak)
    case, splits = splits_of(
        store, encoder, n_seeds=n_seeds, test_share=test_share, only=only, at=at
    )
    question = None
    if pair is not None:
        extra = {**extra, "strong_weak": StrongWeak(strong=pair.strong, weak=pair.weak)}
        question = PairQuestion(pair=pair.columns(case.outcomes.model_ids), target=pair.target)
    routers = choose_routers(names, extra, has_domains=splits[0].train.memberships.shape[1] > 1)
    evaluation = evaluate_routers(splits, routers, n_prompts=len(case.rows), question=question)
    return evaluation, case


def onboard_model(
    store: Store, encoder: Encoder, model_id: str, router: Estimator, *, n_seeds: int
) -> tuple[OnboardingPoint, ...]:
    """Return how routing grows with the number of prompts on which a model is labelled.

    Raises
    ------
    UsageError
        If there is no such model among those that can be compared.
    """
    case, splits = splits_of(store, encoder, n_seeds=n_seeds, test_share=0.5)
    known = case.outcomes.model_ids
    if model_id not in known:
        raise UsageError(f"There is no model {model_id!r} to compare. Known: {', '.join(known)}.")
    return onboarding_curve(splits, router, model_id=model_id, n_prompts=len(case.rows))


def splits_of(
    store: Store,
    encoder: Encoder,
    *,
    n_seeds: int,
    test_share: float,
    only: tuple[str, ...] = (),
    at: ListPrices | None = None,
) -> tuple[CompleteCase, list[Split]]:
    """Split the prompts that all candidates answered, with memberships fitted on each train part.

    Parameters
    ----------
    only
        Models to compare; empty: all.

    Raises
    ------
    NotReadyError
        If too few prompts were answered by all candidates.
    UsageError
        If there is no model of that name.
    """
    case, data = comparable_data(store, encoder, only=only, at=at)
    return case, held_out_splits(data, n_seeds=n_seeds, test_share=test_share)


def comparable_data(
    store: Store, encoder: Encoder, *, only: tuple[str, ...] = (), at: ListPrices | None = None
) -> tuple[CompleteCase, TrainingData]:
    """Read the prompts that all candidates answered; see `splits_of`."""
    whole = read_training_data(store, encoder, at=at)
    unknown = sorted(set(only) - set(whole.outcomes.model_ids))
    if unknown:
        known = ", ".join(whole.outcomes.model_ids)
        raise UsageError(f"There is no model {unknown[0]!r}. Known: {known}.")
    case = complete_case(whole.outcomes.columns(only) if only else whole.outcomes)
    if len(case.rows) < _LEAST_PROMPTS:
        raise NotReadyError(
            f"Only {len(case.rows)} prompts were answered by all candidates; a held-out score "
            f"needs at least {_LEAST_PROMPTS}. Import more outcomes."
        )
    return case, replace(whole.rows(case.rows), outcomes=case.outcomes)


def held_out_splits(data: TrainingData, *, n_seeds: int, test_share: float) -> list[Split]:
    """Split prompts by a hash of their ids, once for each seed."""
    bar = progress_bar("split", n_seeds)
    splits: list[Split] = []
    for seed in range(n_seeds):
        splits.append(split_at(data, in_test(data.prompt_ids, test_share=test_share, seed=seed)))
        bar.update(1)
    bar.close()
    return splits


def split_at(data: TrainingData, tested: NDArray[np.bool_]) -> Split:
    """Split prompts by a mask of those to score on, with memberships fitted on the others."""
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
    tables: tuple[str, ...]
    """Names of the tables among the scores; all are compared with the first."""
    scores: tuple[ChoiceScore, ...]
    """Best single (chosen on the store), cheapest, each table, oracle."""


def score_holdout(
    store: Store,
    encoder: Encoder,
    holdout: Ingest,
    versions: Mapping[str, int],
    *,
    at: ListPrices | None = None,
) -> HoldoutScore:
    """Route the prompts of a file that was never imported and look up what would have happened.

    Parameters
    ----------
    holdout
        The file, read by `pipeline.ingest.read_file`.
    versions
        Table versions to score, by the name to show.
    at
        Take costs as tokens at these prices, wherever both are known.

    Raises
    ------
    NotReadyError
        If no prompt is left to score on.
    """
    models = {name: load_model(store, version)[1] for name, version in versions.items()}
    first = next(iter(models.values()))
    wanted = {model_id for model in models.values() for model_id in model.model_ids}
    learned = set(store.read(OUTCOMES)["prompt_id"])
    prompt_ids, outcomes = outcome_matrix(price_outcomes(holdout.outcomes, at))
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
        tables=tuple(models),
        scores=score_choices(
            choices,
            tested,
            reference=int(_columns_of(first, tested)[first.terms.reference]),
            versus=next(iter(models)),
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
