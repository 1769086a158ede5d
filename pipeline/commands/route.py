"""`promptshed route`."""

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from pipeline.batch import BatchSummary, Decide, Shard, route_file
from pipeline.commands.policy import max_shares_of
from pipeline.commands.shared import (
    charset_option,
    encoder_option,
    json_option,
    print_json,
    recorded_job,
    say,
    store_option,
)
from pipeline.encoders import load_encoder
from pipeline.flows.routing import Router, Sharer, Spender, load_router
from pipeline.formats import PARQUET, target_format
from pipeline.ingest import read_mapping
from pipeline.mapping import ColumnMapping
from pipeline.progress import progress_bar
from pipeline.resuming import (
    Checkpoint,
    Keeping,
    checkpoint_path,
    input_identity,
    read_checkpoint,
)
from pipeline.rows import STDIN, is_pipe
from pipeline.store import Store
from profiles.errors import SOME_ROWS_REJECTED, UsageError


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The options of one `promptshed route`."""

    source: str
    target: str | None
    mapping: ColumnMapping | None
    encoding: str
    budget_usd: float | None
    max_shares: tuple[str, ...]
    explore: float
    shard: Shard | None
    resume: bool
    dry_run: bool
    raw_cells: bool

    def require_sense(self) -> None:
        """Refuse what cannot be done together."""
        if self.target is None and not self.dry_run:
            raise UsageError("Say where to write: -o FILE, -o - for standard output, or --dry-run.")
        _require_two_passes(self)
        if self.resume and not self.can_go_on():
            raise UsageError(
                "--resume goes on from a file to a .csv or .jsonl file (also .gz or .zst); it "
                "cannot continue Parquet, pipes or a dry run. Leave it out to start again."
            )

    def can_go_on(self) -> bool:
        """Tell whether an interrupted run of these options can be continued."""
        if self.dry_run or is_pipe(self.source) or self.target == STDIN:
            return False
        format_ = target_format(str(self.target))
        return format_ is not None and format_.kind != PARQUET

    def name(self, router: Router) -> dict[str, object]:
        """Return what must be the same for a run to go on."""
        return input_identity(Path(self.source)) | {
            "version of Promptshed": importlib.metadata.version("promptshed"),
            "table version": router.model.table_version,
            "--mapping": str(self.mapping),
            "--encoding": self.encoding,
            "--budget-usd": self.budget_usd,
            "--max-share": sorted(self.max_shares),
            "--explore": self.explore,
            "--shard": str(self.shard),
            "--raw-cells": self.raw_cells,
        }


@click.command("route")
@click.argument("source")
@click.option("-o", "--output", "target", help="Where to write; - is standard output.")
@click.option("--version", type=int, help="Table version; the current one by default.")
@click.option("--mapping", help="prompt=COLUMN where it is not detected.")
@charset_option
@click.option(
    "--budget-usd",
    type=click.FloatRange(0.0),
    help="Most that the whole file may cost by the table's estimates. Reads the file twice.",
)
@click.option(
    "--max-share",
    "max_shares",
    multiple=True,
    metavar="MODEL=SHARE",
    help="Largest share of the file's prompts for a model. Reads the file twice.",
)
@click.option(
    "--explore",
    default="0",
    metavar="SHARE",
    help="Share of the rows, such as 5%, that get a model drawn at random within the limits.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
@click.option("--shard", metavar="I/N", help="Only the I-th of N parts of the file, from 1.")
@click.option("--dry-run", is_flag=True, help="Decide and count, write nothing.")
@click.option("--raw-cells", is_flag=True, help="CSV: do not guard cells against formulas.")
@store_option
@encoder_option
@json_option
@recorded_job()
def route_command(
    version: int | None,
    mapping: str | None,
    explore: str,
    shard: str | None,
    store: Store,
    encoder_name: str,
    *,
    as_json: bool,
    **options: object,
) -> int:
    """Give every row of a file its model: same columns and order, plus the receipt."""
    given = read_mapping(mapping) if mapping else None
    asked = _Asked(
        mapping=given,
        explore=_share_of(explore),
        shard=_shard_of(shard),
        **options,  # pyright: ignore[reportArgumentType]
    )
    asked.require_sense()
    loaded = load_router(store, load_encoder(encoder_name), version)
    router = replace(loaded, explore=asked.explore)
    summary, spender = _route(asked, router)
    say(_routed(summary))
    if spender:
        say(_budgeted(spender.quality_for_a_dollar))
    if as_json and asked.target != STDIN:
        print_json(
            summary.__dict__
            | {"path": str(summary.path) if summary.path else None}
            | ({"quality_for_a_dollar": spender.quality_for_a_dollar} if spender else {})
        )
    return SOME_ROWS_REJECTED if summary.n_rejected else 0


def _route(asked: _Asked, router: Router) -> tuple[BatchSummary, Spender | None]:
    keeping = None
    if asked.can_go_on() and Path(asked.source).is_file():
        keeping = _keeping(asked, asked.name(router))
    decider = _decider(asked, router, keeping.resume if keeping else None)
    keeping = keeping and replace(keeping, state=decider.state)
    try:
        summary = _run(asked, decider.decide, dry_run=asked.dry_run, keeping=keeping)
    except KeyboardInterrupt:
        if keeping is None:
            raise
        raise KeyboardInterrupt("add --resume to the same command to go on.") from None
    return summary, decider if isinstance(decider, Spender) else None


def _keeping(asked: _Asked, name: Mapping[str, object]) -> Keeping:
    """Find out whether there is a run to go on with, and say so."""
    target = Path(str(asked.target))
    if not asked.resume:
        if checkpoint_path(target).exists():
            say(f"An interrupted run of {target} is thrown away; --resume would have gone on.")
        return Keeping(asked=name)
    found = read_checkpoint(target, name)
    if found is None:
        say(f"There is no interrupted run of {target}: starting at the beginning.")
    else:
        say(f"Going on after {found.n_rows:,} rows.")
    return Keeping(asked=name, resume=found)


def _decider(asked: _Asked, router: Router, resume: Checkpoint | None) -> Router | Spender | Sharer:
    """Return what decides; limits on the file take a pass over it before."""
    if asked.budget_usd is not None:
        if resume is not None:
            return router.spender(resume.state)
        counter = router.counter()
        _run(asked, counter.decide, dry_run=True)
        return counter.spend(asked.budget_usd)
    if asked.max_shares:
        weigher = router.weigher()
        _run(asked, weigher.decide, dry_run=True)
        n_done = int(resume.state["n_done"]) if resume else 0
        return weigher.share(max_shares_of(asked.max_shares), n_done=n_done)
    return router


def _run(
    asked: _Asked, decide: Decide, *, dry_run: bool, keeping: Keeping | None = None
) -> BatchSummary:
    with _row_counter() as progress:
        return route_file(
            asked.source,
            asked.target or STDIN,
            decide,
            mapping=asked.mapping,
            encoding=asked.encoding,
            progress=progress,
            dry_run=dry_run,
            guard_formulas=not asked.raw_cells,
            shard=asked.shard,
            keeping=keeping,
        )


def _share_of(text: str) -> float:
    """Return `5%` or `0.05` as a number in [0, 1]."""
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"--explore {text}: expected a share, such as 5% or 0.05.")
    return share


def _shard_of(text: str | None) -> Shard | None:
    if text is None:
        return None
    number, _, of = text.partition("/")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
        return Shard(number=int(number), of=int(of))
    raise UsageError(f"--shard {text}: expected I/N, such as 1/4, the first of four parts.")


@contextmanager
def _row_counter() -> Iterator[Callable[[int], None]]:
    """Show a bar for the rows of a file; gives a function to tell how many are done."""
    bar = progress_bar("route", None)
    seen = 0

    def progress(n_rows: int) -> None:
        nonlocal seen
        bar.update(n_rows - seen)
        seen = n_rows

    yield progress
    bar.close()


def _require_two_passes(asked: _Asked) -> None:
    limits_file = asked.budget_usd is not None or bool(asked.max_shares)
    if limits_file and asked.shard is not None:
        raise UsageError(
            "--budget-usd and --max-share hold for a whole file, which one shard does not see. "
            "Route the whole file, or cut it up and give each piece a budget of its own."
        )
    if asked.budget_usd is not None and asked.max_shares:
        raise UsageError(
            "--budget-usd and --max-share cannot both be kept on one file. Keep the share on "
            "average instead: `promptshed table build --max-share ...`, then route with the budget."
        )
    if limits_file and asked.explore:
        raise UsageError(
            "--explore draws models at random, so no budget and no share of a file could be kept. "
            "Route without it, or limit the table instead: `promptshed table build --max-share`."
        )
    if limits_file and is_pipe(asked.source):
        raise UsageError(
            "--budget-usd and --max-share take two passes, and standard input can be read once "
            "only, like every pipe. Save it to a file and route that."
        )


def _budgeted(quality_for_a_dollar: float) -> str:
    if quality_for_a_dollar == 0.0:
        return "The budget does not bind: more of it would change nothing."
    return (
        f"The budget binds: one more dollar would buy {quality_for_a_dollar:,.3g} more of quality "
        "(1 is a prompt answered rightly instead of wrongly)."
    )


def _routed(summary: BatchSummary) -> str:
    cost = summary.expected_cost_usd
    calls = ", ".join(f"{model} {n:,}" for model, n in summary.calls.items()) or "none"
    money = "unknown cost" if cost is None else f"expected cost ${cost:,.4f}"
    lost = f" {summary.n_rejected:,} rows could not be read." if summary.n_rejected else ""
    empty = f" {summary.n_unroutable:,} have no prompt." if summary.n_unroutable else ""
    away = f" {summary.n_unassigned:,} are unlike every domain." if summary.n_unassigned else ""
    return (
        f"{summary.n_routed:,} of {summary.n_rows:,} rows routed: {calls}; {money}."
        f"{away}{empty}{lost}"
    )
