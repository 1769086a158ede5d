"""What to do next."""

from pathlib import Path

import pytest

from pipeline.flows.progress import read_progress
from pipeline.next_step import Progress, next_step
from pipeline.store import Store

EXPECTED = {
    "imported": "promptshed discover",
    "discovered": "promptshed domains list",
    "approved": "promptshed profile",
    "profiled": "promptshed table build",
    "drafted": "promptshed table publish 2",
    "published": "promptshed domains approve CLUSTER",
}


@pytest.mark.parametrize("stage", EXPECTED)
def test_each_stage_leads_to_the_next(stage, stages):
    """The first thing that is missing is what to do."""
    assert next_step(read_progress(Store(path=stages[stage]))).commands[0] == EXPECTED[stage]


def test_without_a_store_the_demo_comes_first():
    """An absent store has nothing in it."""
    step = next_step(read_progress(Store(path=Path("does-not-exist.duckdb"))))
    assert step.commands == ("promptshed demo", "promptshed import FILE")


def test_when_all_is_done_there_is_routing_to_do():
    """The last step is to use the table."""
    done = Progress(
        n_prompts=9,
        n_outcomes=9,
        n_runs=1,
        n_domains=1,
        n_waiting=0,
        n_profiles=1,
        n_tables=1,
        n_published=1,
    )
    assert next_step(done).commands[0].startswith("promptshed route")
    assert next_step(Progress(**done.__dict__ | {"n_outcomes": 0, "n_profiles": 0})).commands == (
        "promptshed import FILE",
    )
    waiting = next_step(Progress(**done.__dict__ | {"n_waiting": 1}))
    assert waiting.text.startswith("1 cluster waits")
