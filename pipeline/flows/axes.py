"""Axes of prompts: the classifiers learn from what the store holds."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.axes.ranking import ranked_elements
from pipeline.axes.reading import AxisClassifier, AxisReading, fit_axes, read_axes
from pipeline.axes.tasks import CAPABILITIES
from pipeline.config import AssignConfig
from pipeline.embed import Encoder
from pipeline.estimators.base import Prompts
from pipeline.estimators.inference_dynamics import Elements
from pipeline.flows.encoding import vectors_of
from pipeline.flows.training import TrainingData
from pipeline.split import fold_numbers
from pipeline.store import Store
from profiles.errors import NotReadyError
from profiles.tables import PROMPTS

_MOST_TO_LEARN_FROM = 10_000
"""Prompts are sorted by a hash of their text, so the first ones are a fair sample."""


def axes_of_store(store: Store, encoder: Encoder) -> tuple[list[str], dict[str, AxisReading]]:
    """Read every axis of every prompt in the store; returns their ids too.

    Raises
    ------
    NotReadyError
        If no prompt was imported.
    """
    prompts = store.read(PROMPTS)
    if prompts.is_empty():
        raise NotReadyError("There are no prompts yet. Run `promptshed import FILE` first.")
    ids, texts = prompts["prompt_id"].to_list(), prompts["text"].to_list()
    vectors = vectors_of(store, encoder, ids, texts)
    return ids, read_axes(texts, vectors, _learned(store, encoder))


def axes_of_texts(store: Store, encoder: Encoder, texts: Sequence[str]) -> dict[str, AxisReading]:
    """Read every axis of other texts, by what the prompts in the store teach, if there are any."""
    classifiers = _learned(store, encoder)
    vectors = encoder.encode(texts) if classifiers and texts else None
    return read_axes(texts, vectors, classifiers)


def capability_elements(data: TrainingData) -> pl.DataFrame:
    """Return the ranked capabilities of the prompts with outcomes, as elements of a profile."""
    axes = (CAPABILITIES,)
    learned = data.rows(np.arange(min(len(data.texts), _MOST_TO_LEARN_FROM)))
    classifiers = fit_axes(learned.texts, learned.vectors, learned.folds, axes=axes)
    readings = read_axes(data.texts, data.vectors, classifiers, axes=axes)
    return ranked_elements(data.prompt_ids, readings[CAPABILITIES.name])


def learn_capabilities(prompts: Prompts) -> Elements:
    """Learn from prompts to tell how much of each capability a prompt needs."""
    axes, most = (CAPABILITIES,), _MOST_TO_LEARN_FROM
    texts = prompts.texts[:most]
    folds = fold_numbers(texts, n_folds=AssignConfig().n_folds)
    classifiers = fit_axes(texts, prompts.vectors[:most], folds, axes=axes)

    def amounts(asked: Prompts) -> NDArray[np.float64]:
        readings = read_axes(asked.texts, asked.vectors, classifiers, axes=axes)
        return readings[CAPABILITIES.name].probabilities

    return amounts


def _learned(store: Store, encoder: Encoder) -> dict[str, AxisClassifier]:
    prompts = store.read(PROMPTS).head(_MOST_TO_LEARN_FROM)
    if prompts.is_empty():
        return {}
    ids, texts = prompts["prompt_id"].to_list(), prompts["text"].to_list()
    folds = fold_numbers(ids, n_folds=AssignConfig().n_folds)
    return fit_axes(texts, vectors_of(store, encoder, ids, texts), folds)
