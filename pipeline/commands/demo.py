"""`promptshed demo`."""

from pathlib import Path

import click

from pipeline.commands.scores_json import holdout_json
from pipeline.commands.scores_shown import print_holdout
from pipeline.commands.shared import encoder_option, json_option, print_json, recorded_job, say
from pipeline.encoders import load_encoder
from pipeline.flows.demo import run_demo
from pipeline.store import Store

DEMO_STORE = Path("data/demo.duckdb")


@click.command("demo")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEMO_STORE,
    show_default=True,
    callback=lambda _context, _option, path: Store(path=path),
    help="Its own file, so that your data stay apart.",
)
@encoder_option
@json_option
@recorded_job()
def demo_command(store: Store, encoder_name: str, *, as_json: bool) -> None:
    """Learn from 1,785 real prompts, route 1,824 never seen ones, and print what was saved."""
    score, routed = run_demo(store, load_encoder(encoder_name), say)
    if as_json:
        print_json(holdout_json(score))
    else:
        print_holdout(score)
    say(f"The routed file: {routed}")
    say(f"Open the app:    promptshed app --store {store.path}")
