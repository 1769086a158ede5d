"""`promptshed search`."""

import click
import polars as pl

from pipeline.commands.shared import (
    encoder_option,
    json_option,
    print_json,
    print_table,
    say,
    store_option,
)
from pipeline.encoders import load_encoder
from pipeline.flows.encoding import prompt_texts
from pipeline.flows.searching import nearest_prompts
from pipeline.label import quote
from pipeline.store import Store
from profiles.errors import UsageError


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 10_000))
@store_option
@encoder_option
@json_option
def search_command(
    words: tuple[str, ...], most: int, store: Store, encoder_name: str, *, as_json: bool
) -> None:
    """Find the prompts nearest in meaning to WORDS, by the vectors that discovery has made."""
    asked = " ".join(words)
    if not asked.strip():
        raise UsageError("Expected words to search for, found none but white space.")
    encoder = load_encoder(encoder_name)
    [vector] = encoder.encode([asked])
    found = nearest_prompts(store, encoder.encoder_id, vector, most)
    texts = prompt_texts(store, found["prompt_id"].to_list())
    if as_json:
        print_json(found.with_columns(text=pl.Series(texts, dtype=pl.String)).to_dicts())
        return
    print_table(
        ["cosine", "prompt"],
        [
            (f"{cosine:.2f}", quote(text, longest=160))
            for cosine, text in zip(found["cosine"], texts, strict=True)
        ],
    )
    say("The cosine goes up to 1, for the same text.")
