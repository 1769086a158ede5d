"""Rules on axes: which models may take a prompt of some kind."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.axes.axis import Axis
from pipeline.axes.reading import AXES, AxisReading, read_axes
from profiles.errors import InfeasibleError, UsageError
from profiles.tables import MODELS

LIKELY = 0.5
_ABOUT_MODELS = ("model_id", "certifications", "features")
_FORM = "AXIS=VALUE: certified=NAME, feature=NAME or max_latency_s=SECONDS"


@dataclass(frozen=True, kw_only=True)
class AxisRule:
    """Prompts with a value of an axis need models that have something; None asks for nothing."""

    axis: str
    value: str
    certified: str | None = None
    feature: str | None = None
    max_latency_s: float | None = None
    least_probability: float = LIKELY
    """The value counts from this probability on; lower it where a miss costs more than a fuss."""

    def __str__(self) -> str:
        """Return the rule as it is written on the command line."""
        asked = ("certified", "feature", "max_latency_s")
        told = [
            f"{name}={getattr(self, name)}" for name in asked if getattr(self, name) is not None
        ]
        return f"{self.axis}={self.value}: {', '.join(told)}"


@dataclass(frozen=True, kw_only=True)
class RuleMasks:
    """What axis rules let pass."""

    masks: dict[str, NDArray[np.bool_]]
    """Shape (n, n_models) for each rule, by its text: False where it rules a model out."""
    applies: dict[str, NDArray[np.bool_]]
    """Shape (n,) for each rule: the prompts it is about."""
    allowed: NDArray[np.bool_]
    """Shape (n, n_models): what all rules let pass; a row may be empty."""

    def reasons(self, row: int) -> list[str]:
        """Return the rules that a prompt fell under."""
        return [text for text, about in self.applies.items() if about[row]]


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """Rules and what is known of the models they are about: all that applying them needs."""

    rules: tuple[AxisRule, ...]
    models: pl.DataFrame
    """Columns model_id, certifications and features."""

    def masks(
        self, texts: Sequence[str], model_ids: Sequence[str], latency_s: NDArray[np.float64]
    ) -> RuleMasks:
        """Tell which models each prompt may go to, by the signals in its text alone.

        Parameters
        ----------
        latency_s
            Shape (n, n_models): expected latency; NaN is unknown and does not pass.
        """
        named = {rule.axis for rule in self.rules}
        readings = read_axes(texts, axes=[axis for axis in AXES if axis.name in named])
        return apply_rules(self.rules, readings, model_ids, self.models, latency_s=latency_s)


def rule_set(texts: Sequence[str], models: pl.DataFrame, model_ids: Sequence[str]) -> RuleSet:
    """Return rules about some of the MODELS.

    Raises
    ------
    UsageError
        If a rule cannot be read.
    InfeasibleError
        If no model has what a rule asks for.
    """
    rules = tuple(parse_rule(text) for text in texts)
    known = models.filter(pl.col("model_id").is_in(list(model_ids))).select(_ABOUT_MODELS)
    for rule in rules:
        if not _fit_models(replace(rule, max_latency_s=None), model_ids, known, None).any():
            raise InfeasibleError(
                f"No model is known to have what the rule '{rule}' asks for. Add it to the models "
                "file beside the store, allow more models, or leave the rule out.",
                constraint=str(rule),
            )
    return RuleSet(rules=rules, models=known)


def rules_json(rules: RuleSet) -> str:
    """Return a rule set as JSON; `read_rules` gives it back."""
    told = {"rules": [str(rule) for rule in rules.rules], "models": rules.models.to_dicts()}
    return json.dumps(told, sort_keys=True)


def read_rules(text: str) -> RuleSet:
    """Return the rule set that `rules_json` wrote."""
    told = json.loads(text)
    schema = {name: MODELS.schema[name] for name in _ABOUT_MODELS}
    return RuleSet(
        rules=tuple(parse_rule(rule) for rule in told["rules"]),
        models=pl.DataFrame(told["models"], schema=schema),
    )


def parse_rule(text: str) -> AxisRule:
    """Read a rule such as `sensitivity=medical: certified=medical`.

    Raises
    ------
    UsageError
        If it has another form, or names an unknown axis, value or demand.
    """
    condition, colon, demands = text.partition(":")
    axis_name, equals, value = (part.strip() for part in condition.partition("="))
    if not colon or not equals or not demands.strip():
        _refuse(text, _FORM)
    axis = _axis_named(axis_name, text)
    if value not in axis.values:
        _refuse(text, f"{axis_name} to be one of {', '.join(axis.values)}")
    asked: dict[str, str] = {}
    for demand in demands.split(","):
        name, equals, wanted = (part.strip() for part in demand.partition("="))
        if name not in ("certified", "feature", "max_latency_s") or not wanted or name in asked:
            _refuse(text, _FORM)
        asked[name] = wanted
    cap = asked.get("max_latency_s")
    return AxisRule(
        axis=axis_name,
        value=value,
        certified=asked.get("certified"),
        feature=asked.get("feature"),
        max_latency_s=None if cap is None else _seconds(cap, text),
    )


def apply_rules(
    rules: Sequence[AxisRule],
    readings: Mapping[str, AxisReading],
    model_ids: Sequence[str],
    models: pl.DataFrame,
    *,
    latency_s: NDArray[np.float64] | None = None,
) -> RuleMasks:
    """Tell which models each prompt may go to.

    Parameters
    ----------
    readings
        Every axis of the n prompts, by name.
    model_ids
        The columns of the masks.
    models
        The MODELS table. A model that is absent, or whose certifications or features are unknown,
        has none: a rule protects, so what is not known does not pass.
    latency_s
        Shape (n_models,) or (n, n_models): expected latency; NaN is unknown and does not pass.

    Raises
    ------
    ValueError
        If a rule caps latency and `latency_s` was not given.
    """
    n = len(next(iter(readings.values())).fired)
    masks: dict[str, NDArray[np.bool_]] = {}
    applies: dict[str, NDArray[np.bool_]] = {}
    for rule in rules:
        reading = readings[rule.axis]
        column = reading.axis.values.index(rule.value)
        about = reading.probabilities[:, column] >= rule.least_probability
        fit = _fit_models(rule, model_ids, models, latency_s)
        masks[str(rule)] = np.broadcast_to(fit, (n, len(model_ids))) | ~about[:, None]
        applies[str(rule)] = about
    allowed = np.ones((n, len(model_ids)), dtype=bool)
    for mask in masks.values():
        allowed &= mask
    return RuleMasks(masks=masks, applies=applies, allowed=allowed)


def _fit_models(
    rule: AxisRule,
    model_ids: Sequence[str],
    models: pl.DataFrame,
    latency_s: NDArray[np.float64] | None,
) -> NDArray[np.bool_]:
    fit = np.ones(len(model_ids), dtype=bool)
    demands = (("certifications", rule.certified), ("features", rule.feature))
    for column, wanted in demands:
        if wanted is not None:
            having = models.filter(pl.col(column).list.contains(wanted))["model_id"].to_list()
            fit &= np.isin(np.array(model_ids, dtype=object), having)
    if rule.max_latency_s is None:
        return fit
    if latency_s is None:
        raise ValueError(f"The rule {str(rule)!r} needs expected latencies: give latency_s.")
    return fit & (latency_s <= rule.max_latency_s)


def _axis_named(name: str, text: str) -> Axis:
    axes = {axis.name: axis for axis in AXES}
    if name not in axes:
        _refuse(text, f"one of the axes {', '.join(axes)}")
    return axes[name]


def _seconds(cap: str, text: str) -> float:
    try:
        seconds = float(cap)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        _refuse(text, "max_latency_s to be a number of seconds above 0")
    return seconds


def _refuse(text: str, expected: str) -> NoReturn:
    raise UsageError(f"The rule {text!r} cannot be read: expected {expected}.")
