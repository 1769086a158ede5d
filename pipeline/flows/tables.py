"""Profile, build, publish: what is known of each model, and the routing table it gives."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.assign import Assigner
from pipeline.config import Policy, as_json, digest
from pipeline.embed import Encoder
from pipeline.estimators.base import best_single, fit_with_held_out
from pipeline.estimators.domain_table import DomainTable
from pipeline.estimators.stack import Stack
from pipeline.evaluate import parity_value
from pipeline.expected import held_out_json
from pipeline.flows.clock import now
from pipeline.flows.training import (
    TrainingData,
    as_prompts,
    fitted_memberships,
    read_training_data,
)
from pipeline.packing import from_bytes, to_bytes
from pipeline.route import choose_by_utility
from pipeline.smoothers.fit import FittedSmoother
from pipeline.store import Store
from pipeline.table import RoutingModel, buckets_frame, routing_model, table_entries
from profiles.errors import NotReadyError, UsageError
from profiles.outcomes import Outcomes
from profiles.profile import UNASSIGNED, build_profile
from profiles.tables import (
    BUCKETS,
    OUTCOMES,
    PROFILE_CELLS,
    PROFILES,
    ROUTERS,
    ROUTING_TABLES,
    TABLE_ENTRIES,
)


def profile(store: Store, encoder: Encoder) -> str:
    """Build the capability profile of every model in every approved domain; returns its id.

    The same outcomes and domains give the same profile, kept once.
    """
    data = read_training_data(store, encoder)
    _, memberships = fitted_memberships(data)
    names = np.array([*data.domains["domain_id"], UNASSIGNED], dtype=object)
    elements = pl.DataFrame(
        {"prompt_id": data.prompt_ids, "element": names[memberships.argmax(axis=1)]},
        schema={"prompt_id": pl.String, "element": pl.String},
    )
    cells = build_profile(store.read(OUTCOMES), elements)
    profile_id = "prof-" + digest(encoder.encoder_id, cells.write_json())
    row = {
        "profile_id": profile_id,
        "created_at": now(),
        "encoder_id": encoder.encoder_id,
        "n_prompts": len(data.prompt_ids),
    }
    store.append(
        (PROFILES, pl.DataFrame([row], schema=PROFILES.schema)),
        (PROFILE_CELLS, cells.with_columns(profile_id=pl.lit(profile_id))),
    )
    return profile_id


def build_table(store: Store, encoder: Encoder, policy: Policy) -> int:
    """Derive a routing table from outcomes and approved domains; returns its version, a draft.

    The same policy on the same outcomes and domains is the same table: it keeps its number, and
    nothing is fitted again.

    Raises
    ------
    NotReadyError
        If there are no outcomes with a quality or no approved domain among them.
    UsageError
        If the policy names an unknown model, or a safe choice that cannot be one.
    """
    data = read_training_data(store, encoder)
    inputs = _digest_of(data, policy, encoder.encoder_id)
    same = store.read(ROUTING_TABLES, input_digest=inputs)
    if not same.is_empty():
        return int(same["table_version"][0])
    assigner, memberships = fitted_memberships(data)
    if assigner is None:
        raise NotReadyError(
            "No approved domain has prompts with outcomes. Run `promptshed domains approve --all` "
            "or `promptshed domains from-labels` first."
        )
    return _save(store, _draft(data, assigner, memberships, policy, encoder.encoder_id), inputs)


def _digest_of(data: TrainingData, policy: Policy, encoder_id: str) -> str:
    return digest(
        importlib.metadata.version("promptshed"),
        encoder_id,
        as_json(policy),
        *data.prompt_ids,
        *data.outcomes.model_ids,
        data.outcomes.quality.tobytes().hex(),
        data.outcomes.cost_usd.tobytes().hex(),
        data.domains.select("domain_id", "name").write_json(),
        data.domain_of.tobytes().hex(),
    )


def _draft(
    data: TrainingData,
    assigner: Assigner,
    memberships: NDArray[np.float64],
    policy: Policy,
    encoder_id: str,
) -> "_Draft":
    """Fit the router and the table's cells, and choose the trade-off on held-out estimates."""
    outcomes = _candidates(data.outcomes, policy)
    prompts = as_prompts(data, memberships)
    reference = _safe_choice(outcomes, policy)
    reference_id = outcomes.model_ids[reference]
    router = _ROUTERS[policy.router](reference_model_id=reference_id)
    fit = fit_with_held_out(router, prompts, outcomes, data.folds)
    value = policy.quality_value_usd
    if value is None:
        value = parity_value(
            fit.held_out, outcomes, reference=reference, keep_quality=policy.keep_quality
        )
    chosen = choose_by_utility(fit.held_out, quality_value_usd=value)
    cells = DomainTable(reference_model_id=reference_id).fit(prompts, outcomes).cells
    n_unassigned = int(np.sum(memberships[:, -1] == 1.0))
    fitted = fit.estimator
    return _Draft(
        meta={
            "encoder_id": encoder_id,
            "policy": as_json(policy),
            "reference_model_id": reference_id,
            "quality_value_usd": value,
            "n_prompts": len(data.prompt_ids),
            "temperature": assigner.temperature,
            "held_out": held_out_json(chosen, outcomes, reference=reference),
        },
        buckets=buckets_frame(data.domains, assigner, n_unassigned=n_unassigned),
        entries=table_entries(cells, quality_value_usd=value),
        packed=to_bytes(fitted) if isinstance(fitted, FittedSmoother) else None,
    )


_ROUTERS: Mapping[str, type[Stack] | type[DomainTable]] = {"stack": Stack, "table": DomainTable}


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A table that has no version yet."""

    meta: dict[str, object]
    buckets: pl.DataFrame
    entries: pl.DataFrame
    packed: bytes | None = None
    """The router; None: the table alone decides."""


def _save(store: Store, draft: _Draft, inputs: str) -> int:
    """Save a table under the next number."""
    version = store.count(ROUTING_TABLES) + 1
    row = draft.meta | {
        "table_version": version,
        "input_digest": inputs,
        "created_at": now(),
        "published_at": None,
    }
    number = pl.lit(version, dtype=pl.Int64).alias("table_version")
    routers = [] if draft.packed is None else [{"table_version": version, "packed": draft.packed}]
    store.append(
        (ROUTING_TABLES, pl.DataFrame([row], schema=ROUTING_TABLES.schema)),
        (BUCKETS, draft.buckets.with_columns(number)),
        (TABLE_ENTRIES, draft.entries.with_columns(number)),
        (ROUTERS, pl.DataFrame(routers, schema=ROUTERS.schema)),
    )
    return version


def publish_table(store: Store, version: int) -> None:
    """Make a table the current one, also an older one again; the current one stays as it is."""
    row = require_table(store, version)
    if row["published_at"] is None or current_version(store) != version:
        published = pl.DataFrame([row | {"published_at": now()}], schema=ROUTING_TABLES.schema)
        store.upsert((ROUTING_TABLES, published))


def current_version(store: Store) -> int:
    """Return the version published last.

    Raises
    ------
    NotReadyError
        If none was published.
    """
    published = store.read(ROUTING_TABLES).filter(pl.col("published_at").is_not_null())
    if published.is_empty():
        raise NotReadyError(
            "No routing table is published. Run `promptshed table build --publish` first."
        )
    return int(published.sort("published_at")["table_version"][-1])


def load_model(store: Store, version: int | None = None) -> tuple[dict[str, object], RoutingModel]:
    """Return a table's row and the routing model; without a version, the current one."""
    wanted = current_version(store) if version is None else version
    row = require_table(store, wanted)
    buckets = store.read(BUCKETS, table_version=wanted)
    entries = store.read(TABLE_ENTRIES, table_version=wanted)
    packed = store.read(ROUTERS, table_version=wanted)["packed"]
    router = None if packed.is_empty() else from_bytes(packed[0])
    return row, routing_model(row, buckets, entries, router)


def require_table(store: Store, version: int) -> dict[str, object]:
    """Return a table's row.

    Raises
    ------
    UsageError
        If there is no such version.
    """
    meta = store.read(ROUTING_TABLES, table_version=version)
    if meta.is_empty():
        raise UsageError(f"There is no table {version}. See `promptshed table list`.")
    return meta.row(0, named=True)


def _candidates(outcomes: Outcomes, policy: Policy) -> Outcomes:
    named = {*policy.model_ids, *filter(None, [policy.reference_model_id])}
    unknown = sorted(named - set(outcomes.model_ids))
    if unknown:
        known = ", ".join(outcomes.model_ids)
        raise UsageError(f"There is no model {unknown[0]!r}. Known: {known}.")
    return outcomes.columns(policy.model_ids) if policy.model_ids else outcomes


def _safe_choice(outcomes: Outcomes, policy: Policy) -> int:
    """Return the column of the reference model, whose cost is known if costs are to count."""
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
