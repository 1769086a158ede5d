"""`promptshed discover`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import click

from pipeline.cluster import METHODS
from pipeline.commands.shared import (
    encoder_option,
    json_option,
    print_json,
    print_matches,
    print_table,
    recorded_job,
    say,
    store_option,
)
from pipeline.config import ClusterConfig, DiscoverConfig, ProjectConfig
from pipeline.encoders import load_encoder
from pipeline.endpoint import endpoint_of
from pipeline.flows.discovery import discover, name_by_model, sweep
from pipeline.flows.identity import link_survivors, read_matches
from pipeline.store import Store
from profiles.errors import UsageError
from profiles.tables import CLUSTERS, RUNS


@click.command("discover")
@store_option
@encoder_option
@click.option(
    "--min-cluster-size",
    type=click.IntRange(2),
    help="Least prompts in a cluster; without it, a sweep and a written rule choose.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="eom",
    show_default=True,
    help="Take clusters by excess of mass, or the leaves of the tree.",
)
@click.option("--sweep", "only_sweep", is_flag=True, help="Try every granularity, and save no run.")
@click.option(
    "--cap",
    type=click.IntRange(100),
    default=DiscoverConfig().cap,
    show_default=True,
    help="Most prompts to cluster; of more, a sample is, and the others go into its clusters.",
)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--name-endpoint",
    metavar="URL",
    help="Let a language model name the clusters: sends their exemplars to this OpenAI-compatible "
    "endpoint, with the key in PROMPTSHED_API_KEY.",
)
@click.option("--name-model", metavar="NAME", help="The model that names.")
@json_option
@recorded_job()
def discover_command(
    store: Store,
    encoder_name: str,
    min_cluster_size: int | None,
    method: Literal["eom", "leaf"],
    cap: int,
    seed: int,
    name_endpoint: str | None,
    name_model: str | None,
    *,
    only_sweep: bool,
    as_json: bool,
) -> None:
    """Encode, cluster and name all prompts; the same inputs give the same run."""
    config = DiscoverConfig(
        project=ProjectConfig(seed=seed),
        cluster=ClusterConfig(min_cluster_size=min_cluster_size, method=method),
        cap=cap,
    )
    if bool(name_endpoint) != bool(name_model):
        raise UsageError("Naming needs both --name-endpoint URL and --name-model NAME.")
    encoder = load_encoder(encoder_name)
    if only_sweep:
        trials = sweep(store, encoder, config)
        print_json(trials) if as_json else _print_trials(trials)
        return
    run_id = discover(store, encoder, config)
    if name_endpoint and name_model:
        endpoint = endpoint_of(name_endpoint, name_model)
        say(f"Sending a few prompts of each cluster to {name_endpoint}.")
        say(f"{name_by_model(store, run_id, endpoint)} clusters have another name now.")
    linked = link_survivors(store)
    matches = read_matches(store)
    run = store.read(RUNS, run_id=run_id).drop("asked_at").row(0, named=True)
    clusters = store.read(CLUSTERS, run_id=run_id)
    if as_json:
        print_json(
            run
            | {
                "sweep": json.loads(run["sweep"]),
                "clusters": clusters.to_dicts(),
                "matches": matches.to_dicts(),
            }
        )
        return
    trials = json.loads(run["sweep"])
    _print_trials(trials)
    print_matches(matches)
    if linked:
        say(f"{len(linked)} domains were found again and have new prompts; see domains history.")
    _say_what_was_not_clustered(run)
    say(
        f"{run['n_clusters']} clusters of {run['n_prompts']:,} prompts, "
        f"{run['n_unclustered']:,} unclustered. Next: promptshed domains list"
    )


def _say_what_was_not_clustered(run: Mapping[str, Any]) -> None:
    if run["n_copies"]:
        say(f"{run['n_copies']:,} near-duplicates went with the prompt they repeat.")
    if run["n_extended"]:
        say(
            f"{run['n_extended']:,} prompts above the cap went into the clusters of a sample of "
            f"{run['n_prompts'] - run['n_extended']:,}, or into none. Of held-out prompts of the "
            f"sample, {run['agreement']:.1%} [{run['agreement_lo']:.1%}, "
            f"{run['agreement_hi']:.1%}] go where clustering has put them."
        )


def _print_trials(trials: Sequence[Mapping[str, Any]]) -> None:
    names = ("unclustered_share", "validity", "stability")
    columns = ["min size", "method", "clusters", "unclustered", "validity", "stability"]
    print_table(
        [*columns, "routing, points", "chosen"],
        [
            (
                trial["min_cluster_size"],
                trial["method"],
                trial["n_clusters"],
                *(None if trial.get(name) is None else f"{trial[name]:.3f}" for name in names),
                _routing_shown(trial),
                "*" if trial["chosen"] else "",
            )
            for trial in trials
        ],
    )
    say(_why_chosen(trials))
    if any(trial.get("routing_n") for trial in trials):
        say(
            "Routing: mean quality over the best single model, in hundredths, with a table of one "
            "row for each cluster, on folds it was not learned from, and a 95 % interval. It does "
            "not choose: --min-cluster-size and --method do."
        )


def _routing_shown(trial: Mapping[str, Any]) -> str | None:
    if not trial.get("routing_n"):
        return None
    return (
        f"{trial['routing_points']:+.2f} [{trial['routing_lo']:+.2f}, {trial['routing_hi']:+.2f}]"
    )


def _why_chosen(trials: Sequence[Mapping[str, Any]]) -> str:
    """Say the rule, and which setting the chosen one was preferred to."""
    best = next(trial for trial in trials if trial["chosen"])
    least = min((t for t in trials if t["method"] == best["method"]), key=lambda t: t["loss"])
    return (
        "Chosen (*): the largest least size whose unclustered share plus 1 / clusters, the share "
        f"of an average cluster, is within a tenth of the least; it has {best['loss']:.3f}, the "
        f"least is {least['loss']:.3f}, with {least['min_cluster_size']}."
    )
