"""Many splits to one score for each router, with paired bootstrap intervals over prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.bootstrap import UNKNOWN, Interval, bootstrap_intervals
from pipeline.choices import Choice, points_apart, ratio_of
from pipeline.estimators.base import Estimator
from pipeline.evaluate import (
    KEPT_SHARES,
    PairQuestion,
    Split,
    SplitBaselines,
    SplitScore,
    score_split,
)
from pipeline.regret import regret_matrix
from pipeline.scores import Evaluation, KeptScore, PairScore, RouterScore, Versus
from pipeline.strong_weak import score_placement

_UNKNOWN = float("nan")


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Everything that one router's summary is computed from; one entry for each split."""

    model_ids: tuple[str, ...]
    baselines: Sequence[SplitBaselines]
    rows: Sequence[NDArray[np.intp]]
    first: Sequence[SplitScore]
    splits: Sequence[Split]
    question: PairQuestion | None
    n_prompts: int


def evaluate_routers(
    splits: Sequence[Split],
    estimators: Mapping[str, Estimator],
    *,
    n_prompts: int,
    question: PairQuestion | None = None,
) -> Evaluation:
    """Score every router on every split and summarise, with paired bootstrap intervals."""
    scored = [score_split(split, estimators, question=question) for split in splits]
    baselines = [base for base, _ in scored]
    model_ids = splits[0].test_outcomes.model_ids
    picks = np.bincount([base.reference for base in baselines], minlength=len(model_ids))
    names = list(scored[0][1])
    whole = _Scored(
        model_ids=model_ids,
        baselines=baselines,
        rows=[split.test_rows for split in splits],
        first=[scores[names[0]] for _, scores in scored],
        splits=splits,
        question=question,
        n_prompts=n_prompts,
    )
    return Evaluation(
        n_prompts=n_prompts,
        model_ids=model_ids,
        n_seeds=len(splits),
        best_single=model_ids[int(np.argmax(picks))],
        best_single_quality=_mean([base.reference_quality.mean() for base in baselines]),
        best_single_cost_usd=_mean([base.reference_cost_usd.mean() for base in baselines]),
        oracle_quality=_mean([base.oracle.quality.mean() for base in baselines]),
        oracle_cost_usd=_mean([base.oracle.cost_usd.mean() for base in baselines]),
        zero_router_aiq=_mean([base.zero_router_aiq for base in baselines]),
        zero_router_log_aiq=_mean([base.zero_router_log_aiq for base in baselines]),
        labelling_usd=_mean([base.labelling_usd for base in baselines]),
        routers=tuple(
            _summarise(name, [scores[name] for _, scores in scored], whole) for name in names
        ),
    )


def _summarise(name: str, scores: list[SplitScore], whole: _Scored) -> RouterScore:
    first, parity = [s.quality_first for s in scores], [s.kept[1.0] for s in scores]
    oracles = [base.oracle for base in whole.baselines]
    intervals = _intervals(scores, whole)
    kept = _kept(scores, intervals)
    return RouterScore(
        router=name,
        quality=_mean([choice.quality.mean() for choice in first]),
        cost_usd=_mean([choice.cost_usd.mean() for choice in first]),
        delta_points=intervals["points"],
        parity_quality=_mean([choice.quality.mean() for choice in parity]),
        parity_cost_usd=_mean([choice.cost_usd.mean() for choice in parity]),
        parity_delta_points=kept[1.0].delta_points,
        cost_ratio=kept[1.0].cost_ratio,
        cost_ratio_frontier=kept[1.0].cost_ratio_frontier,
        kept=kept,
        break_even_prompts=break_even(
            _mean([base.labelling_usd for base in whole.baselines]), intervals["saved"]
        ),
        versus=_versus(intervals),
        aiq=_mean([score.aiq for score in scores]),
        log_aiq=_mean([score.log_aiq for score in scores]),
        gap_closed=_gap_closed(first, whole.baselines),
        regret=_regret(first, oracles),
        parity_regret=_regret(parity, oracles),
        parity_regret_cells=regret_matrix(parity, oracles, whole.model_ids),
        pair=_pair_score(scores, whole),
        calls=dict(
            zip(whole.model_ids, np.mean([c.shares for c in first], axis=0).tolist(), strict=True)
        ),
    )


def _kept(scores: list[SplitScore], intervals: Mapping[str, Interval]) -> dict[float, KeptScore]:
    return {
        part: KeptScore(
            delta_points=intervals[f"points at {part}"],
            cost_ratio=intervals[f"cost at {part}"],
            cost_ratio_frontier=_mean([score.frontier_ratios[part] for score in scores]),
        )
        for part in KEPT_SHARES
    }


def _versus(intervals: Mapping[str, Interval]) -> Versus:
    return Versus(
        delta_points=intervals["versus points"],
        parity_delta_points=intervals["versus parity points"],
        parity_cost_ratio=intervals["versus parity cost"],
    )


def _intervals(scores: list[SplitScore], whole: _Scored) -> dict[str, Interval]:
    """Bootstrap everything that compares means, in one pass over the resamples."""
    values = [
        np.column_stack(
            [
                base.reference_quality,
                base.reference_cost_usd,
                score.quality_first.quality,
                first.quality_first.quality,
                first.kept[1.0].quality,
                first.kept[1.0].cost_usd,
                *(part for kept in KEPT_SHARES for part in _quality_and_cost(score.kept[kept])),
            ]
        )
        for score, first, base in zip(scores, whole.first, whole.baselines, strict=True)
    ]
    at = 6  # the first column of `kept`, whose parity comes first
    statistics = {
        "points": points_apart(2, 0),
        "versus points": points_apart(2, 3),
        "versus parity points": points_apart(at, 4),
        "versus parity cost": ratio_of(at + 1, 5),
        "saved": lambda means: means[:, 1] - means[:, at + 1],
    }
    for place, part in enumerate(KEPT_SHARES):
        statistics[f"points at {part}"] = points_apart(at + 2 * place, 0)
        statistics[f"cost at {part}"] = ratio_of(at + 2 * place + 1, 1)
    return bootstrap_intervals(
        values, list(whole.rows), statistics=statistics, n_prompts=whole.n_prompts
    )


def break_even(labelling_usd: float, saved_usd: Interval) -> Interval:
    """Return after how many routed prompts a one-off cost is saved.

    Parameters
    ----------
    labelling_usd
        Known cost of all outcomes that were collected.
    saved_usd
        Cost of the best single model minus the router's, for one prompt.

    Returns
    -------
    Interval
        In prompts; NaN where nothing is saved, an infinite `hi` where the saving may be 0.
    """
    if not (labelling_usd >= 0.0 and saved_usd.mean > 0.0):
        return UNKNOWN
    return Interval(
        mean=labelling_usd / saved_usd.mean,
        lo=labelling_usd / saved_usd.hi,
        hi=labelling_usd / saved_usd.lo if saved_usd.lo > 0.0 else float("inf"),
    )


def _quality_and_cost(choice: Choice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return choice.quality, choice.cost_usd


def _gap_closed(choices: list[Choice], baselines: Sequence[SplitBaselines]) -> float:
    return _mean(
        [
            (choice.quality.mean() - base.reference_quality.mean())
            / (base.oracle.quality.mean() - base.reference_quality.mean())
            for choice, base in zip(choices, baselines, strict=True)
            if base.oracle.quality.mean() > base.reference_quality.mean()
        ]
    )


def _regret(choices: list[Choice], oracles: list[Choice]) -> float:
    return _mean([(o.quality - c.quality).mean() for c, o in zip(choices, oracles, strict=True)])


def _pair_score(scores: list[SplitScore], whole: _Scored) -> PairScore | None:
    gains = [score.gains for score in scores if score.gains]
    if whole.question is None or not gains:
        return None
    pair = whole.question.pair
    quality = [split.test_outcomes.quality for split in whole.splits]
    won = [part[:, pair.strong] - part[:, pair.weak] for part in quality]
    closed = [
        (gain.at_target.quality - part[:, pair.weak]).mean() / gap.mean()
        for gain, part, gap in zip(gains, quality, won, strict=True)
        if gap.mean() > 0.0
    ]
    return PairScore(
        placement=score_placement(
            [gain.test for gain in gains], won, whole.rows, n_prompts=whole.n_prompts
        ),
        calls=_mean([gain.at_target.shares[pair.strong] for gain in gains]),
        gap_closed=_mean(closed),
        cost_usd=_mean([gain.at_target.cost_usd.mean() for gain in gains]),
    )


def _mean(values: Sequence[float]) -> float:
    """Return the mean over splits; NaN if any split has none."""
    return float(np.mean(values)) if len(values) else _UNKNOWN
