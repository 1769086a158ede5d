"""Routing tables: what to use in each bucket, and why; and the model that applies them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.assign import Assigner, Assignment, assign
from pipeline.axes.rules import RuleSet, read_rules
from pipeline.estimators.base import Estimates, FittedEstimator, Prompts
from pipeline.explore import Drawn
from pipeline.route import best_columns, next_best
from pipeline.terms import Limits, Terms, Weighed, weigh
from profiles.interval import Z_95, beta_interval
from profiles.profile import UNASSIGNED
from profiles.tables import RECEIPT

N_FALLBACKS = 3
_MOSTLY = 0.5  # share of a prompt's domains that must have outcomes of the model
_PLAIN = frozenset(RECEIPT) - {"reason", "fallbacks"}
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RoutingModel:
    """Everything a decision needs: plain arrays, no database and no model library."""

    table_version: int
    model_ids: tuple[str, ...]
    terms: Terms
    domain_ids: tuple[str, ...]
    """One for each domain; the `unassigned` bucket follows them."""
    names: tuple[str, ...]
    """One for each bucket."""
    assigner: Assigner
    quality: NDArray[np.float64]
    """Shape (n_buckets, n_models), in [0, 1]."""
    cost_usd: NDArray[np.float64]
    """Shape (n_buckets, n_models); NaN is unknown."""
    latency_s: NDArray[np.float64]
    """Shape (n_buckets, n_models); NaN is unknown."""
    advantage_sd: NDArray[np.float64]
    """Shape (n_buckets, n_models): standard error of the advantage over the reference model."""
    n_outcomes: NDArray[np.float64]
    """Shape (n_buckets, n_models): effective number of outcomes behind the quality."""
    router: FittedEstimator | None = None
    """Estimates quality and cost prompt by prompt; None: the buckets do."""
    rules: RuleSet | None = None
    """Which models prompts of some kind may go to."""

    def estimate(
        self, texts: Sequence[str], vectors: NDArray[np.float32], assignment: Assignment
    ) -> Estimates:
        """Estimate with the router, or by the table where there is none."""
        if self.router is None:
            return self.estimate_by_table(assignment)
        prompts = Prompts(texts=tuple(texts), vectors=vectors, memberships=assignment.memberships)
        return _columns(self.router.estimate(prompts), self.model_ids)

    def estimate_by_table(self, assignment: Assignment) -> Estimates:
        """Mix the buckets by membership."""
        return Estimates(
            model_ids=self.model_ids,
            quality=assignment.memberships @ self.quality,
            cost_usd=assignment.memberships @ self.cost_usd,
            standard_error=assignment.memberships @ self.advantage_sd,
        )

    def judge(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> "Judged":
        """Say what every model is worth on every prompt; router and rules read its text."""
        assignment = assign(vectors, self.assigner)
        estimates = self.estimate(texts, vectors, assignment)
        latency_s = assignment.memberships @ self.latency_s
        masks = self.rules and self.rules.masks(texts, self.model_ids, latency_s)
        weighed = weigh(
            estimates,
            assignment.memberships,
            latency_s,
            self.terms,
            allowed=masks.allowed if masks else None,
        )
        return Judged(
            assignment=assignment,
            estimates=estimates,
            weighed=weighed,
            rules=["; ".join(masks.reasons(row)) for row in range(len(vectors))] if masks else None,
        )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is known of some prompts before a model is chosen."""

    assignment: Assignment
    estimates: Estimates
    weighed: Weighed
    rules: list[str] | None = None
    """For each prompt the rules it fell under, empty if none; None where there are no rules."""

    def best(self) -> NDArray[np.int64]:
        """Return the column of the best value for each prompt, shape (n,)."""
        return best_columns(self.weighed.utility, self.estimates.cost_usd)


def decide(texts: Sequence[str], vectors: NDArray[np.float32], model: RoutingModel) -> pl.DataFrame:
    """Route prompts; returns one RECEIPT row for each, in order.

    Parameters
    ----------
    texts
        Length n; read by the router and by rules, not where the table alone decides.
    vectors
        Shape (n, n_dims), unit rows.
    """
    judged = model.judge(texts, vectors)
    return receipts(judged, judged.best(), model)


def receipts(
    judged: Judged, chosen: NDArray[np.int64], model: RoutingModel, drawn: Drawn | None = None
) -> pl.DataFrame:
    """Return one RECEIPT row for each prompt, in order.

    Parameters
    ----------
    chosen
        Shape (n,): columns. Where one is not of the best value, a limit on the file moved it, or
        a lot.
    drawn
        The lots, where there were any.
    """
    estimates, assignment = judged.estimates, judged.assignment
    rows, reference = np.arange(len(chosen)), model.terms.reference
    ids = np.array([*model.model_ids, None], dtype=object)  # column −1 is no model
    quality = estimates.quality[rows, chosen]
    others = _others(judged, chosen)
    lo, hi = quality_interval(judged, chosen, model)
    frame = pl.DataFrame(
        {
            "model": ids[chosen],
            "domain": np.array(model.names, dtype=object)[assignment.buckets],
            "confidence": assignment.confidence,
            "expected_quality": np.clip(quality, 0.0, 1.0),
            "quality_lo": lo,
            "quality_hi": hi,
            "expected_cost_usd": estimates.cost_usd[rows, chosen],
            "fallback": ids[np.where(others[0] >= 0, others[0], chosen)],
            "propensity": drawn.propensity if drawn else 1.0,
            "table_version": model.table_version,
            "gain": 100.0 * (quality - estimates.quality[:, reference]),
            "fell_back": judged.weighed.fell_back,
            "is_locked": judged.weighed.is_locked,
            "best": ids[judged.best()],
            "explored": drawn.explored if drawn else False,
            "rules": judged.rules or [""] * len(chosen),
            **{f"other{place}": ids[columns].tolist() for place, columns in enumerate(others)},
        },
        schema_overrides={name: kind for name, kind in RECEIPT.items() if name in _PLAIN}
        | {"gain": pl.Float64}
        | dict.fromkeys(("fell_back", "is_locked", "explored"), pl.Boolean)
        | dict.fromkeys(["best", *(f"other{place}" for place in range(N_FALLBACKS))], pl.String),
    )
    chain = pl.concat_list(pl.col("^other\\d$")).list.drop_nulls()
    reason = _reasons(model.model_ids[reference], model.names[-1])
    return (
        frame.with_columns(reason=reason, fallbacks=chain)
        .with_columns(pl.selectors.float().fill_nan(None))
        .select(list(RECEIPT))
        .cast(dict(RECEIPT))  # pyright: ignore[reportArgumentType]
    )


def quality_interval(
    judged: Judged, chosen: NDArray[np.int64], model: RoutingModel
) -> tuple[Floats, Floats]:
    """Return a 95 % interval for the mean quality of the chosen models on such prompts.

    It speaks of how few outcomes there are, not of how much answers to one prompt vary.

    Returns
    -------
    NDArray, NDArray
        Shape (n,), in [0, 1]; NaN where the model has no outcomes in the prompt's domains.
    """
    rows = np.arange(len(chosen))
    shares = judged.assignment.memberships
    # the variance of a mix of independent means: Σ p² / n, with one outcome at least for a trace
    variance = (shares**2) @ (1.0 / np.maximum(model.n_outcomes, 1.0))
    has_some = (shares @ (model.n_outcomes >= 1.0))[rows, chosen] >= _MOSTLY
    quality = np.where(has_some, judged.estimates.quality[rows, chosen], np.nan)
    return beta_interval(np.clip(quality, 0.0, 1.0), 1.0 / variance[rows, chosen])


def _others(judged: Judged, chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return whom to try if the chosen model fails: columns, best first, −1 where there is none."""
    taken = chosen[:, None]
    for _ in range(N_FALLBACKS):
        following = next_best(judged.weighed.unlocked, judged.estimates.cost_usd, taken)
        taken = np.column_stack([taken, following])
    return list(taken[:, 1:].T)


def _columns(estimates: Estimates, model_ids: tuple[str, ...]) -> Estimates:
    """Return the estimates of some models: one without a usable cell is not in the table."""
    if estimates.model_ids == model_ids:
        return estimates
    index = [estimates.model_ids.index(model_id) for model_id in model_ids]
    return Estimates(
        model_ids=model_ids,
        quality=estimates.quality[:, index],
        cost_usd=estimates.cost_usd[:, index],
        standard_error=estimates.standard_error[:, index],
    )


def _reasons(reference_id: str, unassigned: str) -> pl.Expr:
    share = (pl.col("confidence") * 100).round(0).cast(pl.Int64).cast(pl.String)
    where = (
        pl.when(pl.col("domain") == unassigned)
        .then(pl.lit("unlike every approved domain; "))
        .otherwise(pl.concat_str(pl.col("domain"), pl.lit(" ("), share, pl.lit(" %); ")))
    )
    points = pl.col("gain").round(1).cast(pl.String)
    why = (
        pl.when(pl.col("is_locked"))
        .then(pl.lit("locked to this model"))
        .when(pl.col("fell_back"))
        .then(pl.lit("the fallback, as no model keeps the limits here"))
        .when(pl.col("explored"))
        .then(pl.concat_str(pl.lit("drawn at random to learn from, in place of "), pl.col("best")))
        .when(pl.col("model") != pl.col("best"))
        .then(
            pl.concat_str(pl.lit("money or places are worth more elsewhere than "), pl.col("best"))
        )
        .when(pl.col("model") == reference_id)
        .then(pl.lit("the safe choice is worth its cost here"))
        .otherwise(
            pl.concat_str(
                pl.lit("expected "), points, pl.lit(f" points against {reference_id}, better value")
            )
        )
    )
    rules = pl.when(pl.col("rules") == "").then(pl.lit(""))
    return pl.concat_str(where, why, rules.otherwise(pl.format("; rule {}", "rules")))


def buckets_frame(
    domains: pl.DataFrame,
    assigner: Assigner,
    *,
    n_unassigned: int,
    z: NDArray[np.float64],
    locks: Sequence[str | None],
) -> pl.DataFrame:
    """Return the BUCKETS table without its version: the domains in row order, then `unassigned`.

    Parameters
    ----------
    domains
        Columns domain_id, name and n_prompts, in the row order of `assigner`.
    n_unassigned
        Training prompts that were refused when held out.
    z
        Shape (n_domains + 1,), as in `Terms`.
    locks
        Length n_domains + 1: the model that a bucket is locked to, or None.
    """
    known = pl.DataFrame(
        {
            "domain_id": domains["domain_id"],
            "name": domains["name"],
            "n_prompts": domains["n_prompts"],
            "prototype": assigner.prototypes.tolist(),
            "radius": assigner.radii.astype(np.float64),
            "weights": assigner.weights.tolist(),
            "intercept": assigner.intercepts.astype(np.float64),
        }
    )
    rest = pl.DataFrame(
        {
            "domain_id": [UNASSIGNED],
            "name": [UNASSIGNED],
            "n_prompts": [n_unassigned],
            "prototype": [[]],
            "radius": [None],
            "weights": [[]],
            "intercept": [None],
        },
        schema=known.schema,
    )
    return (
        pl.concat([known, rest])
        .with_row_index("bucket")
        .with_columns(z=z, lock=pl.Series(locks, dtype=pl.String))
    )


def routing_model(
    meta: dict[str, object],
    buckets: pl.DataFrame,
    entries: pl.DataFrame,
    router: FittedEstimator | None = None,
) -> RoutingModel:
    """Rebuild the routing model from its tables (rows of one table version)."""
    model_ids = tuple(entries["model_id"].unique().sort())
    domains = buckets.filter(pl.col("domain_id") != UNASSIGNED).sort("bucket")
    n_buckets = buckets.height

    def matrix(column: str) -> NDArray[np.float64]:
        filled = np.full((n_buckets, len(model_ids)), np.nan)
        place = [model_ids.index(model_id) for model_id in entries["model_id"]]
        filled[entries["bucket"].to_numpy(), place] = (
            entries[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        )
        return filled

    policy = json.loads(str(meta["policy"]))
    surcharges = dict(entries.select("model_id", "surcharge").iter_rows())
    terms = Terms(
        reference=model_ids.index(str(meta["reference_model_id"])),
        quality_value_usd=float(meta["quality_value_usd"]),  # pyright: ignore[reportArgumentType]
        z=buckets.sort("bucket")["z"].to_numpy(),
        surcharge=np.array([surcharges[model_id] for model_id in model_ids]),
        limits=Limits(
            min_quality=policy["min_quality"],
            max_latency_s=policy["max_latency_s"],
            fallback=tuple(model_ids.index(model_id) for model_id in policy["fallback"]),
        ),
        locks=np.array(
            [-1 if m is None else model_ids.index(m) for m in buckets.sort("bucket")["lock"]]
        ),
    )
    return RoutingModel(
        table_version=int(meta["table_version"]),  # pyright: ignore[reportArgumentType]
        model_ids=model_ids,
        terms=terms,
        domain_ids=tuple(domains["domain_id"]),
        names=tuple(buckets.sort("bucket")["name"]),
        assigner=Assigner(
            weights=np.array(domains["weights"].to_list(), dtype=np.float32),
            intercepts=domains["intercept"].to_numpy().astype(np.float32),
            temperature=float(meta["temperature"]),  # pyright: ignore[reportArgumentType]
            prototypes=np.array(domains["prototype"].to_list(), dtype=np.float32),
            radii=domains["radius"].to_numpy().astype(np.float32),
        ),
        quality=matrix("quality"),
        cost_usd=matrix("cost_usd"),
        latency_s=matrix("latency_s"),
        advantage_sd=(matrix("advantage_hi") - matrix("advantage_lo")) / (2.0 * Z_95),
        n_outcomes=np.nan_to_num(matrix("n")),
        router=router,
        rules=read_rules(str(meta["rules"])) if meta["rules"] else None,
    )


def table_diff(
    before: tuple[pl.DataFrame, pl.DataFrame], after: tuple[pl.DataFrame, pl.DataFrame]
) -> pl.DataFrame:
    """Compare the first choices of two versions, each given as (buckets, entries).

    Returns
    -------
    DataFrame
        One row for each bucket of either: domain_id, name, model_before and model_after (null
        where the bucket is absent), and `change`: same, changed, added or removed.
    """
    old, new = (first_choices(*pair) for pair in (before, after))
    joined = old.join(new, on="domain_id", how="full", coalesce=True, suffix="_after").rename(
        {"model_id": "model_before", "model_id_after": "model_after"}
    )
    change = (
        pl.when(pl.col("model_before").is_null())
        .then(pl.lit("added"))
        .when(pl.col("model_after").is_null())
        .then(pl.lit("removed"))
        .when(pl.col("model_before") == pl.col("model_after"))
        .then(pl.lit("same"))
        .otherwise(pl.lit("changed"))
    )
    return joined.select(
        "domain_id",
        name=pl.coalesce("name_after", "name"),
        model_before="model_before",
        model_after="model_after",
        change=change,
    ).sort("domain_id")


def first_choices(buckets: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Return domain_id, name and the chosen model_id of each bucket."""
    first = entries.filter(pl.col("rank") == 1).select("bucket", "model_id")
    return buckets.join(first, on="bucket").select("domain_id", "name", "model_id")
