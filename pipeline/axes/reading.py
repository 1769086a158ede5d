"""Every axis of a prompt: values with confidence, and which signals fired.

Signals give weak labels; where they are enough, a multinomial logistic model on the vectors learns
them and speaks also where no signal fires (data programming: Ratner et al. 2017, arXiv 1711.10160).
Where one value holds, signals and classifier are pooled by the geometric mean of their
probabilities; where several may, the higher of the two counts, since a sensitive prompt that is
overlooked costs more than one that is sheltered in vain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from pipeline.assign import Assigner, assign, fit_assigner
from pipeline.axes.axis import Axis
from pipeline.axes.manner import SENSITIVITY, TONE, URGENCY
from pipeline.axes.signals import Evidence, probabilities, read_signals
from pipeline.axes.tasks import CAPABILITIES, COMPLEXITY
from pipeline.config import AssignConfig

AXES = (COMPLEXITY, CAPABILITIES, URGENCY, TONE, SENSITIVITY)
LEAST_WEAK_LABELS = 30
"""A value needs as many weakly labelled prompts, or the classifier does not know it."""
_SURE, _SURE_MARGIN = 0.6, 1.0
_TINY = 1e-6
_NO_SIGN, _ALIKE = "no sign of anything else", "like other prompts with signs of it"


@dataclass(frozen=True, kw_only=True)
class AxisClassifier:
    """What vectors say of one axis; plain arrays, as an `Assigner` has them."""

    values: tuple[str, ...]
    """The values it knows, in the order of the axis."""
    model: Assigner


@dataclass(frozen=True, kw_only=True)
class AxisReading:
    """One axis of some prompts."""

    axis: Axis
    probabilities: NDArray[np.float64]
    """Shape (n, n_values), in [0, 1]; rows sum to 1 unless several values may hold at once."""
    fired: NDArray[np.bool_]
    """Shape (n, n_signals)."""

    @property
    def values(self) -> list[str]:
        """The likeliest value of each prompt; the earlier one on a tie."""
        return [self.axis.values[column] for column in self.probabilities.argmax(axis=1)]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of that value, shape (n,)."""
        return self.probabilities.max(axis=1)

    def explain(self, row: int) -> list[str]:
        """Return why a prompt has its value, in plain words.

        These are the signals of the value that fired. Without any, it is the value that holds when
        nothing speaks for another, or the prompt is like others that show signs of it.
        """
        value = self.axis.values[int(self.probabilities[row].argmax())]
        told = [
            signal.name
            for signal, has_fired in zip(self.axis.signals, self.fired[row], strict=True)
            if has_fired and signal.value == value
        ]
        usual = self.axis.usual
        return told or [_NO_SIGN if value == usual else _ALIKE]


def fit_axes(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    folds: NDArray[np.int64],
    *,
    axes: Sequence[Axis] = AXES,
) -> dict[str, AxisClassifier]:
    """Learn, for each axis that vectors can know, what its signals mean.

    Parameters
    ----------
    texts, vectors
        Row i of both is one prompt; vectors have shape (n, n_dims) and unit rows.
    folds
        Shape (n,): fold numbers, by which confidence is calibrated.

    Returns
    -------
    dict
        By the name of the axis; an axis with fewer than two values of enough weak labels has none.
    """
    fitted: dict[str, AxisClassifier] = {}
    for axis in axes:
        if axis.is_learned:
            labels = weak_labels(read_signals(texts, axis), axis)
            classifier = _fit(vectors, labels, folds, axis)
            if classifier is not None:
                fitted[axis.name] = classifier
    return fitted


def read_axes(
    texts: Sequence[str],
    vectors: NDArray[np.float32] | None = None,
    classifiers: Mapping[str, AxisClassifier] | None = None,
    *,
    axes: Sequence[Axis] = AXES,
) -> dict[str, AxisReading]:
    """Read every axis; without vectors or classifiers by the signals alone.

    Any text will do; an empty one has the values that hold without a signal.
    """
    readings: dict[str, AxisReading] = {}
    for axis in axes:
        evidence = read_signals(texts, axis)
        held = probabilities(evidence.log_odds, axis)
        classifier = (classifiers or {}).get(axis.name)
        if classifier is not None and vectors is not None:
            held = _pool(held, _known_to(classifier, vectors, held, axis), axis)
        readings[axis.name] = AxisReading(axis=axis, probabilities=held, fired=evidence.fired)
    return readings


def weak_labels(evidence: Evidence, axis: Axis) -> NDArray[np.int64]:
    """Return the column of the value that the signals are sure of, shape (n,); -1 for none."""
    held = probabilities(evidence.log_odds, axis)
    if axis.is_many:
        topic = held[:, 1:].argmax(axis=1) + 1
        top = held[np.arange(len(held)), topic] if len(held) else np.zeros(0)
        return np.where(top >= _SURE, topic, np.where(evidence.fired.any(axis=1), -1, 0))
    ranked = np.sort(evidence.log_odds, axis=1)
    is_sure = evidence.fired.any(axis=1) & (ranked[:, -1] - ranked[:, -2] >= _SURE_MARGIN)
    return np.where(is_sure, held.argmax(axis=1), -1)


def _fit(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    axis: Axis,
) -> AxisClassifier | None:
    counts = np.bincount(labels[labels >= 0], minlength=len(axis.values))
    known = np.flatnonzero(counts >= LEAST_WEAK_LABELS)
    if len(known) < 2:
        return None
    place = np.full(len(axis.values) + 1, -1)  # the last one is of prompts without a label
    place[known] = np.arange(len(known))
    config = AssignConfig(inverse_regularisation=1.0, balance=0.0)
    model = fit_assigner(vectors, place[labels], folds, config)
    return AxisClassifier(values=tuple(axis.values[k] for k in known), model=model.assigner)


def _known_to(
    classifier: AxisClassifier,
    vectors: NDArray[np.float32],
    held: NDArray[np.float64],
    axis: Axis,
) -> NDArray[np.float64]:
    """Return the classifier's probabilities; values it does not know stay as the signals say."""
    columns = [axis.values.index(value) for value in classifier.values]
    told = held.copy()
    share = 1.0 if axis.is_many else held[:, columns].sum(axis=1, keepdims=True)
    told[:, columns] = assign(vectors, classifier.model).probabilities * share
    return told


def _pool(held: NDArray[np.float64], told: NDArray[np.float64], axis: Axis) -> NDArray[np.float64]:
    if not axis.is_many:
        return softmax(0.5 * (np.log(held + _TINY) + np.log(told + _TINY)), axis=1)
    others = np.maximum(held[:, 1:], told[:, 1:])
    return np.column_stack([np.prod(1.0 - others, axis=1), others])
