"""`promptshed evaluate`."""

import math

import click

from pipeline.bootstrap import Interval
from pipeline.commands.shared import (
    encoder_option,
    json_option,
    print_json,
    print_table,
    recorded_job,
    say,
    store_option,
)
from pipeline.encoders import load_encoder
from pipeline.evaluate import Evaluation, RouterScore
from pipeline.flows.evaluation import HoldoutScore, evaluate_store, score_holdout
from pipeline.flows.tables import current_version
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import UsageError

_GATE_FAILED = 4
_BASELINES = ("best_single", "cheapest", "random")
"""What routers are compared with; they pass no gate."""


@click.command("evaluate")
@store_option
@encoder_option
@click.option("--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--holdout", help="Score the current table on a file that was never imported.")
@click.option(
    "--fail-under",
    metavar="METRIC=VALUE",
    help="Exit with 4 unless the best router's delta_points, aiq or gap_closed reaches the value.",
)
@json_option
@recorded_job()
def evaluate_command(
    store: Store,
    encoder_name: str,
    n_seeds: int,
    holdout: str | None,
    fail_under: str | None,
    *,
    as_json: bool,
) -> int:
    """Compare every router on prompts it was not fitted on."""
    encoder = load_encoder(encoder_name)
    if holdout:
        score = score_holdout(
            store, encoder, read_file(holdout), {"our table": current_version(store)}
        )
        if as_json:
            print_json(holdout_json(score))
        else:
            print_holdout(score)
        return 0
    evaluation, left_out = evaluate_store(store, encoder, n_seeds=n_seeds)
    for model_id, reason in left_out.items():
        say(f"Left out: {model_id} ({reason}).")
    if as_json:
        print_json(evaluation_json(evaluation))
    else:
        _print_evaluation(evaluation)
    return 0 if fail_under is None or _passes(evaluation, fail_under) else _GATE_FAILED


def evaluation_json(evaluation: Evaluation) -> dict[str, object]:
    """Return the evaluation in the shape the README documents."""
    return {
        "n_prompts": evaluation.n_prompts,
        "n_models": len(evaluation.model_ids),
        "n_seeds": evaluation.n_seeds,
        "best_single": {
            "model": evaluation.best_single,
            "quality": evaluation.best_single_quality,
            "cost_usd": evaluation.best_single_cost_usd,
        },
        "oracle": {
            "quality": evaluation.oracle_quality,
            "cost_usd": evaluation.oracle_cost_usd,
        },
        "routers": [_router_json(score) for score in evaluation.routers],
        "zero_router": {"aiq": evaluation.zero_router_aiq},
    }


def _router_json(score: RouterScore) -> dict[str, object]:
    return {
        "router": score.router,
        "quality": score.quality,
        "cost_usd": score.cost_usd,
        "delta_points": _interval_json(score.delta_points),
        "aiq": score.aiq,
        "cost_ratio": score.cost_ratio.mean,
        "cost_ratio_interval": _interval_json(score.cost_ratio),
        "cost_ratio_frontier": score.cost_ratio_frontier,
        "gap_closed": score.gap_closed,
        "calls": score.calls,
        "at_parity": {
            "quality": score.parity_quality,
            "cost_usd": score.parity_cost_usd,
            "delta_points": _interval_json(score.parity_delta_points),
        },
    }


def _interval_json(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "lo": interval.lo, "hi": interval.hi}


def _print_evaluation(evaluation: Evaluation) -> None:
    say(
        f"{evaluation.n_prompts:,} prompts, {len(evaluation.model_ids)} models, "
        f"{evaluation.n_seeds} splits; scored on held-out prompts. Best single: "
        f"{evaluation.best_single} (quality {evaluation.best_single_quality:.4f}"
        f"{_dollars(evaluation.best_single_cost_usd)})."
    )
    header = [
        "router", "points over best single", "AIQ", "gap closed", "cost ratio", "points at it",
    ]  # fmt: skip
    print_table(header, [_router_cells(score) for score in evaluation.routers])
    say(
        f"Zero router AIQ {evaluation.zero_router_aiq:.4f}, oracle {evaluation.oracle_quality:.4f}."
    )


def _router_cells(score: RouterScore) -> tuple[str | None, ...]:
    return (
        score.router,
        shown(score.delta_points, "{:+.2f}"),
        None if math.isnan(score.aiq) else f"{score.aiq:.4f}",
        None if math.isnan(score.gap_closed) else f"{score.gap_closed:.1%}",
        shown(score.cost_ratio, "{:.3f}"),
        shown(score.parity_delta_points, "{:+.2f}"),
    )


def _dollars(cost_usd: float) -> str:
    return "" if math.isnan(cost_usd) else f", ${1000 * cost_usd:.4f} for 1,000 prompts"


def shown(interval: Interval, form: str) -> str | None:
    """Return `mean [lo, hi]`, or None where it is unknown."""
    if math.isnan(interval.mean):
        return None
    mean, lo, hi = (form.format(value) for value in (interval.mean, interval.lo, interval.hi))
    return mean if interval.lo == interval.hi else f"{mean} [{lo}, {hi}]"


def holdout_json(score: HoldoutScore) -> dict[str, object]:
    """Return the score of tables on a held-out file."""
    return {
        "n_prompts": score.n_prompts,
        "n_skipped": score.n_skipped,
        "reference_model": score.reference_model_id,
        "choices": [
            {
                "name": row.name,
                "quality": row.quality,
                "cost_usd": row.cost_usd,
                "quality_share": row.quality_share,
                "delta_points": _interval_json(row.delta_points),
                "cost_ratio": _interval_json(row.cost_ratio),
                "calls": row.calls,
            }
            for row in score.scores
        ],
    }


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
                None if math.isnan(row.cost_usd) else f"{1000 * row.cost_usd:.3f}",
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


def _passes(evaluation: Evaluation, gate: str) -> bool:
    metric, _, wanted = gate.partition("=")
    readers = {
        "delta_points": lambda score: score.delta_points.mean,
        "aiq": lambda score: score.aiq,
        "gap_closed": lambda score: score.gap_closed,
    }
    try:
        read, least = readers[metric.strip()], float(wanted)
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"--fail-under expects METRIC=VALUE with a metric of {', '.join(readers)}, "
            f"found {gate!r}."
        ) from error
    reached = [read(score) for score in evaluation.routers if score.router not in _BASELINES]
    best = max((value for value in reached if not math.isnan(value)), default=float("-inf"))
    say(f"{metric} {best:.4f}, wanted at least {least:g}.")
    return best >= least
