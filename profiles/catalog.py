"""Candidate models and their dated prices: YAML text in, checked frames out.

A file looks like this; `source_url` and `checked_on` may stand at the top for all its models::

    source_url: https://example.com/pricing
    checked_on: 2026-11-23
    models:
      - model_id: example/small
        aliases: [small]
        context_tokens: 131072
        features: [tools]
        certifications: [medical]
        prices:
          - {price_in_usd_per_mtok: 0.2, price_out_usd_per_mtok: 0.8}
          - {since: 2026-10-19, price_in_usd_per_mtok: 0.1, price_out_usd_per_mtok: 0.4,
             batch_price_in_usd_per_mtok: 0.05, batch_price_out_usd_per_mtok: 0.2}

What is not said is unknown: a null, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

import polars as pl
import yaml

from profiles.errors import InputFileError
from profiles.table import conform
from profiles.tables import MODEL_PRICES, MODELS

SINCE_EVER = date(1970, 1, 1)
"""The `since` of a price whose beginning is not known."""

_MOST_USD_PER_MTOK = 1_000_000.0  # a dollar for a token: more is a slip of the unit
_FILE_KEYS = ("source_url", "checked_on", "models")
_MODEL_KEYS = (
    "model_id", "aliases", "context_tokens", "features", "certifications", "prices",
    "source_url", "checked_on",
)  # fmt: skip
_PRICES = ("price_in_usd_per_mtok", "price_out_usd_per_mtok")
_BATCH_PRICES = ("batch_price_in_usd_per_mtok", "batch_price_out_usd_per_mtok")
_PRICE_KEYS = ("since", *_PRICES, *_BATCH_PRICES)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """What is known of candidate models beside their outcomes."""

    models: pl.DataFrame
    """The MODELS table: one row for each name of a model."""
    prices: pl.DataFrame
    """The MODEL_PRICES table: one row for each name and price."""


def parse_catalog(text: str, *, name: str) -> Catalog:
    """Read one models file.

    Parameters
    ----------
    text
        YAML; an empty text is a catalogue without models.
    name
        The file's name, for messages.

    Raises
    ------
    InputFileError
        If the text is no YAML, a key is unknown or missing, a value has the wrong type or range,
        or a model or date is named twice; the message names file, key, expected and found.
    """
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-13-01 is a ValueError
        raise InputFileError(f"{name}: expected YAML, found {_one_line(error)}") from error
    top = _Place(name=name)
    whole = top.mapping(content if content is not None else {}, _FILE_KEYS)
    defaults = {key: whole[key] for key in ("source_url", "checked_on") if key in whole}
    entries = top.at("models").sequence(whole.get("models") or [])
    models: list[dict[str, object]] = []
    prices: list[dict[str, object]] = []
    for number, entry in enumerate(entries, start=1):
        place = top.at(f"models[{number}]")
        model = defaults | place.mapping(entry, _MODEL_KEYS)
        facts = _facts(model, place)
        dated = _prices(model, place)
        for name_of_model in _names(model, place):
            models.append({"model_id": name_of_model} | facts)
            prices.extend(
                {"model_id": name_of_model, "source_url": facts["source_url"]}
                | {"checked_on": facts["checked_on"]}
                | price
                for price in dated
            )
    return _as_catalog(models, prices, top)


def override(base: Catalog, own: Catalog) -> Catalog:
    """Return the models of both; one named in `own` takes what `own` says, the rest from `base`.

    A model with any price in `own` loses all its prices in `base`.
    """
    said = own.models.join(base.models, on="model_id", how="left", suffix="_base").select(
        "model_id",
        *(pl.coalesce(name, f"{name}_base") for name in ("context_tokens", "features")),
        pl.coalesce("certifications", "certifications_base"),
        "source_url",
        "checked_on",
    )
    models = pl.concat([base.models.join(own.models, on="model_id", how="anti"), said])
    prices = pl.concat([base.prices.join(own.prices, on="model_id", how="anti"), own.prices])
    return Catalog(models=conform(models, MODELS), prices=conform(prices, MODEL_PRICES))


def join_catalogs(parts: Sequence[Catalog]) -> Catalog:
    """Return the models of several files.

    Raises
    ------
    SchemaError
        If two files name the same model.
    """
    models = pl.concat([MODELS.empty(), *(part.models for part in parts)])
    prices = pl.concat([MODEL_PRICES.empty(), *(part.prices for part in parts)])
    return Catalog(models=conform(models, MODELS), prices=conform(prices, MODEL_PRICES))


def prices_on(prices: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the price of each model that is in force on a day; models without one are absent."""
    return (
        prices.filter(pl.col("since") <= day)
        .sort("model_id", "since")
        .unique("model_id", keep="last", maintain_order=True)
    )


def batch_prices(prices: pl.DataFrame) -> pl.DataFrame:
    """Return MODEL_PRICES with the prices of batch jobs; null where those are not known."""
    return prices.with_columns(
        pl.col(batch).alias(plain) for plain, batch in zip(_PRICES, _BATCH_PRICES, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where in a file a value stands, to say so if it is wrong."""

    name: str
    key: str = ""

    def at(self, key: str) -> "_Place":
        return _Place(name=self.name, key=f"{self.key}.{key}" if self.key else key)

    def refuse(self, expected: str, found: object) -> NoReturn:
        where = f"{self.name}: {self.key}" if self.key else self.name
        raise InputFileError(f"{where}: expected {expected}, found {found!r}. Correct the file.")

    def mapping(self, value: object, known: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse(f"the keys {', '.join(known)}", value)
        for key in value:
            if key not in known:
                self.refuse(f"one of the keys {', '.join(known)}", key)
        return {str(key): part for key, part in value.items()}

    def sequence(self, value: object) -> list[object]:
        if not isinstance(value, list):
            self.refuse("a list", value)
        return value

    def text(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            self.refuse("a text", value)
        return value

    def texts(self, value: object) -> list[str]:
        return [self.text(part) for part in self.sequence(value)]

    def day(self, value: object) -> date:
        if type(value) is not date:
            self.refuse("a date as YYYY-MM-DD", value)
        return value

    def price(self, value: object) -> float:
        amount = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
        if not 0.0 <= amount <= _MOST_USD_PER_MTOK:
            self.refuse(f"US dollars from 0 to {_MOST_USD_PER_MTOK:,.0f}", value)
        return float(amount)

    def count(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.refuse("a whole number, at least 1", value)
        return value


def _facts(model: Mapping[str, Any], place: _Place) -> dict[str, object]:
    context, features = model.get("context_tokens"), model.get("features")
    certified = model.get("certifications")
    return {
        "context_tokens": None if context is None else place.at("context_tokens").count(context),
        "features": None if features is None else place.at("features").texts(features),
        "certifications": None
        if certified is None
        else place.at("certifications").texts(certified),
        "source_url": place.at("source_url").text(model.get("source_url")),
        "checked_on": place.at("checked_on").day(model.get("checked_on")),
    }


def _prices(model: Mapping[str, Any], place: _Place) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, entry in enumerate(place.at("prices").sequence(model.get("prices") or []), start=1):
        here = place.at(f"prices[{number}]")
        price = here.mapping(entry, _PRICE_KEYS)
        since = here.at("since").day(price.get("since", SINCE_EVER))
        if since in [row["since"] for row in rows]:
            here.at("since").refuse("each date once", str(since))
        row: dict[str, object] = {"since": since}
        row |= {key: here.at(key).price(price.get(key)) for key in _PRICES}
        batch = {key: price.get(key) for key in _BATCH_PRICES}
        known = {
            key: here.at(key).price(value) for key, value in batch.items() if value is not None
        }
        rows.append(row | dict.fromkeys(_BATCH_PRICES) | known)
    return rows


def _names(model: Mapping[str, Any], place: _Place) -> list[str]:
    own = place.at("model_id").text(model.get("model_id"))
    return [own, *place.at("aliases").texts(model.get("aliases") or [])]


def _as_catalog(
    models: list[dict[str, object]], prices: list[dict[str, object]], top: _Place
) -> Catalog:
    names = [row["model_id"] for row in models]
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        top.at("models").refuse("each model_id and alias once", repeated[0])
    return Catalog(
        models=conform(pl.DataFrame(models, schema=MODELS.schema), MODELS),
        prices=conform(pl.DataFrame(prices, schema=MODEL_PRICES.schema), MODEL_PRICES),
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) + "."
