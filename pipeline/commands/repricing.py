"""Options that take costs at list prices instead of as they were recorded."""

import functools
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.commands.shared import say
from pipeline.flows.clock import now
from pipeline.models_file import load_catalog, models_path
from pipeline.price import ListPrices, token_costs
from pipeline.store import Store
from profiles.errors import UsageError
from profiles.tables import OUTCOMES

_Command = TypeVar("_Command", bound=Callable[..., Any])

models_file_option = click.option(
    "--models-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PROMPTSHED_MODELS",
    show_envvar=True,
    help="Your own models and prices; beside the store by default, as STORE.models.yml.",
)
day_option = click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The prices in force on this day; today by default.",
)
_reprice_option = click.option(
    "--reprice", is_flag=True, help="Costs are tokens at list prices, where known."
)


def reprice_options(command: _Command) -> _Command:
    """Add --reprice, --on and --models-file, and hand them over as `at`; None: as recorded."""

    @functools.wraps(command)
    def with_prices(  # noqa: ANN202 - whatever the command gives
        *,
        store: Store,
        reprice: bool,
        day: datetime | None,
        models_file: Path | None,
        **given: object,
    ):
        if day is not None and not reprice:
            raise UsageError("--on names the day of the prices, so it needs --reprice.")
        at = list_prices(store, day_of(day), models_file) if reprice else None
        return command(store=store, at=at, **given)

    options = (_reprice_option, day_option, models_file_option)
    return functools.reduce(lambda wrapped, option: option(wrapped), options, with_prices)  # pyright: ignore[reportReturnType]


def day_of(given: datetime | None) -> date:
    """Return the day that was asked for; today by default."""
    return now().date() if given is None else given.date()


def list_prices(store: Store, day: date, models_file: Path | None = None) -> ListPrices:
    """Return the prices of a day and say of how many outcomes they tell the cost."""
    at = ListPrices(prices=load_catalog(models_file or models_path(store.path)).prices, day=day)
    known = token_costs(store.read(OUTCOMES), at)
    say(
        f"{len(known) - known.null_count():,} of {len(known):,} outcomes have tokens and a "
        f"price of {day}; the others keep their recorded cost."
    )
    return at
