"""Which models a policy lets be candidates, and which of them is the safe choice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import polars as pl

from pipeline.config import Policy
from pipeline.estimators.base import best_single, known_well
from profiles.catalog import Catalog
from profiles.errors import NotReadyError, UsageError
from profiles.outcomes import Outcomes
from profiles.tables import MODELS


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of models beside their outcomes, by model id; unknown where absent."""

    context_tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    features: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    models: pl.DataFrame = field(default_factory=MODELS.empty)
    """The MODELS table, which rules on axes ask."""


def facts_of(catalog: Catalog) -> Facts:
    """Return what a catalogue says of models that policies ask for."""
    known = catalog.models
    windows = known.filter(pl.col("context_tokens").is_not_null())
    features = known.filter(pl.col("features").is_not_null()).select("model_id", "features")
    return Facts(
        context_tokens=dict(windows.select("model_id", "context_tokens").iter_rows()),
        features={model_id: frozenset(has) for model_id, has in features.iter_rows()},
        models=known,
    )


def candidates(outcomes: Outcomes, policy: Policy, facts: Facts) -> tuple[str, ...]:
    """Return the models that the policy's lists and facts let pass, sorted.

    A model whose quality is known on too few prompts is one only where the policy names it.

    Raises
    ------
    UsageError
        If the policy names an unknown model, or one that it leaves out, or leaves none.
    """
    model_ids = outcomes.model_ids
    shares = tuple(model_id for model_id, _ in policy.max_share)
    reference = [policy.reference_model_id] if policy.reference_model_id else []
    locked = [model_id for _, model_id in policy.locks]
    named = (*policy.model_ids, *policy.deny, *policy.fallback, *shares, *reference, *locked)
    for model_id in named:
        column_of(model_ids, model_id)
    usual = known_or_named(outcomes, (*policy.fallback, *reference, *locked))
    kept = [m for m in policy.model_ids or usual if m not in policy.deny]
    needed, window = frozenset(policy.required_features), policy.min_context_tokens or 0
    kept = [
        model_id
        for model_id in kept
        if needed <= facts.features.get(model_id, frozenset())
        and window <= facts.context_tokens.get(model_id, 0)
    ]
    outside = sorted({*policy.fallback, *locked, *shares} - set(kept))
    if not kept or outside:
        raise UsageError(_why_none(outside))
    return tuple(sorted(kept))


def known_or_named(outcomes: Outcomes, named: Iterable[str]) -> tuple[str, ...]:
    """Return the models whose quality is known on enough prompts, and those named; sorted."""
    return tuple(sorted({*compress(outcomes.model_ids, known_well(outcomes)), *named}))


def _why_none(outside: list[str]) -> str:
    if outside:
        return f"The policy names {outside[0]!r}, which its own lists leave out. Allow it."
    return (
        "The policy leaves no model: --models, --deny, --require and --min-context rule out all. "
        "A model whose features or context window are unknown has none."
    )


def column_of(model_ids: tuple[str, ...], model_id: str) -> int:
    """Return the column of a model.

    Raises
    ------
    UsageError
        If there is none.
    """
    if model_id not in model_ids:
        raise UsageError(f"There is no model {model_id!r}. Known: {', '.join(model_ids)}.")
    return model_ids.index(model_id)


def safe_choice(outcomes: Outcomes, policy: Policy) -> int:
    """Return the column of the reference model, whose cost is known if costs are to count.

    Raises
    ------
    NotReadyError
        If no candidate has a known quality.
    UsageError
        If the model named is no candidate, or its cost is unknown although costs are to count.
    """
    wanted, value = policy.reference_model_id, policy.quality_value_usd
    if wanted and wanted not in outcomes.model_ids:
        raise UsageError(
            f"The safe choice {wanted!r} is not among the models of --models. Add it there, or "
            "name another with --reference."
        )
    among = (wanted,) if wanted else outcomes.model_ids
    if not np.isfinite(outcomes.columns(among).quality).any():
        raise NotReadyError(
            f"No outcome of {' or '.join(among)} has a known quality. Import a file with a quality "
            "column, or name it with `--mapping quality=COLUMN`."
        )
    reference = best_single(outcomes, among=among)
    counts = value is not None and np.isfinite(value)
    if counts and not np.isfinite(outcomes.cost_usd[:, reference]).any():
        raise UsageError(
            f"The cost of the safe choice {outcomes.model_ids[reference]!r} is unknown, so its "
            "value in US dollars is too. Import its costs, name another with --reference, or "
            "leave --quality-value-usd out."
        )
    return reference
