"""`promptshed discover` and `promptshed domains …`."""

import json

import click

from pipeline.commands.shared import (
    actor_option,
    encoder_option,
    json_option,
    print_frame,
    print_json,
    print_table,
    recorded_job,
    say,
    store_option,
)
from pipeline.config import ClusterConfig, DiscoverConfig, ProjectConfig
from pipeline.encoders import load_encoder
from pipeline.flows import curation
from pipeline.flows.discovery import discover
from pipeline.store import Store
from pipeline.taxonomy import domains_now, find_domain
from profiles.errors import UsageError
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, PROMPTS, RUNS


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
@recorded_job(alone=True)
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
    run = store.read(RUNS, run_id=run_id).drop("asked_at").row(0, named=True)
    clusters = store.read(CLUSTERS, run_id=run_id)
    if as_json:
        print_json(run | {"sweep": json.loads(run["sweep"]), "clusters": clusters.to_dicts()})
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
    say(
        f"{run['n_clusters']} clusters of {run['n_prompts']:,} prompts, "
        f"{run['n_unclustered']:,} unclustered. Next: promptshed domains list"
    )


@click.group("domains")
def domains_group() -> None:
    """List, approve, reject and rename domains."""


@domains_group.command("list")
@store_option
@json_option
def list_domains(store: Store, *, as_json: bool) -> None:
    """List the approved domains and the clusters that wait for a decision."""
    domains = domains_now(store.read(DOMAIN_EVENTS))
    sets = store.read(MEMBER_SETS).group_by("member_set_id").len("n_prompts")
    domains = domains.join(sets, on="member_set_id", how="left").sort("n_prompts", descending=True)
    has_run = store.count(RUNS) > 0
    clusters = curation.read_proposals(store).to_dicts() if has_run else []
    waiting = [row for row in clusters if row["status"] == "waiting"]
    if as_json:
        print_json({"domains": domains.to_dicts(), "waiting": waiting})
        return
    print_table(
        ["domain", "name", "prompts", "status", "by"],
        domains.select("domain_id", "name", "n_prompts", "status", "approved_by").iter_rows(),
    )
    print_table(
        ["cluster", "name", "prompts"],
        [(row["cluster_id"], row["name"], row["n_prompts"]) for row in waiting],
    )
    say(f"{domains.height} domains, {len(waiting)} clusters waiting.")


@domains_group.command("show")
@click.argument("domain")
@store_option
@json_option
def show_domain(domain: str, store: Store, *, as_json: bool) -> None:
    """Show a domain (id or name), or a waiting cluster (number), with example prompts."""
    if domain.isdigit():
        shown, examples = _cluster_details(store, int(domain))
    else:
        shown, examples = _domain_details(store, domain)
    if as_json:
        print_json(shown | {"examples": examples})
        return
    for key, value in shown.items():
        click.echo(f"{key}: {value}")
    for text in examples:
        click.echo(f"  - {' '.join(text.split())[:160]}")


def _cluster_details(store: Store, cluster_id: int) -> tuple[dict[str, object], list[str]]:
    found = [
        row for row in curation.read_proposals(store).to_dicts() if row["cluster_id"] == cluster_id
    ]
    if not found:
        raise UsageError(f"There is no cluster {cluster_id}. See `promptshed domains list`.")
    return found[0], _texts(store, found[0]["exemplar_prompt_ids"])


def _domain_details(store: Store, domain: str) -> tuple[dict[str, object], list[str]]:
    row = find_domain(domains_now(store.read(DOMAIN_EVENTS)), domain)
    members = store.read(MEMBER_SETS, member_set_id=row["member_set_id"])["prompt_id"].to_list()
    return row | {"n_prompts": len(members)}, _texts(store, members[:5])


def _texts(store: Store, prompt_ids: list[str]) -> list[str]:
    text_of = dict(store.read(PROMPTS).select("prompt_id", "text").iter_rows())
    return [text_of[prompt_id] for prompt_id in prompt_ids]


@domains_group.command("approve")
@click.argument("clusters", nargs=-1, type=int)
@click.option("--all", "approve_all", is_flag=True, help="Approve every cluster that waits.")
@click.option("--name", help="Name of the domain; the offered one by default.")
@click.option("--reason")
@actor_option
@store_option
def approve(
    clusters: tuple[int, ...],
    name: str | None,
    reason: str | None,
    actor: str,
    store: Store,
    *,
    approve_all: bool,
) -> None:
    """Make permanent domains of clusters of the newest run."""
    if approve_all == bool(clusters):
        raise UsageError("Name the clusters to approve, or give --all; not both.")
    if name and len(clusters) != 1:
        raise UsageError("--name goes with exactly one cluster.")
    chosen = None if approve_all else list(clusters)
    for domain_id in curation.approve_clusters(
        store, chosen, actor=actor, name=name, reason=reason
    ):
        click.echo(domain_id)


@domains_group.command("reject")
@click.argument("cluster", type=int)
@click.option("--reason")
@actor_option
@store_option
def reject(cluster: int, reason: str | None, actor: str, store: Store) -> None:
    """Remember that a cluster is no domain."""
    curation.reject_cluster(store, cluster, actor=actor, reason=reason)
    say(f"Cluster {cluster} is rejected.")


@domains_group.command("rename")
@click.argument("domain")
@click.argument("name")
@actor_option
@store_option
def rename(domain: str, name: str, actor: str, store: Store) -> None:
    """Give a domain another name; its id stays."""
    click.echo(curation.rename_domain(store, domain, name, actor=actor))


@domains_group.command("retire")
@click.argument("domain")
@click.option("--reason")
@actor_option
@store_option
def retire(domain: str, reason: str | None, actor: str, store: Store) -> None:
    """Take a domain out of use."""
    click.echo(curation.retire_domain(store, domain, actor=actor, reason=reason))


@domains_group.command("restore")
@click.argument("domain")
@actor_option
@store_option
def restore(domain: str, actor: str, store: Store) -> None:
    """Bring a retired domain back."""
    click.echo(curation.restore_domain(store, domain, actor=actor))


@domains_group.command("from-labels")
@click.option("--min-prompts", default=2, show_default=True, type=click.IntRange(1))
@actor_option
@store_option
def from_labels(min_prompts: int, actor: str, store: Store) -> None:
    """Make a domain of each label that came with the prompts."""
    n = curation.domains_from_labels(store, actor=actor, least_prompts=min_prompts)
    say(f"{n} domains made of labels or brought up to date.")


@domains_group.command("history")
@store_option
@json_option
def history(store: Store, *, as_json: bool) -> None:
    """Show every decision, oldest first."""
    columns = [
        "event_id",
        "occurred_at",
        "verb",
        "domain_id",
        "cluster_id",
        "name",
        "actor",
        "reason",
    ]
    print_frame(store.read(DOMAIN_EVENTS), columns, as_json=as_json)
