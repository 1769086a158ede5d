"""What a trade-off is chosen on: training prompts with held-out estimates and outcomes.

Everything in a study was learned before any trade-off, so a policy is settled on it without
fitting: `promptshed table build` and the page that plays with a policy do the same, and find the
same table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load, save

from pipeline.config import Policy
from pipeline.estimators.base import Estimates
from pipeline.estimators.domain_table import Cells
from pipeline.expected import held_out_json
from pipeline.frontier import quality_values
from pipeline.guard import z_for_loss_ratio
from pipeline.ranking import table_entries
from pipeline.route import best_columns
from pipeline.shares import share_surcharges
from pipeline.terms import Limits, Terms, Weighed, require_feasible, weigh, within
from pipeline.tradeoff import Tradeoff, at_parity, at_value
from profiles.errors import InfeasibleError, UsageError
from profiles.outcomes import Outcomes, RowIndex

Floats = NDArray[np.float64]

MOST_KEPT = 10_000
"""Prompts kept with a table; of more, evenly spread ones in the order of their ids, which are
digests, so that they are a random sample."""
_N_CURVE = 31
_HEADER_SIZE_BYTES = 8
_METADATA = "study"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Held-out estimates and outcomes of training prompts, and the cells of the domains."""

    prompt_ids: tuple[str, ...]
    """Length n."""
    outcomes: Outcomes
    held_out: Estimates
    """Row i was estimated without the outcomes of row i."""
    memberships: Floats
    """Shape (n, n_buckets), held out too."""
    allowed: NDArray[np.bool_] | None
    """Shape (n, n_models): what rules let pass; None: everything."""
    cells: Cells
    latency_s: Floats
    """Shape (n_buckets, n_models); NaN is unknown."""
    domain_ids: tuple[str, ...]
    """One for each bucket; the last one is `unassigned`."""
    names: tuple[str, ...]
    eligible: tuple[str, ...]
    """Models that may be candidates; the others taught the router all the same."""

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Return the models, sorted."""
        return self.outcomes.model_ids

    @property
    def reference(self) -> int:
        """Return the column of the safe choice."""
        return self.cells.reference

    @property
    def buckets(self) -> NDArray[np.int64]:
        """Return the likeliest bucket of each prompt, shape (n,)."""
        return np.argmax(self.memberships, axis=1)

    def rows(self, index: RowIndex) -> "Study":
        """Return some of the prompts, with the same cells."""
        positions = np.arange(len(self.prompt_ids))[index]
        return replace(
            self,
            prompt_ids=tuple(self.prompt_ids[i] for i in positions),
            outcomes=self.outcomes.rows(index),
            held_out=_picked(self.held_out, rows=positions),
            memberships=self.memberships[index],
            allowed=None if self.allowed is None else self.allowed[index],
        )

    def columns(self, model_ids: tuple[str, ...]) -> "Study":
        """Return some of the models; the safe choice must be among them."""
        kept = tuple(sorted(model_ids))
        index = np.array([self.model_ids.index(model_id) for model_id in kept], dtype=np.intp)
        parts = {name: _taken(getattr(self.cells, name), index) for name in _CELLS}
        outcomes = Outcomes(
            model_ids=kept,
            quality=_taken(self.outcomes.quality, index),
            cost_usd=_taken(self.outcomes.cost_usd, index),
        )
        return replace(
            self,
            outcomes=outcomes,
            held_out=_picked(self.held_out, columns=index),
            allowed=None if self.allowed is None else _taken(self.allowed, index),
            cells=Cells(
                model_ids=kept, reference=kept.index(self.model_ids[self.reference]), **parts
            ),
            latency_s=_taken(self.latency_s, index),
        )


_CELLS = ("advantage", "advantage_sd", "quality", "cost_usd", "n_effective")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What a policy makes of a study."""

    terms: Terms
    chosen: NDArray[np.int64]
    """Shape (n,): columns, by held-out estimates."""
    entries: pl.DataFrame
    """As in `pipeline.ranking.table_entries`."""
    held_out: str
    """JSON for `pipeline.expected.expect`."""


def settle(study: Study, policy: Policy) -> Settled:
    """Choose the trade-off of a policy, and decide every prompt and every bucket by it.

    Parameters
    ----------
    study
        With the candidates' columns only.

    Raises
    ------
    UsageError
        If the policy names an unknown domain.
    InfeasibleError
        If a limit of the policy cannot be kept.
    """
    require_feasible(study.cells.quality, study.latency_s, limits_of(study, policy), study.names)
    return settle_at(study, tradeoff_of(study, policy), policy)


def settle_at(study: Study, setting: Tradeoff, policy: Policy) -> Settled:
    """Do as `settle` at a setting that was chosen elsewhere."""
    terms = terms_of(study, setting, policy)
    chosen = choose_by(study, terms)
    return Settled(
        terms=terms,
        chosen=chosen,
        entries=table_entries(study.cells, study.latency_s, terms),
        held_out=held_out_json(chosen, study.outcomes, reference=study.reference),
    )


def limits_of(study: Study, policy: Policy) -> Limits:
    """Return a policy's limits."""
    return Limits(
        min_quality=policy.min_quality,
        max_latency_s=policy.max_latency_s,
        fallback=tuple(study.model_ids.index(model_id) for model_id in policy.fallback),
    )


def tradeoff_of(study: Study, policy: Policy) -> Tradeoff:
    """Settle what quality is worth and the guard, on held-out estimates within the limits."""
    estimates = limited(study, policy)
    z = None if policy.loss_ratio is None else float(z_for_loss_ratio(policy.loss_ratio))
    value, reference = policy.quality_value_usd, study.reference
    if value is None:
        return at_parity(
            estimates, study.outcomes, reference=reference, keep_quality=policy.keep_quality, z=z
        )
    if z is not None:
        return Tradeoff(quality_value_usd=value, z=z)
    return at_value(estimates, study.outcomes, reference=reference, quality_value_usd=value)


def limited(study: Study, policy: Policy) -> Estimates:
    """Return the held-out estimates without models beyond a limit, where another one is left.

    Locks do not count here: a lock changes its own domain and no other one.
    """
    quality = study.held_out.quality
    latency_s = study.memberships @ study.latency_s
    kept = within(quality, latency_s, limits_of(study, policy)) & np.isfinite(quality)
    kept &= True if study.allowed is None else study.allowed
    kept |= ~kept.any(axis=1, keepdims=True)
    return replace(study.held_out, quality=np.where(kept, quality, np.nan))


def terms_of(study: Study, setting: Tradeoff, policy: Policy) -> Terms:
    """Return the terms of a setting, with surcharges for models of limited share."""
    terms = Terms(
        reference=study.reference,
        quality_value_usd=setting.quality_value_usd,
        z=_guard_of_buckets(study, setting.z, policy),
        surcharge=np.zeros(len(study.model_ids)),
        limits=limits_of(study, policy),
        locks=_locks(study, policy),
    )
    most = {study.model_ids.index(model_id): share for model_id, share in policy.max_share}
    if not most:
        return terms
    weighed = weigh_held_out(study, terms)
    return replace(terms, surcharge=share_surcharges(weighed.utility, most, study.model_ids))


def _guard_of_buckets(study: Study, z: float, policy: Policy) -> Floats:
    guard = np.full(len(study.names), z)
    for name, ratio in policy.domain_loss_ratios:
        guard[_buckets_called(name, study)] = z_for_loss_ratio(ratio)
    return guard


def _locks(study: Study, policy: Policy) -> NDArray[np.int64]:
    """Return the column each bucket is locked to, shape (n_buckets,); -1 for none."""
    locks = np.full(len(study.names), -1, dtype=np.int64)
    for name, model_id in policy.locks:
        locks[_buckets_called(name, study)] = study.model_ids.index(model_id)
    return locks


def _buckets_called(name: str, study: Study) -> list[int]:
    """Return the rows of the buckets with this name or id.

    Raises
    ------
    UsageError
        If there is none.
    """
    pairs = enumerate(zip(study.names, study.domain_ids, strict=True))
    rows = [row for row, pair in pairs if name in pair]
    if not rows:
        raise UsageError(f"There is no domain {name!r}. Known: {', '.join(study.names)}.")
    return rows


def weigh_held_out(study: Study, terms: Terms) -> Weighed:
    """Say what every model is worth on every prompt, by held-out estimates."""
    latency_s = study.memberships @ study.latency_s
    return weigh(study.held_out, study.memberships, latency_s, terms, allowed=study.allowed)


def choose_by(study: Study, terms: Terms) -> NDArray[np.int64]:
    """Return what a table with these terms chooses on the study's prompts, shape (n,)."""
    return best_columns(weigh_held_out(study, terms).utility, study.held_out.cost_usd)


def curve(study: Study, settled: Settled, policy: Policy) -> pl.DataFrame:
    """Return what is reached as a point of quality is worth less, all else as settled.

    Returns
    -------
    DataFrame
        Columns quality_value_usd, cost_usd and quality (means over prompts where the chosen
        model's and the safe choice's outcome are known), from quality alone to cost alone;
        without rows where costs are unknown.
    """
    values = quality_values(study.outcomes)
    few = np.unique(np.linspace(0, len(values) - 1, _N_CURVE).astype(int))
    guard = float(settled.terms.z[-1])
    rows = []
    for value in values[few] if len(values) > 1 else ():
        terms = terms_or_none(study, Tradeoff(quality_value_usd=float(value), z=guard), policy)
        if terms is not None:
            rows.append((float(value), *_means(study, choose_by(study, terms))))
    schema = ("quality_value_usd", "cost_usd", "quality")
    found = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.Float64), orient="row")
    return found.filter(pl.all_horizontal(pl.col("cost_usd", "quality").is_not_nan()))


def terms_or_none(study: Study, setting: Tradeoff, policy: Policy) -> Terms | None:
    """Return the terms of a setting; None where no share of it can be kept."""
    try:
        return terms_of(study, setting, policy)
    except InfeasibleError:
        return None


def _means(study: Study, chosen: NDArray[np.int64]) -> tuple[float, float]:
    rows = np.arange(len(chosen))
    quality, cost = study.outcomes.quality[rows, chosen], study.outcomes.cost_usd[rows, chosen]
    known = np.isfinite(quality) & np.isfinite(study.outcomes.quality[:, study.reference])
    known &= np.isfinite(cost)
    if not known.any():
        return float("nan"), float("nan")
    return float(cost[known].mean()), float(quality[known].mean())


def scaled_costs(study: Study, ratios: Mapping[str, float]) -> Study:
    """Return a study in which each model's costs are multiplied; 1 where it is not named."""
    factor = np.array([ratios.get(model_id, 1.0) for model_id in study.model_ids])
    return replace(
        study,
        outcomes=replace(study.outcomes, cost_usd=study.outcomes.cost_usd * factor),
        held_out=replace(study.held_out, cost_usd=study.held_out.cost_usd * factor),
        cells=replace(study.cells, cost_usd=study.cells.cost_usd * factor),
    )


def study_bytes(study: Study) -> bytes:
    """Return a study as one safetensors file; of many prompts, a sample of `MOST_KEPT`."""
    n = len(study.prompt_ids)
    if n > MOST_KEPT:
        study = study.rows(np.linspace(0, n - 1, MOST_KEPT).astype(np.intp))
    arrays = {
        "outcome_quality": study.outcomes.quality,
        "outcome_cost_usd": study.outcomes.cost_usd,
        "quality": study.held_out.quality,
        "held_out_cost_usd": study.held_out.cost_usd,
        "standard_error": study.held_out.standard_error,
        "memberships": study.memberships,
        "latency_s": study.latency_s,
        **{f"cells_{name}": getattr(study.cells, name) for name in _CELLS},
    }
    if study.allowed is not None:
        arrays["allowed"] = study.allowed
    words = {
        "prompt_ids": study.prompt_ids,
        "model_ids": study.model_ids,
        "reference": study.reference,
        "domain_ids": study.domain_ids,
        "names": study.names,
        "eligible": study.eligible,
    }
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(plain, metadata={_METADATA: json.dumps(words)})


def read_study(content: bytes) -> Study:
    """Read what `study_bytes` wrote."""
    size = int.from_bytes(content[:_HEADER_SIZE_BYTES], "little")
    header = json.loads(content[_HEADER_SIZE_BYTES : _HEADER_SIZE_BYTES + size])
    words, arrays = json.loads(header["__metadata__"][_METADATA]), load(content)
    model_ids = tuple(words["model_ids"])
    return Study(
        prompt_ids=tuple(words["prompt_ids"]),
        outcomes=Outcomes(
            model_ids=model_ids,
            quality=arrays["outcome_quality"],
            cost_usd=arrays["outcome_cost_usd"],
        ),
        held_out=Estimates(
            model_ids=model_ids,
            quality=arrays["quality"],
            cost_usd=arrays["held_out_cost_usd"],
            standard_error=arrays["standard_error"],
        ),
        memberships=arrays["memberships"],
        allowed=arrays.get("allowed"),
        cells=Cells(
            model_ids=model_ids,
            reference=words["reference"],
            **{name: arrays[f"cells_{name}"] for name in _CELLS},
        ),
        latency_s=arrays["latency_s"],
        domain_ids=tuple(words["domain_ids"]),
        names=tuple(words["names"]),
        eligible=tuple(words["eligible"]),
    )


def _picked(
    estimates: Estimates,
    *,
    rows: NDArray[np.intp] | None = None,
    columns: NDArray[np.intp] | None = None,
) -> Estimates:
    rows = np.arange(len(estimates.quality)) if rows is None else rows
    columns = np.arange(len(estimates.model_ids)) if columns is None else columns
    return Estimates(
        model_ids=tuple(estimates.model_ids[j] for j in columns),
        quality=_taken(estimates.quality[rows], columns),
        cost_usd=_taken(estimates.cost_usd[rows], columns),
        standard_error=_taken(estimates.standard_error[rows], columns),
    )


def _taken(values: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
    """Return some columns, laid out by rows, so that sums come out the same to the last bit."""
    return np.ascontiguousarray(values[:, columns])
