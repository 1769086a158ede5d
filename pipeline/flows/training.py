"""What profiles, tables and evaluations learn from: prompts, vectors, domains and outcomes."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.assign import Assigner, fit_assigner
from pipeline.config import AssignConfig
from pipeline.embed import Encoder
from pipeline.estimators.base import Prompts
from pipeline.flows.encoding import vectors_of
from pipeline.price import ListPrices, price_outcomes
from pipeline.split import fold_numbers
from pipeline.store import Store
from pipeline.taxonomy import domain_rows
from profiles.outcomes import Outcomes, RowIndex, latency_matrix, outcome_matrix
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS, OUTCOMES, PROMPTS


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Row i of every part is one prompt with an outcome; rows are sorted by prompt_id."""

    prompt_ids: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: NDArray[np.float32]
    outcomes: Outcomes
    latency_s: NDArray[np.float64]
    """Shape (n_prompts, n_models), for the models of `outcomes`; NaN is unknown."""
    domains: pl.DataFrame
    """The approved domains among these prompts: domain_id, name, n_prompts, …"""
    domain_of: NDArray[np.int64]
    """Shape (n_prompts,): row in `domains`; -1 for none."""

    def rows(self, index: RowIndex) -> "TrainingData":
        """Return some of the prompts, with the same domains."""
        positions = np.arange(len(self.prompt_ids))[index]
        return replace(
            self,
            prompt_ids=tuple(self.prompt_ids[i] for i in positions),
            texts=tuple(self.texts[i] for i in positions),
            vectors=self.vectors[index],
            outcomes=self.outcomes.rows(index),
            latency_s=self.latency_s[index],
            domain_of=self.domain_of[index],
        )

    def columns(self, model_ids: tuple[str, ...]) -> "TrainingData":
        """Return some of the models, in sorted order."""
        index = [self.outcomes.model_ids.index(model_id) for model_id in sorted(model_ids)]
        return replace(
            self,
            outcomes=self.outcomes.columns(model_ids),
            latency_s=self.latency_s[:, index],
        )

    @property
    def folds(self) -> NDArray[np.int64]:
        """Cross-fitting fold of each prompt."""
        return fold_numbers(self.prompt_ids, n_folds=AssignConfig().n_folds)


def read_training_data(
    store: Store, encoder: Encoder, *, at: ListPrices | None = None
) -> TrainingData:
    """Read everything that has an outcome; missing vectors are encoded.

    Parameters
    ----------
    at
        Take costs as tokens at these prices, wherever both are known.

    Raises
    ------
    NotReadyError
        If there are no outcomes.
    """
    table = price_outcomes(store.read(OUTCOMES), at)
    prompt_ids, outcomes = outcome_matrix(table)
    text_of = dict(store.read(PROMPTS).select("prompt_id", "text").iter_rows())
    texts = tuple(text_of[prompt_id] for prompt_id in prompt_ids)
    domains, domain_of = domain_rows(prompt_ids, store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS))
    return TrainingData(
        prompt_ids=prompt_ids,
        texts=texts,
        vectors=vectors_of(store, encoder, prompt_ids, texts),
        outcomes=outcomes,
        latency_s=latency_matrix(table, prompt_ids, outcomes.model_ids),
        domains=domains,
        domain_of=domain_of,
    )


def fitted_memberships(data: TrainingData) -> tuple[Assigner | None, NDArray[np.float64]]:
    """Fit the assigner and return it with held-out memberships; None without domains."""
    if data.domains.is_empty():
        return None, np.ones((len(data.prompt_ids), 1))
    fitted = fit_assigner(data.vectors, data.domain_of, data.folds, AssignConfig())
    return fitted.assigner, fitted.held_out.memberships


def as_prompts(data: TrainingData, memberships: NDArray[np.float64]) -> Prompts:
    """Return what estimators may look at."""
    return Prompts(texts=data.texts, vectors=data.vectors, memberships=memberships)
