"""What other prices would do to costs and to the table: a what-if that changes nothing."""

from datetime import date

import polars as pl
import streamlit as st

from pages.ui import finding, reads
from pages.ui import format as text
from pages.ui.columns import columns_of
from pipeline.config import read_policy
from pipeline.expected import THIS_TABLE, Expectation, expect
from pipeline.models_file import models_path, price_entry
from pipeline.study import Study, scaled_costs, settle
from profiles.errors import PromptshedError
from profiles.tables import ROUTING_TABLES

_IN, _OUT, _TIMES = "$ in per million", "$ out per million", "Times today's price"


def show(study: Study | None, version: int | None) -> None:
    """Let prices be edited; shows costs and the table at them, and how to keep a price."""
    calls = reads.model_calls()
    st.caption(
        "A what-if: nothing is saved. Costs scale with the price, tokens and answers stay as they "
        "were logged."
    )
    editable = _editable(calls)
    typed = st.data_editor(
        editable,
        hide_index=True,
        disabled=["Model", "Tokens in", "Tokens out", "$ per 1,000"],
        key="prices",
        placeholder=text.DASH,
        alt="Prices of the models",
        column_config={
            **columns_of(editable),
            _IN: st.column_config.NumberColumn(min_value=0.0, format="%.3f"),
            _OUT: st.column_config.NumberColumn(min_value=0.0, format="%.3f"),
            _TIMES: st.column_config.NumberColumn(
                min_value=0.0, format="%.2f", help="Where tokens or the list price are unknown."
            ),
        },
    )
    edited = pl.DataFrame(typed)
    ratios = price_ratios(calls, edited)
    changed = {model: ratio for model, ratio in ratios.items() if abs(ratio - 1.0) > 1e-9}
    if not changed:
        return
    if study is not None and version is not None:
        _effect(study, version, changed)
    _keep(edited, calls)


def price_ratios(calls: pl.DataFrame, edited: pl.DataFrame) -> dict[str, float]:
    """Return by what each model's cost is multiplied at the edited prices.

    Where tokens and list price are known, it is the cost of the mean tokens at the edited price
    over that at the list price; elsewhere the factor that was typed.
    """
    ratios = {}
    for now, then in zip(calls.iter_rows(named=True), edited.iter_rows(named=True), strict=True):
        before = _cost(now["n_tokens_in"], now["n_tokens_out"], now["price_in"], now["price_out"])
        after = _cost(now["n_tokens_in"], now["n_tokens_out"], then.get(_IN), then.get(_OUT))
        factor = then[_TIMES]
        factor = 1.0 if factor is None else factor
        if before and after is not None:
            factor *= after / before
        ratios[now["model_id"]] = factor
    return ratios


def _cost(*numbers: float | None) -> float | None:
    known = [number for number in numbers if number is not None]
    if len(known) < 4:
        return None
    n_in, n_out, price_in, price_out = known
    return (n_in * price_in + n_out * price_out) / 1e6


def _editable(calls: pl.DataFrame) -> pl.DataFrame:
    return calls.select(
        pl.col("model_id").alias("Model"),
        pl.col("price_in").alias(_IN),
        pl.col("price_out").alias(_OUT),
        pl.lit(1.0).alias(_TIMES),
        pl.col("n_tokens_in").alias("Tokens in"),
        pl.col("n_tokens_out").alias("Tokens out"),
        (1000 * pl.col("cost_usd")).alias("$ per 1,000"),
    )


def _effect(study: Study, version: int, ratios: dict[str, float]) -> None:
    row = reads.read(ROUTING_TABLES, table_version=version).row(0, named=True)
    policy = read_policy(row["policy"])
    kept = tuple(model_id for model_id in study.eligible if model_id not in policy.deny)
    before = expect(row["held_out"], reference_model_id=row["reference_model_id"])
    scaled = scaled_costs(study.columns(kept), ratios)
    try:
        settled = settle(scaled, policy)
    except PromptshedError as error:
        st.error(text.as_markdown(str(error)))
        return
    after = expect(settled.held_out, reference_model_id=row["reference_model_id"])
    if before and after:
        _say(before, after, version)


def _say(before: Expectation, after: Expectation, version: int) -> None:
    ours, then = before.option(THIS_TABLE), after.option(THIS_TABLE)
    st.markdown(
        f"Table {version} costs \\{text.dollars_per_1000(ours['cost_usd'])} per 1,000 prompts at "
        f"quality {text.quality(ours['quality'])} today. Built again at these prices, the same "
        f"policy would cost **\\{text.dollars_per_1000(then['cost_usd'])}** at quality "
        f"**{text.quality(then['quality'])}**."
    )
    st.markdown(finding.sentence(after))
    st.caption(f"n = {text.count(after.n_prompts)} training prompts, as on the page Policy.")


def _keep(edited: pl.DataFrame, calls: pl.DataFrame) -> None:
    """Show what to write into the models file for prices that differ from the list."""
    listed = calls.select("price_in", "price_out").rows()
    entries = [
        price_entry(row["Model"], row[_IN], row[_OUT], since=date.today())  # noqa: DTZ011
        for row, prices in zip(edited.iter_rows(named=True), listed, strict=True)
        if row[_IN] is not None and row[_OUT] is not None and (row[_IN], row[_OUT]) != prices
    ]
    if entries:
        path = text.as_markdown(str(models_path(reads.store().path)))
        st.write(f"To keep these prices, put this under `models:` in {path}:")
        st.code("".join(entries), language="yaml")
