"""`promptshed discover`."""

import json

import click

from pipeline.commands.shared import (
    encoder_option,
    json_option,
    print_json,
    print_matches,
    print_table,
    say,
    store_option,
)
from pipeline.config import ClusterConfig, DiscoverConfig, ProjectConfig
from pipeline.encoders import load_encoder
from pipeline.flows.discovery import discover
from pipeline.flows.identity import link_survivors, read_matches
from pipeline.store import Store
from profiles.tables import CLUSTERS, RUNS


@click.command("discover")
@store_option
@encoder_option
@click.option(
    "--min-cluster-size",
    type=click.IntRange(2),
    help="Least prompts in a cluster; without it, a sweep and a written rule choose.",
)
@click.option("--seed", default=0, show_default=True)
@json_option
def discover_command(
    store: Store,
    encoder_name: str,
    min_cluster_size: int | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Encode, cluster and name all prompts; the same inputs give the same run."""
    config = DiscoverConfig(
        project=ProjectConfig(seed=seed), cluster=ClusterConfig(min_cluster_size=min_cluster_size)
    )
    run_id = discover(store, load_encoder(encoder_name), config)
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
    print_table(
        ["min size", "clusters", "unclustered", "validity", "chosen"],
        [
            (
                trial["min_cluster_size"],
                trial["n_clusters"],
                f"{trial['unclustered_share']:.1%}",
                None if trial["validity"] is None else f"{trial['validity']:.2f}",
                "*" if trial["chosen"] else "",
            )
            for trial in json.loads(run["sweep"])
        ],
    )
    print_matches(matches)
    if linked:
        say(f"{len(linked)} domains were found again and have new prompts; see domains history.")
    say(
        f"{run['n_clusters']} clusters of {run['n_prompts']:,} prompts, "
        f"{run['n_unclustered']:,} unclustered. Next: promptshed domains list"
    )
