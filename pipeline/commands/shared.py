"""Options and printing that several verbs share."""

import functools
import getpass
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import polars as pl

from pipeline.charset import UTF8, encoding_named
from pipeline.encoders import DEFAULT_ENCODER, ENCODER_VARIABLE
from pipeline.jobs import recorded, started_by_page
from pipeline.json_text import finite
from pipeline.store import DEFAULT_PATH, Store

_Command = TypeVar("_Command", bound=Callable[..., Any])


def store_option(command: _Command) -> _Command:
    """Add --store, handed over as an open-on-demand `Store`."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_PATH,
        envvar="PROMPTSHED_STORE",
        show_default=True,
        show_envvar=True,
        callback=lambda _context, _option, path: Store(path=path),
        help="The DuckDB file to work on.",
    )(command)


def encoder_option(command: _Command) -> _Command:
    """Add --encoder."""
    return click.option(
        "--encoder",
        "encoder_name",
        default=DEFAULT_ENCODER,
        envvar=ENCODER_VARIABLE,
        show_default=True,
        show_envvar=True,
        help="all-MiniLM-L6-v2, or a sentence-transformers folder.",
    )(command)


def charset_option(command: _Command) -> _Command:
    """Add --encoding, as `pipeline.charset.encoding_named` returns it."""
    return click.option(
        "--encoding",
        default=UTF8,
        show_default=True,
        callback=lambda _context, _option, name: encoding_named(name),
        help="Of text files, such as windows-1252; UTF-16 is known by its byte order mark.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")(
        command
    )


def actor_option(command: _Command) -> _Command:
    """Add --by."""
    return click.option(
        "--by", "actor", default=getpass.getuser, help="Who decides; your user name by default."
    )(command)


def recorded_job() -> Callable[[_Command], _Command]:
    """Keep a record of the verb beside its store, which the dashboard shows (`pipeline.jobs`).

    A dry run at a terminal leaves nothing behind, so not that either.
    """

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def run(*, store: Store, **options: object) -> object:
            if options.get("dry_run") and not started_by_page():
                return command(store=store, **options)
            context = click.get_current_context()
            arguments = context.find_root().obj or [str(context.info_name)]
            with recorded(store.path, arguments) as end:
                code = command(store=store, **options)
                end(code or 0)
            return code

        return cast("_Command", run)

    return decorate


def say(text: str) -> None:
    """Tell the person at the terminal; standard output stays free for data."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """Print JSON to standard output; NaN and infinity become null."""
    click.echo(json.dumps(finite(value), ensure_ascii=False, indent=2, default=str))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns to standard output; texts to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    left = [all(not _is_number(line[i]) for line in cells) for i in range(len(header))]
    for line in [list(header), *cells]:
        padded = [
            text.ljust(width) if to_left else text.rjust(width)
            for text, width, to_left in zip(line, widths, left, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def print_frame(frame: pl.DataFrame, columns: Sequence[str], *, as_json: bool) -> None:
    """Print all of a frame as JSON, or some columns of it as a table."""
    if as_json:
        print_json(frame.to_dicts())
    else:
        print_table(columns, frame.select(columns).iter_rows())


def print_matches(matches: pl.DataFrame) -> None:
    """Print what a run has made of the domains; nothing where there are no domains."""
    if matches["domain_id"].null_count() == matches.height:
        return
    print_table(
        [
            "fate",
            "domain",
            "cluster",
            "shared",
            "of domain",
            "of cluster",
            "cosine",
            "strange",
            "sure",
        ],
        [
            (
                row["fate"],
                row["domain_id"],
                row["cluster_id"],
                row["n_shared"],
                *(
                    None if row[name] is None else f"{row[name]:.2f}"
                    for name in ("share_of_domain", "share_of_cluster", "cosine", "share_strange")
                ),
                "*" if row["strong"] else "",
            )
            for row in matches.iter_rows(named=True)
        ],
    )


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return " ".join(str(value).split())


def _is_number(text: str) -> bool:
    return text == "–" or text.lstrip("+−-$").replace(",", "")[:1].isdigit()


def number_cell(value: float | None, form: str, *, scale: float = 1.0) -> str | None:
    """Return a number as text; None where it is unknown."""
    return None if value is None or not math.isfinite(value) else form.format(scale * value)


def interval_cell(lo: float | None, hi: float | None, *, scale: float = 1.0) -> str | None:
    """Return an interval as text, signed where it is scaled to points; None where unknown."""
    if lo is None or hi is None:
        return None
    form = "{:.2f}" if scale == 1.0 else "{:+.1f}"
    return f"[{form.format(scale * lo)}, {form.format(scale * hi)}]"
