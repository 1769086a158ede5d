"""Controls of a policy and what it would do, by a table's study: nothing is fitted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import streamlit as st

from pages.ui import format as text
from pipeline.config import Policy
from pipeline.expected import Expectation, expect
from pipeline.frontier import quality_values
from pipeline.study import Settled, Study, curve, settle
from profiles.errors import PromptshedError

KEEP, PAY = "Keep quality", "Price quality"
_AUTOMATIC = "chosen for me"
_GUARDS = (_AUTOMATIC, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_PRICE_STEPS = 41
_MOST_LOCK_ROWS = 24
_WIDER = 10.0  # the outer tenths of what is swept change no choice


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """A policy that someone plays with, and what it would do."""

    policy: Policy
    study: Study
    """With the candidates only."""
    settled: Settled
    expectation: Expectation | None
    """None where no outcome tells."""
    curve: pl.DataFrame


def controls(study: Study, start: Policy) -> Policy:
    """Let a policy be made; it starts as the one given, whose other settings stay."""
    sides = st.grid(2, min_column_width=360, gap="large")
    with sides.cell():
        policy = _goal(study, start)
        policy = _proof(_caution(policy, start))
    with sides.cell():
        policy = _models(study, _limits(study, policy))
    return _locks(study, policy)


def work_out(study: Study, policy: Policy) -> WhatIf | None:
    """Settle a policy; a limit that cannot be kept is shown instead, with the nearest one."""
    kept = tuple(model_id for model_id in study.eligible if model_id not in policy.deny)
    try:
        candidates = study.columns(kept)
        settled = settle(candidates, policy)
        points = curve(candidates, settled, policy)
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        return None
    reference_id = candidates.model_ids[candidates.reference]
    return WhatIf(
        policy=policy,
        study=candidates,
        settled=settled,
        expectation=expect(settled.held_out, reference_model_id=reference_id),
        curve=points,
    )


def _goal(study: Study, start: Policy) -> Policy:
    has_costs = len(quality_values(study.outcomes)) > 1
    goal = st.segmented_control(
        "What to aim for",
        (KEEP, PAY),
        default=KEEP if start.quality_value_usd is None else PAY,
        required=True,
        key="goal",
        help="Keep a share of the safe choice's quality at the lowest cost, or say what a point "
        "of quality (one hundredth) on one prompt may cost.",
    )
    if goal == PAY:
        steps = prices(study, start.quality_value_usd) if has_costs else [np.inf]
        value = st.select_slider(
            "One more point of quality on one prompt is worth",
            steps,
            value=_nearest(steps, start.quality_value_usd),
            format_func=lambda value: text.dollars(value / 100),
            key="price",
            help="Further right, quality counts more and cost less. At the very right quality "
            "alone counts.",
        )
        return replace(start, quality_value_usd=float(value))
    percent = st.slider(
        "Share of the safe choice's quality to keep, %",
        80.0,
        100.0,
        100.0 * min(max(start.keep_quality, 0.8), 1.0),
        step=0.5,
        format="%.1f",
        key="keep",
        help="The safe choice is the best single model unless the table names another.",
    )
    return replace(start, quality_value_usd=None, keep_quality=round(percent / 100, 4))


def _caution(policy: Policy, start: Policy) -> Policy:
    options = sorted({*_GUARDS[1:], *([start.loss_ratio] if start.loss_ratio else [])})
    guard = st.select_slider(
        "A bad switch is worse than a good one is good, times",
        (_AUTOMATIC, *options),
        value=start.loss_ratio or _AUTOMATIC,
        format_func=lambda ratio: ratio if isinstance(ratio, str) else f"{ratio:g}",
        key="guard",
        help="The higher, the surer an advantage must be before a prompt leaves the safe choice.",
    )
    return replace(policy, loss_ratio=guard if isinstance(guard, int | float) else None)


def _proof(policy: Policy) -> Policy:
    points = st.number_input(
        "Certify that at most so many points are lost (empty: no certificate)",
        min_value=0.1,
        max_value=20.0,
        value=None if policy.max_loss is None else 100 * policy.max_loss,
        step=0.1,
        key="max-loss",
        help="Against the safe choice, with 95 % confidence. The draft keeps 30 % of the prompts "
        "out of everything to prove it, and takes the cheapest trade-off that is proved; the "
        "figures below do not know it yet.",
    )
    return replace(policy, max_loss=None if points is None else round(points / 100, 5))


def _limits(study: Study, policy: Policy) -> Policy:
    floor = st.slider(
        "Least expected quality (0: no floor)",
        0.0,
        1.0,
        policy.min_quality or 0.0,
        step=0.01,
        key="floor",
        help="No prompt goes to a model that is expected to do worse than this on it.",
    )
    known = study.latency_s[np.isfinite(study.latency_s)]
    cap = policy.max_latency_s
    if len(known):
        longest = float(np.ceil(10 * known.max()) / 10)
        wanted = st.slider(
            f"Longest expected latency, s ({longest:g}: no limit)",
            0.0,
            longest,
            min(cap or longest, longest),
            step=0.1,
            key="latency",
        )
        cap = None if wanted >= longest else wanted or None
    else:
        st.caption("Latency cannot be limited: no latency was imported.")
    return replace(policy, min_quality=floor or None, max_latency_s=cap)


def _models(study: Study, policy: Policy) -> Policy:
    reference_id = study.model_ids[study.reference]
    shares = dict(policy.max_share)
    given = pl.DataFrame(
        [
            (model_id, model_id not in policy.deny, _percent(shares.get(model_id)))
            for model_id in study.eligible
        ],
        schema={"Model": pl.String, "Use": pl.Boolean, "At most, %": pl.Float64},
        orient="row",
    )
    st.caption(
        "Models that may be used, and the largest share of prompts each may get",
        help="The safe choice cannot be left out here, since every advantage is measured against "
        "it: build with `--reference` to name another one.",
    )
    edited = st.data_editor(
        given,
        hide_index=True,
        disabled=["Model"],
        key="models-on",
        placeholder="no limit",
        alt="Models that may be used",
        column_config={
            "At most, %": st.column_config.NumberColumn(min_value=0.0, max_value=100.0, step=1.0)
        },
    )
    rows = [
        row for row in edited.iter_rows(named=True) if row["Use"] or row["Model"] == reference_id
    ]
    used = {row["Model"] for row in rows}
    limited = {row["Model"]: row["At most, %"] for row in rows if row["At most, %"] is not None}
    return replace(
        policy,
        deny=tuple(model_id for model_id in study.eligible if model_id not in used),
        max_share=tuple(sorted((m, round(part / 100, 4)) for m, part in limited.items())),
    )


def _locks(study: Study, policy: Policy) -> Policy:
    """Let domains be sent to one model each, whatever the estimates and limits say."""
    domains = dict(zip(study.domain_ids[:-1], study.names[:-1], strict=True))
    given = {_id_of(name, domains): model_id for name, model_id in policy.locks}
    with st.expander(f"Locks ({len(given)} in the published table)", icon=":material/lock:"):
        edited = st.data_editor(
            pl.DataFrame(
                [(name, given.get(domain_id)) for domain_id, name in domains.items()],
                schema={"Domain": pl.String, "Always goes to": pl.String},
                orient="row",
            ),
            hide_index=True,
            disabled=["Domain"],
            key="locks",
            placeholder="not locked",
            height="content" if len(domains) <= _MOST_LOCK_ROWS else "auto",
            alt="Domains that are locked to a model",
            column_config={
                "Domain": st.column_config.TextColumn(width="large"),
                "Always goes to": st.column_config.SelectboxColumn(
                    options=list(study.eligible), width="medium"
                ),
            },
        )
        st.caption("Every prompt of a locked domain goes to that model; the others are as before.")
    names = list(domains.values())
    called = [n if names.count(n) == 1 and "=" not in n else i for i, n in domains.items()]
    locked = zip(called, edited["Always goes to"], strict=True)
    return replace(policy, locks=tuple(sorted((d, m) for d, m in locked if m is not None)))


def _id_of(name: str, domains: Mapping[str, str]) -> str:
    """Return the id of a domain that a policy names by its name or its id."""
    return next((domain_id for domain_id, called in domains.items() if name == called), name)


def prices(study: Study, used: float | None) -> list[float]:
    """Return values of quality to choose from, rising, the one in use among them."""
    values = quality_values(study.outcomes)
    inner = values[np.isfinite(values) & (values > 0)]
    steps = np.geomspace(_WIDER * inner.min(), inner.max() / _WIDER, _PRICE_STEPS)
    rounded = {float(f"{value:.2g}") for value in steps}
    return sorted(rounded | ({used} if used is not None else set()) | {np.inf})


def _nearest(prices: list[float], value: float | None) -> float:
    if value is None:
        return prices[len(prices) // 2]
    return min(prices, key=lambda price: abs(price - value) if price != value else -1.0)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)
