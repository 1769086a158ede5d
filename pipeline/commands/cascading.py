"""`promptshed cascade`."""

from dataclasses import asdict

import click

from pipeline.bootstrap import Interval
from pipeline.commands.repricing import reprice_options
from pipeline.commands.shared import (
    json_option,
    print_json,
    print_table,
    say,
    store_option,
)
from pipeline.flows.cascading import CascadeScore, replay_cascade
from pipeline.price import ListPrices
from pipeline.store import Store

_ACCURACY = click.FloatRange(0.0, 1.0)


@click.command("cascade")
@click.argument("models")
@click.option(
    "--check-accuracy",
    "check_accuracies",
    type=_ACCURACY,
    multiple=True,
    default=(1.0, 0.9, 0.8),
    show_default=True,
    help="How often the check of an answer is right; may be given several times.",
)
@click.option(
    "--check-usd", type=click.FloatRange(0.0), default=0.0, help="Cost of checking an answer."
)
@store_option
@reprice_options
@json_option
def cascade_command(
    models: str,
    check_accuracies: tuple[float, ...],
    check_usd: float,
    store: Store,
    at: ListPrices | None,
    *,
    as_json: bool,
) -> None:
    """Replay a cascade on recorded outcomes: MODELS by comma, the one to ask first first."""
    order = tuple(part.strip() for part in models.split(","))
    scores = replay_cascade(
        store, order, check_accuracies=check_accuracies, check_usd=check_usd, at=at
    )
    if as_json:
        print_json({"order": list(order), "checks": [asdict(score) for score in scores]})
        return
    print_table(
        ["check right", "quality", "$ / 1,000", f"points over {order[-1]}", "cost", "escalated"],
        [_cells(score) for score in scores],
    )
    say(
        f"{scores[0].n_prompts:,} prompts with outcomes of all of them; the check is simulated, "
        "and one that is always right is a ceiling."
    )


def _cells(score: CascadeScore) -> tuple[str, ...]:
    return (
        f"{score.check_accuracy:.0%}",
        f"{score.quality:.4f}",
        f"{1000 * score.cost_usd:.4f}",
        _shown(score.delta_points, "{:+.2f}"),
        _shown(score.cost_ratio, "{:.1%}"),
        f"{score.escalated:.1%}",
    )


def _shown(interval: Interval, form: str) -> str:
    mean, lo, hi = (form.format(value) for value in (interval.mean, interval.lo, interval.hi))
    return f"{mean} [{lo}, {hi}]"
