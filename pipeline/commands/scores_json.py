"""Scores of `promptshed evaluate` as JSON, in the shape the README documents."""

from dataclasses import asdict

from pipeline.bootstrap import Interval
from pipeline.flows.evaluation import HoldoutScore, PairOption
from pipeline.flows.logs import LogScore
from pipeline.onboarding import OnboardingPoint
from pipeline.scores import Evaluation, PairScore, RouterScore


def evaluation_json(evaluation: Evaluation, pair: PairOption | None = None) -> dict[str, object]:
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
        "zero_router": {
            "aiq": evaluation.zero_router_aiq,
            "aiq_log_cost": evaluation.zero_router_log_aiq,
        },
        "labelling_usd": evaluation.labelling_usd,
        "pair": None if pair is None else asdict(pair),
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
            "regret": score.parity_regret,
            "regret_matrix": [asdict(cell) for cell in score.parity_regret_cells],
        },
        "aiq_log_cost": score.log_aiq,
        "regret": score.regret,
        "at_quality": {
            f"{share:.0%}": {
                "delta_points": _interval_json(kept.delta_points),
                "cost_ratio": _interval_json(kept.cost_ratio),
                "cost_ratio_frontier": kept.cost_ratio_frontier,
            }
            for share, kept in score.kept.items()
        },
        "break_even_prompts": _interval_json(score.break_even_prompts),
        "versus_first": {
            "delta_points": _interval_json(score.versus.delta_points),
            "at_parity": {
                "delta_points": _interval_json(score.versus.parity_delta_points),
                "cost_ratio": _interval_json(score.versus.parity_cost_ratio),
            },
        },
        "pair": None if score.pair is None else _pair_json(score.pair),
    }


def _pair_json(score: PairScore) -> dict[str, object]:
    return {
        "apgr": _interval_json(score.placement.apgr),
        "cpt50": _interval_json(score.placement.cpt50),
        "cpt80": _interval_json(score.placement.cpt80),
        "at_target": {
            "calls": score.calls,
            "gap_closed": score.gap_closed,
            "cost_usd": score.cost_usd,
        },
    }


def _interval_json(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "lo": interval.lo, "hi": interval.hi}


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
                "versus_first": {
                    "delta_points": _interval_json(row.versus_points),
                    "cost_ratio": _interval_json(row.versus_cost_ratio),
                },
            }
            for row in score.scores
        ],
    }


def logs_json(score: LogScore) -> dict[str, object]:
    """Return the value of routers on logged calls."""
    return {
        "n_outcomes": score.n_outcomes,
        "n_explored": score.n_explored,
        "n_seeds": score.n_seeds,
        "logged_quality": _interval_json(score.logged),
        "routers": [
            {
                "router": value.router,
                "ips": _interval_json(value.ips),
                "snips": _interval_json(value.snips),
                "doubly_robust": _interval_json(value.doubly_robust),
                "n_effective": value.n_effective,
                "overlap": value.overlap,
            }
            for value in score.routers
        ],
    }


def onboarding_json(model_id: str, points: tuple[OnboardingPoint, ...]) -> dict[str, object]:
    """Return the onboarding curve of a model."""
    return {
        "model": model_id,
        "points": [
            {
                "share": point.share,
                "n_labelled": point.n_labelled,
                "quality": point.quality,
                "gain_points": _interval_json(point.gain_points),
                "share_of_gain": _interval_json(point.share_of_gain),
                "calls": point.calls,
            }
            for point in points
        ],
    }
