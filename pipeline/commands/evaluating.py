"""`promptshed evaluate`."""

import math
from pathlib import Path

import click

from pipeline.commands.repricing import reprice_options
from pipeline.commands.scores_json import (
    evaluation_json,
    holdout_json,
    logs_json,
    onboarding_json,
)
from pipeline.commands.scores_shown import (
    print_evaluation,
    print_holdout,
    print_logs,
    print_onboarding,
    say_versus,
)
from pipeline.commands.shared import (
    encoder_option,
    json_option,
    print_json,
    recorded_job,
    say,
    store_option,
)
from pipeline.embed import Encoder
from pipeline.encoders import load_encoder
from pipeline.endpoint import endpoint_of
from pipeline.estimators.base import Estimator
from pipeline.flows.evaluation import PairOption, evaluate_store, onboard_model, score_holdout
from pipeline.flows.logs import score_logs
from pipeline.flows.routers import choose_routers, references_of, tags_of
from pipeline.flows.tables import current_version
from pipeline.flows.training import read_training_data
from pipeline.ingest import read_file
from pipeline.price import ListPrices
from pipeline.scores import Evaluation
from pipeline.store import Store
from pipeline.strong_weak import read_target
from profiles.errors import GATE_FAILED, UsageError

_BASELINES = ("best_single", "cheapest", "random")
"""What routers are compared with; they pass no gate."""


@click.command("evaluate")
@store_option
@encoder_option
@click.option("--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--routers",
    default="",
    metavar="A,B,…",
    help="Routers to compare, each also with the first: stack, domain_table, soft_domain_table, "
    "knn, inference_dynamics, mixllm, strong_weak, references, tags.",
)
@click.option("--pair", metavar="STRONG,WEAK", help="Compare two models alone: APGR and CPT.")
@click.option(
    "--pair-target",
    default="gap=0.8",
    show_default=True,
    metavar="KIND=VALUE",
    help="What the pair's threshold is to reach: share of calls, usd a prompt, or gap closed.",
)
@click.option("--references", type=click.Path(path_type=Path), help="Example prompts with labels.")
@click.option("--tag-endpoint", metavar="URL", help="Let a language model tag the prompts.")
@click.option("--tag-model", metavar="NAME", help="The model that tags.")
@click.option("--onboard", metavar="MODEL", help="How many labels a new model needs.")
@click.option("--logged", is_flag=True, help="Use logs with one model per prompt and propensities.")
@click.option("--holdout", help="Score tables on a file that was never imported.")
@click.option(
    "--table",
    "versions",
    multiple=True,
    type=int,
    help="With --holdout: a table to score, each also against the first; by default the current.",
)
@click.option(
    "--fail-under",
    metavar="METRIC=VALUE",
    help="Exit with 4 unless the best router's delta_points, aiq or gap_closed reaches the value.",
)
@reprice_options
@json_option
@recorded_job()
def evaluate_command(
    store: Store,
    encoder_name: str,
    n_seeds: int,
    *,
    routers: str,
    pair: str | None,
    pair_target: str,
    references: Path | None,
    tag_endpoint: str | None,
    tag_model: str | None,
    onboard: str | None,
    holdout: str | None,
    versions: tuple[int, ...],
    fail_under: str | None,
    at: ListPrices | None,
    logged: bool,
    as_json: bool,
) -> int:
    """Compare every router on prompts it was not fitted on."""
    _check_one_question(
        {"--pair": pair, "--onboard": onboard, "--logged": logged, "--holdout": holdout},
        has_tables=bool(versions),
        has_prices=at is not None,
    )
    encoder = load_encoder(encoder_name)
    names = tuple(filter(None, (name.strip() for name in routers.split(","))))
    extra = _given_routers(store, encoder, references, tag_endpoint, tag_model)
    if holdout:
        _score_holdout(store, encoder, holdout, versions, at, as_json=as_json)
    elif logged:
        found = score_logs(store, encoder, n_seeds=n_seeds, names=names, extra=extra)
        print_json(logs_json(found)) if as_json else print_logs(found)
    elif onboard:
        router = choose_routers(names or ("stack",), extra, has_domains=True)
        points = onboard_model(
            store, encoder, onboard, next(iter(router.values())), n_seeds=n_seeds
        )
        print_json(onboarding_json(onboard, points)) if as_json else print_onboarding(points)
    else:
        asked = read_pair(pair, pair_target) if pair else None
        evaluation, case = evaluate_store(
            store, encoder, n_seeds=n_seeds, names=names, extra=extra, pair=asked, at=at
        )
        for model_id, reason in case.left_out.items():
            say(f"Left out: {model_id} ({reason}).")
        if case.n_gaps:
            say(f"Left out: {case.n_gaps:,} prompts without a known outcome of every model.")
        shown = evaluation_json(evaluation, asked)
        print_json(shown) if as_json else print_evaluation(evaluation)
        return 0 if fail_under is None or _passes(evaluation, fail_under) else GATE_FAILED
    return 0


def read_pair(models: str, target: str) -> PairOption:
    """Read `STRONG,WEAK`.

    Raises
    ------
    UsageError
        If it does not name two different models, or the target is none.
    """
    strong, _, weak = (part.strip() for part in models.partition(","))
    if not (strong and weak) or strong == weak:
        raise UsageError(f"--pair expects STRONG,WEAK, two different models; found {models!r}.")
    return PairOption(strong=strong, weak=weak, target=read_target(target))


def _check_one_question(
    questions: dict[str, object], *, has_tables: bool, has_prices: bool
) -> None:
    asked = [name for name, value in questions.items() if value]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} are different questions. Ask one at a time.")
    if has_tables and "--holdout" not in asked:
        raise UsageError("--table needs --holdout FILE: prompts that no table has learned from.")
    if has_prices and asked and asked[0] in {"--onboard", "--logged"}:
        raise UsageError(f"{asked[0]} is about quality alone: --reprice would change nothing.")


def _score_holdout(
    store: Store,
    encoder: Encoder,
    holdout: str,
    versions: tuple[int, ...],
    at: ListPrices | None,
    *,
    as_json: bool,
) -> None:
    tables = {f"table {version}": version for version in versions}
    score = score_holdout(
        store,
        encoder,
        read_file(holdout),
        tables or {"our table": current_version(store)},
        at=at,
    )
    if as_json:
        print_json(holdout_json(score))
    else:
        print_holdout(score)
        say_versus(score)


def _given_routers(
    store: Store,
    encoder: Encoder,
    references: Path | None,
    tag_endpoint: str | None,
    tag_model: str | None,
) -> dict[str, Estimator]:
    """Return the routers that need something besides the store."""
    given: dict[str, Estimator] = {}
    if references:
        given["references"] = references_of(store, encoder, read_file(references))
    if bool(tag_endpoint) != bool(tag_model):
        raise UsageError("Tagging needs both --tag-endpoint URL and --tag-model NAME.")
    if tag_endpoint and tag_model:
        endpoint = endpoint_of(tag_endpoint, tag_model)
        data = read_training_data(store, encoder)
        say(f"Sending {len(data.texts):,} prompts to {tag_endpoint}.")
        given["tags"] = tags_of(endpoint, data)
    return given


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
