"""Tokens and dated prices give costs, so that a price change needs no call to be made again."""

from datetime import date

import polars as pl

from profiles.catalog import prices_on

_TOKENS_PER_PRICE = 1_000_000.0


def token_costs(outcomes: pl.DataFrame, prices: pl.DataFrame, *, day: date) -> pl.Series:
    """Return what each call would cost at the prices of a day.

    Parameters
    ----------
    outcomes
        Columns model_id, n_tokens_in and n_tokens_out.
    prices
        The MODEL_PRICES table.
    day
        The price in force on this day counts, whenever the call was made.

    Returns
    -------
    Series
        `cost_usd` for each row of `outcomes`, in its order: US dollars; null where a token count
        or the model's price is unknown.
    """
    priced = outcomes.select("model_id", "n_tokens_in", "n_tokens_out").join(
        prices_on(prices, day), on="model_id", how="left", maintain_order="left"
    )
    cost = (
        pl.col("n_tokens_in") * pl.col("price_in_usd_per_mtok")
        + pl.col("n_tokens_out") * pl.col("price_out_usd_per_mtok")
    ) / _TOKENS_PER_PRICE
    return priced.select(cost_usd=cost)["cost_usd"]


def price_outcomes(outcomes: pl.DataFrame, prices: pl.DataFrame, *, day: date) -> pl.DataFrame:
    """Return the OUTCOMES table at the prices of a day.

    A cost that tokens and price do not tell stays as it was recorded; null stays null.
    """
    at_prices = token_costs(outcomes, prices, day=day)
    return outcomes.with_columns(cost_usd=pl.coalesce(at_prices, "cost_usd"))
