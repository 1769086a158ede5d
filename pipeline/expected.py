"""What a routing table did on training prompts it had not seen, beside every single model.

Cross-fitted: each prompt is routed by an estimate made without its own outcome, and scored on
that outcome. The trade-off was chosen on the same prompts, so `pipeline.evaluate` on prompts held
back is the stricter number.
"""

import json
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.choices import ChoiceScore, oracle_columns, score_choices
from profiles.outcomes import Outcomes

THIS_TABLE = "this table"
ORACLE = "best in hindsight"
_OPTIONS = pl.Schema(
    {
        "option": pl.String,
        "model_id": pl.String,
        "quality": pl.Float64,
        "cost_usd": pl.Float64,
        "cost_ratio": pl.Float64,
        "advantage": pl.Float64,
        "advantage_lo": pl.Float64,
        "advantage_hi": pl.Float64,
    }
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A table as one choice among others."""

    n_prompts: int
    """Training prompts that the table's choices and every model were scored on."""
    shares: pl.DataFrame
    """model_id and share of the table's calls in [0, 1], by falling share; none of 0."""
    options: pl.DataFrame
    """One row for the table (`option` is `THIS_TABLE`, model_id null) and one for each model used
    everywhere: quality, cost_usd per prompt, cost_ratio to the reference model, and advantage over
    it with a 95 % interval; null where unknown."""
    reference_model_id: str
    oracle: dict[str, float | None] | None = None
    """The same numbers for the best model of each prompt in hindsight, on the prompts where every
    model's quality is known; None where there are none, or the table is older than this figure."""

    def option(self, name: str) -> dict[str, float | None]:
        """Return the numbers of one option, by its name."""
        return self.options.filter(option=name).row(0, named=True)


def held_out_json(chosen: NDArray[np.int64], outcomes: Outcomes, *, reference: int) -> str:
    """Score a table's held-out choices and every single model; JSON for `expect`.

    Parameters
    ----------
    chosen
        Shape (n_prompts,): columns chosen by held-out estimates.
    outcomes
        Of the same prompts. Each option is scored on the prompts where its own outcome and the
        reference model's are known; an option without any is left out, and without the table's
        own there are 0 prompts and no option.
    """
    whole = [_score(THIS_TABLE, chosen, outcomes, reference)] + [
        _score(model_id, np.full(len(chosen), j), outcomes, reference)
        for j, model_id in enumerate(outcomes.model_ids)
    ]
    if whole[0] is None:
        return json.dumps({"n_prompts": 0, "shares": {}, "options": []})
    table, n_prompts = whole[0]
    return json.dumps(
        {
            "n_prompts": n_prompts,
            "shares": table.calls,
            "options": [_option(score) for score, _ in filter(None, whole)],
            "oracle": _oracle(outcomes, reference),
        }
    )


def _oracle(outcomes: Outcomes, reference: int) -> dict[str, object] | None:
    """Score the best model of each prompt, where that of every model is known."""
    known = np.flatnonzero(np.isfinite(outcomes.quality).all(axis=1))
    if not known.size:
        return None
    whole = outcomes.rows(known)
    [score] = score_choices({ORACLE: oracle_columns(whole)}, whole, reference=reference)
    return _option(score) | {"model_id": None}


def _score(
    name: str, chosen: NDArray[np.int64], outcomes: Outcomes, reference: int
) -> tuple[ChoiceScore, int] | None:
    taken = outcomes.quality[np.arange(len(chosen)), chosen]
    known = np.isfinite(taken) & np.isfinite(outcomes.quality[:, reference])
    if not known.any():
        return None
    [score] = score_choices({name: chosen[known]}, outcomes.rows(known), reference=reference)
    return score, int(known.sum())


def expect(held_out: str, *, reference_model_id: str) -> Expectation | None:
    """Read the scores that were saved with a table; None where it has none."""
    saved = json.loads(held_out)
    if not saved["n_prompts"]:
        return None
    shares = pl.DataFrame(
        list(saved["shares"].items()),
        schema={"model_id": pl.String, "share": pl.Float64},
        orient="row",
    )
    return Expectation(
        n_prompts=saved["n_prompts"],
        shares=shares.filter(pl.col("share") > 0).sort(
            ["share", "model_id"], descending=[True, False]
        ),
        options=pl.DataFrame(saved["options"], schema=_OPTIONS),
        reference_model_id=reference_model_id,
        oracle=saved.get("oracle"),
    )


def _option(score: ChoiceScore) -> dict[str, object]:
    points = score.delta_points
    return {
        "option": score.name,
        "model_id": None if score.name == THIS_TABLE else score.name,
        "quality": _known(score.quality),
        "cost_usd": _known(score.cost_usd),
        "cost_ratio": _known(score.cost_ratio.mean),
        "advantage": _known(points.mean / 100.0),
        "advantage_lo": _known(points.lo / 100.0),
        "advantage_hi": _known(points.hi / 100.0),
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
