"""A policy to try: its controls, what it would do beside the published table, and a draft of it."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from pages.ui import access, drafts, figures, finding, jobs, reads, shell, shown, what_if
from pages.ui import format as text
from pages.ui.colours import model_colours
from pipeline.commands.policy import as_arguments
from pipeline.config import Policy, read_policy
from pipeline.expected import THIS_TABLE, Expectation, expect
from pipeline.next_step import Step
from pipeline.table import table_diff

_NO_CHANGE = ("0.0 points", "+0 %", "-0 %")
_REBUILD = Step(
    text="Build the table again: what its trade-off was chosen on is not in the store.",
    commands=("promptshed table build",),
)


def show(tables: pl.DataFrame) -> None:
    """Play with the policy of the published table, or of the newest draft if none is."""
    current = reads.current_table()
    version = current.table_version if current else tables["table_version"][0]
    row = tables.filter(table_version=version).row(0, named=True)
    study = reads.study(version)
    if study is None:
        shell.show_step(_REBUILD)
        return
    policy = what_if.controls(study, read_policy(row["policy"]))
    found = what_if.work_out(study, policy)
    if found is not None:
        _outcome(found, row)
        _save(policy)
    drafts.offer(tables)
    st.subheader("Jobs", help="A draft is built in a process of its own, by the verb shown there.")
    jobs.panel(("table",), most=2)


def _outcome(found: what_if.WhatIf, row: Mapping[str, Any]) -> None:
    before = expect(row["held_out"], reference_model_id=row["reference_model_id"])
    version = row["table_version"]
    buckets = pl.DataFrame(
        {
            "bucket": range(len(found.study.names)),
            "domain_id": found.study.domain_ids,
            "name": found.study.names,
        }
    )
    sizes = reads.table_rows(version)[0].select("domain_id", "n_prompts")
    diff = table_diff(reads.table_rows(version), (buckets, found.settled.entries))
    if found.expectation and before:
        _scorecard(found.expectation, before, diff, version)
        st.markdown(finding.sentence(found.expectation))
        st.caption(finding.footnote(found.expectation))
    st.subheader("Quality and cost", help="The star is this policy, the open one the table in use.")
    if found.expectation:
        chart = figures.frontier(
            found.expectation,
            model_colours(reads.model_ids()),
            reached=found.curve,
            published=before,
        )
        st.plotly_chart(chart, alt="Expected quality and cost", config=figures.STILL)
    st.subheader("First choices", help="Of each domain; routing refines them prompt by prompt.")
    rows = shown.tried(diff, found.settled.entries, found.study.domain_ids, sizes)
    rows = shown.short(rows, "Published", "This policy")
    shown.table(rows, alt="First choices beside those of the published table")


def _scorecard(
    expectation: Expectation, before: Expectation, diff: pl.DataFrame, version: int
) -> None:
    ours, theirs = expectation.option(THIS_TABLE), before.option(THIS_TABLE)
    stays = dict(expectation.shares.iter_rows()).get(expectation.reference_model_id, 0.0)
    n_changed = diff.filter(pl.col("change") != "same").height
    against = f"vs table {version}"
    with st.grid(4, min_column_width=170):
        _figure(
            "Quality",
            text.quality(ours["quality"]),
            finding.points_delta((ours["quality"] or 0.0) - (theirs["quality"] or 0.0)),
            against,
            help_=f"Mean over n = {text.count(expectation.n_prompts)} training prompts.",
        )
        _figure(
            "$ per 1,000 prompts",
            text.dollars_per_1000(ours["cost_usd"]),
            finding.cost_delta(_ratio(ours["cost_usd"], theirs["cost_usd"])),
            against,
            help_="Mean cost of a thousand training prompts, by what their calls cost.",
            less_is_better=True,
        )
        _figure(
            "Leave the safe choice",
            text.share(1.0 - stays),
            None,
            "of the prompts",
            help_=f"Do not go to {text.as_markdown(expectation.reference_model_id)}.",
        )
        _figure(
            "Domains that change",
            f"{n_changed} of {diff.height}",
            None,
            against,
            help_=f"Their first choice is another one than in table {version}.",
        )


def _figure(
    label: str,
    value: str,
    delta: str | None,
    against: str,
    *,
    help_: str,
    less_is_better: bool = False,
) -> None:
    is_same = delta is None or delta in _NO_CHANGE
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.metric(
            label,
            value,
            None if is_same else delta,
            delta_color="inverse" if less_is_better else "normal",
            delta_description=None if is_same else against,
            help=help_,
        )
        if is_same:
            st.caption(against if delta is None else f"the same as {against.removeprefix('vs ')}")


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _save(policy: Policy) -> None:
    arguments = ["table", "build", *as_arguments(policy)]
    with st.container(horizontal=True, vertical_alignment="center"):
        if access.may_decide() and st.button(
            "Save as a draft", type="primary", icon=":material/draft:"
        ):
            jobs.start("Building a draft", arguments)
        st.caption("Nothing is used for routing until a draft is published.")
    with st.expander("As a command"):
        st.code(jobs.command_line(arguments), language=None, wrap_lines=True)
