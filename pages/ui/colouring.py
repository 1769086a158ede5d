"""What the points of the map can be coloured by, and how."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from pages.ui import format as text
from pages.ui import map_reads, reads
from pages.ui.cloud import NOT_FOUND
from pages.ui.colours import NEUTRAL, PALETTE, model_colours
from pipeline.atlas import (
    CONFIDENCE_NAMES,
    CONFIDENCES,
    NO_DOMAIN,
    REGRET_NAMES,
    REGRETS,
    UNKNOWN,
    binned,
    quarters,
    with_value,
)

FOUND = "found"
REGRET, CONFIDENCE = "Regret", "Confidence"
_GROUPS = {"Domain": "domain", "Cluster": "cluster", "Best model": "model"}
_STORED: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "Label": ("label", str),
    "Mean quality": ("quality", text.quality),
    "Mean cost": ("cost_usd", lambda cost: f"{text.dollars_per_1000(cost)} per 1,000"),
    "Mean latency": ("latency_s", lambda seconds: f"{seconds:.2g} s"),
    "Prompt length": ("n_characters", lambda n: f"{text.count(n)} characters"),
    "Tokens in": ("n_tokens_in", lambda n: f"{text.count(n)} tokens"),
    "Tokens out": ("n_tokens_out", lambda n: f"{text.count(n)} tokens"),
    "Times asked": ("n_requests", text.count),
}
_STEPS = ("#56B4E9", "#009E73", "#E69F00", "#D55E00")


@dataclass(frozen=True, kw_only=True)
class Coloured:
    """Points with the column that decides their colour."""

    points: pl.DataFrame
    column: str
    colours: Mapping[str, str] | None
    """Colour of each group, in the order of the legend; None: by size."""
    note: str = ""
    """What has to be said about it."""


def choices() -> list[str]:
    """Return what is known of the prompts, most used first."""
    table = reads.current_table()
    judged = [REGRET] if table and reads.can_look_back(table.table_version) else []
    stored = [name for name, (column, _) in _STORED.items() if column in map_reads.known_columns()]
    return [*_GROUPS, *judged, *([CONFIDENCE] if table else []), *stored]


def worth_drawing(choice: str) -> pl.Series | None:
    """Return the prompts that should be drawn before others, which would have no colour."""
    return _regrets()["prompt_id"] if choice == REGRET else None


def coloured(drawn: pl.DataFrame, choice: str) -> Coloured:
    """Give the points that are drawn what decides their colour."""
    if choice in _GROUPS:
        column = _GROUPS[choice]
        known = model_colours(reads.model_ids()) | {NO_DOMAIN: NEUTRAL}
        return Coloured(points=drawn, column=column, colours=known if column == "model" else None)
    if choice == REGRET:
        values = _regrets().select("prompt_id", value="regret").drop_nulls()
        return _in_bins(drawn, values, REGRETS, dict(zip(REGRET_NAMES, _STEPS, strict=True)))
    if choice == CONFIDENCE:
        table = reads.current_table()
        placed = map_reads.confidences(table.table_version if table else 0, drawn["prompt_id"])
        values = placed.select("prompt_id", value="confidence").drop_nulls()
        steps: dict[str, str] = dict(zip(CONFIDENCE_NAMES, reversed(_STEPS), strict=True))
        return _in_bins(drawn, values, CONFIDENCES, steps)
    return _stored(drawn, choice)


def marked(points: pl.DataFrame, prompt_ids: pl.Series) -> Coloured:
    """Part the points that a search has found from the others."""
    there = pl.col("prompt_id").is_in(prompt_ids.implode())
    return Coloured(
        points=points.with_columns(
            pl.when(there).then(pl.lit(FOUND)).otherwise(pl.lit(NOT_FOUND)).alias(FOUND)
        ),
        column=FOUND,
        colours={FOUND: PALETTE[5]},
    )


def _regrets() -> pl.DataFrame:
    table = reads.current_table()
    found = reads.hindsight(table.table_version) if table else None
    if found is None:
        return pl.DataFrame(schema={"prompt_id": pl.String, "regret": pl.Float64})
    return found.prompts


def _stored(drawn: pl.DataFrame, choice: str) -> Coloured:
    column, write = _STORED[choice]
    values = map_reads.column(column, drawn["prompt_id"])
    if values["value"].dtype == pl.String:
        return Coloured(points=with_value(drawn, values, column), column=column, colours=None)
    written = {write(edge): edge for edge in quarters(values["value"])}  # alike ones fall together
    said = list(written)
    between = [f"{low} to {high}" for low, high in pairwise(said)]
    names = (f"up to {said[0]}", *between, f"above {said[-1]}") if said else ("all the same",)
    steps = dict(zip(names, _STEPS, strict=False))
    return _in_bins(drawn, values, tuple(written.values()), steps)


def _in_bins(
    drawn: pl.DataFrame, values: pl.DataFrame, edges: Sequence[float], steps: Mapping[str, str]
) -> Coloured:
    named = with_value(drawn, binned(values, edges, tuple(steps)), "bin")
    n_known = named.height - named.filter(bin=UNKNOWN).height
    note = (
        ""
        if n_known == named.height
        else (
            f"Known of {text.count(n_known)} of the {text.counted(named.height, 'prompt')} drawn."
        )
    )
    return Coloured(points=named, column="bin", colours=steps, note=note)
