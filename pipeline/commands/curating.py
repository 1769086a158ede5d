"""`promptshed domains …`: what there is, and every decision about it."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click
import polars as pl

from pipeline.atomic import replaced_file
from pipeline.commands.shared import (
    actor_option,
    encoder_option,
    json_option,
    print_frame,
    print_json,
    print_matches,
    print_table,
    recorded_job,
    say,
    store_option,
)
from pipeline.config import ClusterConfig, DiscoverConfig
from pipeline.encoders import load_encoder
from pipeline.flows import curation, splitting
from pipeline.flows.discovery import known_run
from pipeline.flows.encoding import prompt_texts
from pipeline.flows.identity import read_matches
from pipeline.flows.proposals import read_proposals
from pipeline.label import quote
from pipeline.store import Store
from pipeline.taxonomy import domains_now, find_domain, next_event_id
from pipeline.taxonomy_file import changes, taxonomy_text
from profiles.errors import UsageError
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, RUNS


def _run_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --run: the id of a run of the store, or None."""

    @functools.wraps(command)
    def run(*, store: Store, run_id: str | None, **options: object) -> None:
        known = None if run_id is None else known_run(store, run_id)
        command(store=store, run_id=known, **options)

    option = click.option(
        "--run",
        "run_id",
        metavar="RUN",
        help="The run whose clusters are meant; the newest by default.",
    )
    return option(run)


@click.group("domains")
def domains_group() -> None:
    """List the domains and decide about them: every decision is kept and can be taken back."""


@domains_group.command("list")
@_run_option
@store_option
@json_option
def list_domains(store: Store, run_id: str | None, *, as_json: bool) -> None:
    """List the approved domains and the clusters that wait for a decision."""
    domains = domains_now(store.read(DOMAIN_EVENTS))
    sets = store.read(MEMBER_SETS).group_by("member_set_id").len("n_prompts")
    groups = store.read(CLUSTERS).select(
        "run_id", "cluster_id", group=pl.col("parents").list.first()
    )
    domains = (
        domains.join(sets, on="member_set_id", how="left")
        .join(groups, on=["run_id", "cluster_id"], how="left")
        .sort("n_prompts", descending=True)
    )
    has_run = store.count(RUNS) > 0
    clusters = read_proposals(store, run_id).to_dicts() if has_run else []
    waiting = [row for row in clusters if row["status"] == "waiting"]
    matches = read_matches(store, run_id)
    if as_json:
        print_json(
            {"domains": domains.to_dicts(), "waiting": waiting, "matches": matches.to_dicts()}
        )
        return
    print_table(
        ["domain", "name", "prompts", "status", "by", "group"],
        domains.select(
            "domain_id", "name", "n_prompts", "status", "approved_by", "group"
        ).iter_rows(),
    )
    medoids = prompt_texts(store, [row["medoid_prompt_id"] for row in waiting])
    print_table(
        ["cluster", "name", "prompts", "group", "such as"],
        [
            (row["cluster_id"], row["name"], row["n_prompts"], _group(row), quote(medoid))
            for row, medoid in zip(waiting, medoids, strict=True)
        ],
    )
    print_matches(matches)
    say(f"{domains.height} domains, {len(waiting)} clusters waiting.")


@domains_group.command("show")
@click.argument("domain")
@_run_option
@store_option
@json_option
def show_domain(domain: str, store: Store, run_id: str | None, *, as_json: bool) -> None:
    """Show a domain (id or name), or a cluster (number): phrases, typical and border prompts."""
    is_cluster = domain.isdigit()
    if run_id and not is_cluster:
        raise UsageError("--run goes with the number of a cluster.")
    facts = (
        _cluster_facts(store, int(domain), run_id) if is_cluster else _domain_facts(store, domain)
    )
    shown = {key: facts[key] for key in facts if not key.endswith("prompt_ids")}
    prompts = {
        part: prompt_texts(store, facts[f"{key}_prompt_ids"])
        for part, key in (("examples", "exemplar"), ("border", "border"))
    }
    if as_json:
        print_json(facts | prompts)
        return
    for key, value in shown.items():
        click.echo(f"{key}: {' · '.join(value) if isinstance(value, list) else value}")
    for part, texts in prompts.items():
        click.echo(f"{part}:")
        for text in texts:
            click.echo(f"  - {quote(text, longest=160)}")


def _group(cluster: Mapping[str, Any]) -> str | None:
    """Return the finer of the groups a cluster is in; none for a cluster of its own group."""
    group = next(iter(cluster["parents"] or ()), None)
    return None if group == cluster["name"] else group


def _cluster_facts(store: Store, cluster_id: int, run_id: str | None) -> dict[str, Any]:
    found = read_proposals(store, run_id).filter(cluster_id=cluster_id).to_dicts()
    if not found:
        raise UsageError(f"There is no cluster {cluster_id}. See `promptshed domains list`.")
    return found[0]


def _domain_facts(store: Store, domain: str) -> dict[str, Any]:
    """Return what is known of a domain; of one that is no cluster, its first prompts."""
    row = find_domain(domains_now(store.read(DOMAIN_EVENTS)), domain)
    members = store.read(MEMBER_SETS, member_set_id=row["member_set_id"])["prompt_id"].to_list()
    source = store.read(CLUSTERS, run_id=row["run_id"], cluster_id=row["cluster_id"])
    cluster = source.row(0, named=True) if source.height == 1 else {}
    return row | {
        "n_prompts": len(members),
        "names": cluster.get("names", []),
        "parents": cluster.get("parents") or [],
        "exemplar_prompt_ids": cluster.get("exemplar_prompt_ids", members[:5]),
        "border_prompt_ids": cluster.get("border_prompt_ids", []),
    }


@domains_group.command("approve")
@click.argument("clusters", nargs=-1, type=int)
@click.option("--all", "approve_all", is_flag=True, help="Approve every cluster that waits.")
@click.option("--name", help="Name of the domain; the offered one by default.")
@click.option("--into", metavar="DOMAIN", help="Give the clusters to this domain instead.")
@click.option("--reason")
@actor_option
@_run_option
@store_option
def approve(
    clusters: tuple[int, ...],
    name: str | None,
    into: str | None,
    reason: str | None,
    actor: str,
    store: Store,
    run_id: str | None,
    *,
    approve_all: bool,
) -> None:
    """Make permanent domains of clusters."""
    if approve_all == bool(clusters):
        raise UsageError("Name the clusters to approve, or give --all; not both.")
    if name and len(clusters) != 1:
        raise UsageError("--name goes with exactly one cluster.")
    if into and (approve_all or name):
        raise UsageError("--into goes with clusters, and with neither --all nor --name.")
    chosen = None if approve_all else list(clusters)
    if into:
        for cluster in clusters:
            click.echo(
                curation.merge_cluster(
                    store, cluster, into, actor=actor, reason=reason, run_id=run_id
                )
            )
        return
    for domain_id in curation.approve_clusters(
        store, chosen, actor=actor, name=name, reason=reason, run_id=run_id
    ):
        click.echo(domain_id)


@domains_group.command("reject")
@click.argument("cluster", type=int)
@click.option("--reason")
@actor_option
@_run_option
@store_option
def reject(cluster: int, reason: str | None, actor: str, store: Store, run_id: str | None) -> None:
    """Remember that a cluster is no domain."""
    curation.reject_cluster(store, cluster, actor=actor, reason=reason, run_id=run_id)
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


@domains_group.command("merge")
@click.argument("domains", nargs=-1, required=True)
@click.option("--name", help="Name of the domain from now on; the first one's by default.")
@click.option("--reason")
@actor_option
@store_option
def merge(
    domains: tuple[str, ...], name: str | None, reason: str | None, actor: str, store: Store
) -> None:
    """Give the prompts of all DOMAINS to the first, which keeps its id; the others retire."""
    click.echo(curation.merge(store, domains, actor=actor, name=name, reason=reason))


@domains_group.command("split")
@click.argument("domain")
@click.option(
    "--prompts",
    type=click.File(encoding="utf-8"),
    help="A file with one prompt_id a line (-: standard input) that become a domain.",
)
@click.option("--name", help="Name of the new domain; goes with --prompts.")
@click.option(
    "--one-level-down",
    is_flag=True,
    help="The parts are the newest run's clusters that mostly lie in the domain.",
)
@click.option(
    "--min-cluster-size",
    type=click.IntRange(2),
    help="Least prompts in a part, where the domain's own prompts are clustered.",
)
@click.option("--reason")
@encoder_option
@actor_option
@store_option
@recorded_job()
def split(
    *,
    domain: str,
    prompts: TextIO | None,
    name: str | None,
    one_level_down: bool,
    min_cluster_size: int | None,
    reason: str | None,
    encoder_name: str,
    actor: str,
    store: Store,
) -> None:
    """Make new domains of parts of one, which keeps its id and what is left.

    The parts are clusters of its own prompts, or of the newest run, or the prompts that are named.
    """
    if (prompts is None) != (name is None):
        raise UsageError("--prompts and --name go together.")
    if one_level_down and (prompts is not None or min_cluster_size is not None):
        raise UsageError("--one-level-down goes without --prompts and --min-cluster-size.")
    if one_level_down:
        found = splitting.split_one_level_down(store, domain, actor=actor, reason=reason)
    elif prompts is not None and name is not None:
        chosen = prompts.read().split()
        found = splitting.split_by_prompts(store, domain, chosen, name, actor=actor, reason=reason)
    else:
        config = DiscoverConfig(cluster=ClusterConfig(min_cluster_size=min_cluster_size))
        encoder = load_encoder(encoder_name)
        found = splitting.split_by_clusters(
            store, domain, encoder, config, actor=actor, reason=reason
        )
    for domain_id in found:
        click.echo(domain_id)


@domains_group.command("undo")
@click.argument("event", type=int, required=False)
@click.option("--reason")
@actor_option
@store_option
def undo(event: int | None, reason: str | None, actor: str, store: Store) -> None:
    """Take back the newest decision, or the one of EVENT; an undo can be taken back too."""
    undone = curation.undo_decision(store, event, actor=actor, reason=reason)
    say(f"The decision of event {undone} does not count any more.")


@domains_group.command("export")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False))
@store_option
def export(output: Path | None, store: Store) -> None:
    """Write the domains as YAML, with the ids of their prompts and without any text."""
    text = taxonomy_text(store.read(DOMAIN_EVENTS), store.read(MEMBER_SETS))
    if output is None:
        click.echo(text, nl=False)
        return
    with replaced_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


@domains_group.command("import")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--overwrite", is_flag=True, help="Also what was decided after FILE was exported.")
@click.option("--reason")
@actor_option
@store_option
def import_domains(
    file: TextIO, reason: str | None, actor: str, store: Store, *, overwrite: bool
) -> None:
    """Bring the domains to what a YAML FILE of `domains export` says; others stay."""
    reason = reason or f"imported from {file.name}"
    found = curation.import_taxonomy(
        store, file.read(), actor=actor, reason=reason, overwrite=overwrite
    )
    say(f"{len(found)} domains made or changed.")


@domains_group.command("diff")
@click.argument("since", type=click.IntRange(0))
@click.argument("until", type=click.IntRange(0), required=False)
@store_option
@json_option
def diff(since: int, until: int | None, store: Store, *, as_json: bool) -> None:
    """Compare the domains after event SINCE with those after event UNTIL, or now."""
    events = store.read(DOMAIN_EVENTS)
    last = next_event_id(events) - 1
    if max(since, until or 0) > last:
        raise UsageError(f"There are events 1 to {last}. See `promptshed domains history`.")
    found = changes(events, store.read(MEMBER_SETS), since, last if until is None else until)
    print_frame(found, found.columns, as_json=as_json)


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
        "other_id",
        "cluster_id",
        "name",
        "undoes",
        "actor",
        "reason",
    ]
    print_frame(store.read(DOMAIN_EVENTS), columns, as_json=as_json)
