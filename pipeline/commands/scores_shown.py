"""Scores of `promptshed evaluate` as tables."""

import math

from pipeline.bootstrap import Interval
from pipeline.commands.shared import print_table, say
from pipeline.flows.evaluation import HoldoutScore
from pipeline.flows.logs import LogScore
from pipeline.off_policy import LEAST_EFFECTIVE
from pipeline.onboarding import OnboardingPoint
from pipeline.scores import Evaluation, RouterScore


def print_evaluation(evaluation: Evaluation) -> None:
    """Print one line for each router."""
    say(
        f"{evaluation.n_prompts:,} prompts, {len(evaluation.model_ids)} models, "
        f"{evaluation.n_seeds} splits; scored on held-out prompts. Best single: "
        f"{evaluation.best_single} (quality {evaluation.best_single_quality:.4f}"
        f"{_dollars(evaluation.best_single_cost_usd)})."
    )
    header = [
        "router", "points over best single", "AIQ", "gap closed", "cost ratio", "points at it",
        f"points over {evaluation.routers[0].router}",
    ]  # fmt: skip
    print_table(header, [_router_cells(score) for score in evaluation.routers])
    _print_pair(evaluation)
    say(
        f"Zero router AIQ {evaluation.zero_router_aiq:.4f}, oracle {evaluation.oracle_quality:.4f}."
    )
    _say_break_even(evaluation.routers[0])


def _print_pair(evaluation: Evaluation) -> None:
    pairs = [(score.router, score.pair) for score in evaluation.routers if score.pair]
    if pairs:
        print_table(
            ["router", "APGR", "CPT(50)", "CPT(80)", "calls at target", "gap closed", "$ / 1,000"],
            [
                (
                    name,
                    shown(pair.placement.apgr, "{:.3f}"),
                    shown(pair.placement.cpt50, "{:.1%}"),
                    shown(pair.placement.cpt80, "{:.1%}"),
                    f"{pair.calls:.1%}",
                    known(pair.gap_closed, "{:.1%}"),
                    known(1000 * pair.cost_usd, "{:.3f}"),
                )
                for name, pair in pairs
            ],
        )


def _say_break_even(score: RouterScore) -> None:
    prompts = score.break_even_prompts
    if math.isfinite(prompts.mean):
        most = f"{prompts.hi:,.0f}" if math.isfinite(prompts.hi) else "never"
        say(
            f"The outcomes {score.router} was fitted on cost as much as it saves on "
            f"{prompts.mean:,.0f} [{prompts.lo:,.0f}, {most}] routed prompts."
        )


def _router_cells(score: RouterScore) -> tuple[str | None, ...]:
    return (
        score.router,
        shown(score.delta_points, "{:+.2f}"),
        known(score.aiq, "{:.4f}"),
        known(score.gap_closed, "{:.1%}"),
        shown(score.cost_ratio, "{:.3f}"),
        shown(score.parity_delta_points, "{:+.2f}"),
        shown(score.versus.delta_points, "{:+.2f}"),
    )


def _dollars(cost_usd: float) -> str:
    return "" if math.isnan(cost_usd) else f", ${1000 * cost_usd:.4f} for 1,000 prompts"


def shown(interval: Interval, form: str) -> str | None:
    """Return `mean [lo, hi]`, or None where it is unknown."""
    if math.isnan(interval.mean):
        return None
    mean, lo, hi = (form.format(value) for value in (interval.mean, interval.lo, interval.hi))
    return mean if interval.lo == interval.hi else f"{mean} [{lo}, {hi}]"


def known(value: float, form: str) -> str | None:
    """Return the number, or None where it is unknown."""
    return None if math.isnan(value) else form.format(value)


def print_holdout(score: HoldoutScore) -> None:
    """Print one line for each way of choosing."""
    print_table(
        [
            "",
            "quality",
            "$ / 1,000 prompts",
            "of best single's quality",
            "points, 95 %",
            "cost, 95 %",
        ],
        [
            (
                row.name,
                f"{row.quality:.4f}",
                known(1000 * row.cost_usd, "{:.3f}"),
                f"{row.quality_share:.1%}",
                shown(row.delta_points, "{:+.2f}"),
                shown(row.cost_ratio, "{:.1%}"),
            )
            for row in score.scores
        ],
    )
    skipped = f" {score.n_skipped:,} prompts skipped." if score.n_skipped else ""
    say(
        f"{score.n_prompts:,} held-out prompts; best single is {score.reference_model_id}, "
        f"chosen on the training prompts.{skipped}"
    )


def say_versus(score: HoldoutScore) -> None:
    """Tell each further table's difference to the first."""
    first, *others = score.tables
    for row in score.scores:
        if row.name in others:
            say(
                f"{row.name} against {first}: {shown(row.versus_points, '{:+.2f}')} points at "
                f"{shown(row.versus_cost_ratio, '{:.1%}') or 'an unknown share'} of its cost."
            )


def print_logs(score: LogScore) -> None:
    """Print one line for each router."""
    say(
        f"{score.n_explored:,} of {score.n_outcomes:,} outcomes were drawn with a known chance; "
        f"what the log chose there has quality {shown(score.logged, '{:.4f}')}."
    )
    print_table(
        ["router", "doubly robust", "SNIPS", "IPS", "effective n", "overlap"],
        [
            (
                value.router,
                shown(value.doubly_robust, "{:.4f}"),
                shown(value.snips, "{:.4f}"),
                shown(value.ips, "{:.4f}"),
                f"{value.n_effective:.0f}",
                f"{value.overlap:.1%}",
            )
            for value in score.routers
        ],
    )
    if any(value.n_effective < LEAST_EFFECTIVE for value in score.routers):
        say(
            f"– : too little overlap to know. An effective sample size of {LEAST_EFFECTIVE:.0f} is "
            "needed; let a larger share of the traffic go to models drawn at random."
        )


def print_onboarding(points: tuple[OnboardingPoint, ...]) -> None:
    """Print one line for each number of labels."""
    print_table(
        ["labelled", "prompts", "quality", "points gained", "of the full gain", "calls"],
        [
            (
                f"{point.share:.0%}",
                f"{point.n_labelled:,.0f}",
                f"{point.quality:.4f}",
                shown(point.gain_points, "{:+.2f}"),
                shown(point.share_of_gain, "{:.0%}"),
                f"{point.calls:.1%}",
            )
            for point in points
        ],
    )
