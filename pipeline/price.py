"""Tokens and dated prices give costs, so that a price change needs no call to be made again."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from profiles.catalog import prices_on

_TOKENS_PER_PRICE = 1_000_000.0


@dataclass(frozen=True, kw_only=True)
class ListPrices:
    """The prices in force on a day, whenever a call was made."""

    prices: pl.DataFrame
    """The MODEL_PRICES table, of any days."""
    day: date


def token_costs(outcomes: pl.DataFrame, at: ListPrices) -> pl.Series:
    """Return what each call would cost at list prices.

    Parameters
    ----------
    outcomes
        Columns model_id, n_tokens_in and n_tokens_out.

    Returns
    -------
    Series
        `cost_usd` for each row of `outcomes`, in its order: US dollars; null where a token count
        or the model's price is unknown.
    """
    priced = outcomes.select("model_id", "n_tokens_in", "n_tokens_out").join(
        prices_on(at.prices, at.day), on="model_id", how="left", maintain_order="left"
    )
    cost = (
        pl.col("n_tokens_in") * pl.col("price_in_usd_per_mtok")
        + pl.col("n_tokens_out") * pl.col("price_out_usd_per_mtok")
    ) / _TOKENS_PER_PRICE
    return priced.select(cost_usd=cost)["cost_usd"]


def price_outcomes(outcomes: pl.DataFrame, at: ListPrices | None) -> pl.DataFrame:
    """Return the OUTCOMES table at list prices; without any, as it was recorded.

    A cost that tokens and price do not tell stays as it was recorded; null stays null.
    """
    if at is None:
        return outcomes
    at_prices = token_costs(outcomes, at)
    return outcomes.with_columns(cost_usd=pl.coalesce(at_prices, "cost_usd"))
