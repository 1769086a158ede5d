"""Raw text of an import to typed values: every value is read, unknown, or a reason to reject."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl

from pipeline.mapping import ColumnMapping
from pipeline.scale import blank_to_null, scale_quality
from pipeline.units import PER_SECOND, read_time

RAW = pl.Schema(
    {
        "line": pl.Int64,
        "prompt_id": pl.String,  # null is an empty prompt
        "payload": pl.String,
        **dict.fromkeys(
            (
                "model",
                "quality",
                "cost_usd",
                "latency",
                "n_tokens_in",
                "n_tokens_out",
                "external_id",
                "request_id",
                "occurred_at",
                "label",
                "propensity",
            ),
            pl.String,
        ),
    }
)
"""One row for each call, or for each prompt if no model is named; every value as in the file."""

_AMOUNTS = ("cost_usd", "latency", "n_tokens_in", "n_tokens_out")
_NAMES = ("model", "external_id", "request_id", "label")
_DIGESTED = (
    "external_id",
    "prompt_id",
    "model",
    "occurred_us",
    "quality",
    "cost_usd",
    "latency_s",
    "n_tokens_in",
    "n_tokens_out",
)
_LARGEST_WHOLE = 2.0**53
_N_KNOWN_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """The rows of an import, typed, and the reasons why some were refused."""

    rows: pl.DataFrame
    """Good rows in file order, with `latency_s`, `occurred_at` in UTC and a `request_id`."""
    refused: pl.DataFrame
    """The raw rows that were refused, with `reason`."""
    quality_scale: str
    """The scale that was used."""


def clean_rows(
    raw: pl.DataFrame, mapping: ColumnMapping, *, known_models: Collection[str] | None = None
) -> Cleaned:
    """Read the values of an import.

    Parameters
    ----------
    raw
        Columns `RAW`, in file order.
    mapping
        For its units and its quality scale.
    known_models
        If given, any other model is refused.

    Raises
    ------
    UsageError
        If the quality scale is unknown or cannot be told; see `scale_quality`.
    """
    scaled = scale_quality(raw["quality"], mapping.quality_scale)
    texts = raw.with_columns(
        *(blank_to_null(raw[name]) for name in (*_AMOUNTS, "occurred_at", "propensity")),
        *(_emptied(name) for name in _NAMES),
        quality=scaled.values,
    )
    typed = texts.with_columns(
        *(_number(name).alias(name) for name in (*_AMOUNTS, "propensity")),
        occurred_at=_read_times(texts["occurred_at"], mapping.occurred_at_unit),
    )
    reasons = pl.select(
        _empty_prompt(typed),
        _nameless(raw, typed),
        _unknown_model(typed, known_models),
        scaled.reasons.alias("quality"),
        *(_amount_reason(texts[name], typed[name]) for name in _AMOUNTS),
        _time_reason(texts["occurred_at"], typed["occurred_at"]),
        _propensity_reason(texts["propensity"], typed["propensity"]),
    ).select(pl.concat_str(pl.all(), separator="; ", ignore_nulls=True).alias("reason"))
    with_units = _with_units(typed, mapping).with_columns(reasons["reason"], raw_row=_index(raw))
    good = _with_request_ids(with_units.filter(pl.col("reason") == ""))
    repeats = good.with_columns(_repeat_reason().alias("reason"))
    refused = pl.concat(
        [part.select("raw_row", "reason") for part in (with_units, repeats)]
    ).filter(pl.col("reason") != "")
    return Cleaned(
        rows=repeats.filter(pl.col("reason").is_null()).drop("reason", "raw_row"),
        refused=raw.with_columns(raw_row=_index(raw)).join(refused, on="raw_row", how="inner"),
        quality_scale=scaled.scale,
    )


def _index(frame: pl.DataFrame) -> pl.Series:
    return pl.int_range(frame.height, eager=True)


def _emptied(name: str) -> pl.Expr:
    stripped = pl.col(name).str.strip_chars()
    return pl.when(stripped != "").then(stripped).alias(name)


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False)


def _read_times(texts: pl.Series, unit: str) -> pl.Series:
    """Return times in UTC; null where unknown or unreadable."""
    known = texts.drop_nulls().unique()
    read = {text: read_time(text, unit) for text in known}
    return texts.replace_strict(read, default=None, return_dtype=pl.Datetime("us", "UTC"))


def _with_units(typed: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    per_second = PER_SECOND[mapping.latency_unit]
    return typed.with_columns(
        (pl.col("latency") / per_second).alias("latency_s"),
        pl.col("n_tokens_in", "n_tokens_out").cast(pl.Int64, strict=False),
        pl.col("occurred_at").dt.epoch("us").alias("occurred_us"),
    ).drop("latency")


def _with_request_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Fill in request ids: a digest of the row and how often it occurred before in this file.

    So a repeated row is another call, while importing a file again, or grown, adds nothing twice.
    """
    n_seen: dict[str, int] = {}
    ids: list[str] = []
    for given, *values in rows.select("request_id", *_DIGESTED).iter_rows():
        if given is not None:
            ids.append(given)
            continue
        content = json.dumps(values)
        n_seen[content] = n_seen.get(content, 0) + 1
        numbered = f"{content}#{n_seen[content]}"
        ids.append(blake2b(numbered.encode(), digest_size=16).hexdigest())
    return rows.with_columns(request_id=pl.Series(ids, dtype=pl.String))


def _empty_prompt(typed: pl.DataFrame) -> pl.Series:
    is_empty = typed["prompt_id"].is_null()
    return _when(is_empty, pl.lit("empty prompt"), "prompt")


def _nameless(raw: pl.DataFrame, typed: pl.DataFrame) -> pl.Series:
    """Refuse a quality or a cost without a model, for it can be credited to none."""
    found = [
        pl.when(blank_to_null(raw[name]).is_not_null()).then(pl.lit(name))
        for name in ("quality", "cost_usd")
    ]
    names = pl.select(pl.concat_str(found, separator=" and ", ignore_nulls=True)).to_series()
    is_nameless = typed["model"].is_null() & (names != "")
    return _when(is_nameless, pl.format("{} without a model", names), "model")


def _unknown_model(typed: pl.DataFrame, known_models: Collection[str] | None) -> pl.Series:
    if known_models is None:
        return pl.Series("known", [None] * typed.height, dtype=pl.String)
    known = sorted(known_models)
    shown = ", ".join(known[:_N_KNOWN_SHOWN]) + (" …" if len(known) > _N_KNOWN_SHOWN else "")
    is_unknown = typed["model"].is_not_null() & ~typed["model"].is_in(known)
    text = pl.format("unknown model '{}'; known: {}", typed["model"], pl.lit(shown))
    return _when(is_unknown, text, "known")


def _amount_reason(text: pl.Series, value: pl.Series) -> pl.Series:
    """Refuse what is no finite number of at least 0, and a broken number of tokens."""
    expected = pl.lit("a finite number of at least 0")
    is_refused = ~value.is_finite() | (value < 0)
    if text.name.startswith("n_tokens"):
        expected = pl.lit("a whole number of at least 0")
        is_refused = is_refused | (value != value.floor()) | (value > _LARGEST_WHOLE)
    expected = pl.when(value.is_null()).then(pl.lit("a number")).otherwise(expected)
    is_refused = is_refused | (text.is_not_null() & value.is_null())
    return _found(text, expected, is_refused)


def _time_reason(text: pl.Series, time: pl.Series) -> pl.Series:
    expected = pl.lit("a time such as 2026-01-31T12:00:00Z (a number needs occurred_at_s= or _ms=)")
    return _found(text, expected, text.is_not_null() & time.is_null())


def _propensity_reason(text: pl.Series, value: pl.Series) -> pl.Series:
    is_fine = (value > 0) & (value <= 1)
    expected = pl.lit("a number above 0 and up to 1")
    return _found(text, expected, text.is_not_null() & ~is_fine.fill_null(value=False))


def _found(text: pl.Series, expected: pl.Expr, is_refused: pl.Series) -> pl.Series:
    reason = pl.format(
        "{}: expected {}, found '{}'", pl.lit(text.name), expected, text.str.head(40)
    )
    return _when(is_refused, reason, text.name)


def _repeat_reason() -> pl.Expr:
    """Refuse a second row of one call, and a request id that is used for two prompts."""
    first_prompt = pl.col("prompt_id").first().over("request_id")
    n_before = pl.int_range(pl.len()).over("request_id", "model")
    return (
        pl.when(first_prompt != pl.col("prompt_id"))
        .then(pl.format("request_id '{}' already belongs to another prompt", "request_id"))
        .when(n_before > 0)
        .then(
            pl.format(
                "request_id '{}' repeats for model '{}'",
                "request_id",
                pl.col("model").fill_null("unknown"),
            )
        )
    )


def _when(condition: pl.Series, text: pl.Expr, name: str) -> pl.Series:
    return pl.select(pl.when(condition).then(text).alias(name)).to_series()
