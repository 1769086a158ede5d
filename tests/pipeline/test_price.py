from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.price import ListPrices, price_outcomes, token_costs
from profiles.catalog import parse_catalog
from tests.support import GRID, outcomes_table

DAY = date(2026, 11, 23)


def catalog_of(price_in=1.0, price_out=4.0, later=None):
    rows = [f"{{price_in_usd_per_mtok: {price_in}, price_out_usd_per_mtok: {price_out}}}"]
    if later:
        rows.append(
            f"{{since: 2026-12-01, price_in_usd_per_mtok: {later}, price_out_usd_per_mtok: 0}}"
        )
    text = "source_url: x\nchecked_on: 2026-11-23\nmodels:\n  - {model_id: a, prices: ["
    return parse_catalog(text + ", ".join(rows) + "]}\n", name="x.yml").prices


def at(prices, day=DAY):
    return ListPrices(prices=prices, day=day)


def calls(rows):
    """Return outcomes of rows (model, cost, tokens in, tokens out)."""
    table = outcomes_table([(f"p{i}", row[0], 1.0, row[1]) for i, row in enumerate(rows)])
    return table.with_columns(
        n_tokens_in=pl.Series([row[2] for row in rows], dtype=pl.Int64),
        n_tokens_out=pl.Series([row[3] for row in rows], dtype=pl.Int64),
    )


def test_a_cost_by_hand():
    """1,000 tokens in at $1 and 500 out at $4 a million: $0.001 + $0.002."""
    assert token_costs(calls([("a", None, 1000, 500)]), at(catalog_of())).to_list() == [
        pytest.approx(0.003)
    ]


def test_unknown_stays_null_and_recorded_costs_stay():
    """Without a price or a token count a call costs what was recorded, or is unknown."""
    table = calls([("a", None, 1000, None), ("b", 0.5, 10, 10), ("a", 0.5, 1000, 500)])
    assert token_costs(table, at(catalog_of())).to_list() == [None, None, 0.003]
    assert price_outcomes(table, at(catalog_of()))["cost_usd"].to_list() == [None, 0.5, 0.003]


def test_the_day_decides_and_no_token_is_counted_again():
    """The same calls cost what the price of the day says."""
    table = calls([("a", None, 1_000_000, 0)])
    prices = catalog_of(later=3.0)
    assert token_costs(table, at(prices, date(2026, 11, 30))).item() == 1.0
    assert token_costs(table, at(prices, date(2026, 12, 1))).item() == 3.0


def test_no_calls_and_no_prices():
    """Nothing in, nothing out; without prices everything is as recorded."""
    assert token_costs(calls([]), at(catalog_of())).is_empty()
    table = calls([("a", 0.5, 1, 1)])
    assert price_outcomes(table, at(catalog_of().clear())).equals(table)
    assert price_outcomes(table, None) is table


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from([None, *GRID]),
            st.sampled_from([None, 0, 10, 500]),
            st.sampled_from([None, 0, 10, 500]),
        ),
        max_size=8,
    ),
    st.sampled_from([0.5, 2.0, 1000.0]),
)
def test_scaling_all_prices_scales_cost(rows, factor):
    """Twice the prices, twice the cost of every priced call; other columns and rows stay."""
    table = calls(rows)
    once = token_costs(table, at(catalog_of()))
    scaled = token_costs(table, at(catalog_of(factor, 4.0 * factor)))
    assert scaled.to_list() == [None if c is None else pytest.approx(c * factor) for c in once]
    priced = price_outcomes(table, at(catalog_of()))
    assert priced.drop("cost_usd").equals(table.drop("cost_usd"))
