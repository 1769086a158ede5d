"""What to do next: the first step of the loop that is not done."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a store has come, in counts."""

    n_prompts: int
    n_outcomes: int
    n_runs: int
    n_domains: int
    """Approved ones."""
    n_waiting: int
    """Clusters of the newest run that no one has decided on."""
    n_profiles: int
    n_tables: int
    n_published: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do."""

    text: str
    commands: tuple[str, ...]


def next_step(progress: Progress) -> Step:
    """Return the first thing that is missing, or how to use what is there."""
    for is_missing, step in _steps(progress):
        if is_missing:
            return step
    return Step(
        text="The table is published. Give every row of a file its model.",
        commands=("promptshed route prompts.jsonl -o routed.jsonl",),
    )


def _steps(progress: Progress) -> tuple[tuple[bool, Step], ...]:
    return (
        (
            progress.n_prompts == 0,
            Step(
                text="There are no prompts yet. Try the demo, or import a file of your own.",
                commands=("promptshed demo", "promptshed import FILE"),
            ),
        ),
        (
            progress.n_runs == 0 and progress.n_domains == 0,
            Step(
                text="Find out what the prompts are about: group them into clusters.",
                commands=("promptshed discover",),
            ),
        ),
        (
            progress.n_domains == 0,
            Step(
                text="Look at the clusters, and approve those that are domains of yours.",
                commands=("promptshed domains list", "promptshed domains approve 0 1 2"),
            ),
        ),
        (
            progress.n_outcomes == 0,
            Step(
                text="Nothing says yet how well a model answers. Import outcomes: a file with a "
                "model and a quality column.",
                commands=("promptshed import FILE",),
            ),
        ),
        (
            progress.n_profiles == 0,
            Step(
                text="Profile every model in every approved domain.",
                commands=("promptshed profile",),
            ),
        ),
        (
            progress.n_tables == 0,
            Step(
                text="Derive a routing table from the profiles.",
                commands=("promptshed table build",),
            ),
        ),
        (
            progress.n_published == 0,
            Step(
                text="The newest routing table is a draft. Look at it, then publish it.",
                commands=(f"promptshed table publish {progress.n_tables}",),
            ),
        ),
        (
            progress.n_waiting > 0,
            Step(
                text=f"{_clusters(progress.n_waiting)} for a decision: approve or reject each.",
                commands=(
                    "promptshed domains approve CLUSTER",
                    "promptshed domains reject CLUSTER",
                ),
            ),
        ),
    )


def _clusters(n: int) -> str:
    return "1 cluster waits" if n == 1 else f"{n} clusters wait"
