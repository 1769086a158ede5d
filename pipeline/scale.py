"""Quality scales: from stars, thumbs and points to a number in [0, 1]."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from profiles.errors import UsageError

AUTO, UNIT, THUMBS, PASS_FAIL = "auto", "0-1", "thumbs", "pass-fail"
_RANGES: Mapping[str, tuple[float, float]] = {
    UNIT: (0, 1),
    "1-5": (1, 5),
    "0-10": (0, 10),
    "1-10": (1, 10),
    "0-100": (0, 100),
}
_WORDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # scale: words for 0, words for 1
    PASS_FAIL: (
        ("fail", "failed", "incorrect", "wrong", "i", "false", "no", "0", "0.0"),
        ("pass", "passed", "correct", "right", "c", "true", "yes", "1", "1.0"),
    ),
    THUMBS: (
        ("down", "thumbs_down", "thumbs down", "dislike", "false", "-1", "-1.0"),
        ("up", "thumbs_up", "thumbs up", "like", "true", "1", "1.0"),
    ),
}
SCALES = (AUTO, *_RANGES, THUMBS, PASS_FAIL)
_NULLS = ("", "null", "none", "nan", "n/a", "na")
_N_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class ScaledQuality:
    """A column of quality on the scale from 0 to 1."""

    values: pl.Series
    """Float64 in [0, 1]; null where unknown or unreadable."""
    reasons: pl.Series
    """String: why the value was refused; null where it was not."""
    scale: str
    """The scale that was used."""


def scale_quality(raw: pl.Series, scale: str = AUTO) -> ScaledQuality:
    """Bring a column of quality onto [0, 1].

    Parameters
    ----------
    raw
        String; empty, `null`, `NaN` and `n/a` are unknown.
    scale
        One of `SCALES`. ``auto`` takes words as they are and numbers only if all lie in [0, 1].

    Raises
    ------
    UsageError
        If the scale is unknown, or ``auto`` finds no unambiguous one.
    """
    if scale not in SCALES:
        raise UsageError(f"Unknown quality scale {scale!r}; known: {', '.join(SCALES)}.")
    cleaned = blank_to_null(raw.str.to_lowercase())
    chosen = _choose_scale(cleaned) if scale == AUTO else scale
    if chosen in _RANGES:
        low, high = _RANGES[chosen]
        numbers = _numbers(cleaned)
        values = pl.select(pl.when(numbers.is_between(low, high)).then(numbers)).to_series()
        values, expected = (values - low) / (high - low), f"a number from {low:g} to {high:g}"
    else:
        bad, good = _WORDS[chosen]
        codes = dict.fromkeys(bad, 0.0) | dict.fromkeys(good, 1.0)
        values = cleaned.replace_strict(codes, default=None, return_dtype=pl.Float64)
        expected = f"one of {', '.join([*bad, *good])}"
    return ScaledQuality(
        values=values.alias("quality"),
        reasons=_reasons(raw, cleaned.is_not_null() & values.is_null(), expected),
        scale=chosen,
    )


def blank_to_null(texts: pl.Series) -> pl.Series:
    """Return texts without white space around them; null where that leaves no value.

    >>> blank_to_null(pl.Series([" 1 ", "", "NaN", "N/A"])).to_list()
    ['1', None, None, None]
    """
    stripped = texts.str.strip_chars()
    is_blank = stripped.str.to_lowercase().is_in(list(_NULLS))
    return pl.select(pl.when(~is_blank).then(stripped)).to_series().alias(texts.name)


def _reasons(raw: pl.Series, is_refused: pl.Series, expected: str) -> pl.Series:
    text = pl.format("quality: expected {}, found '{}'", pl.lit(expected), raw.str.head(40))
    return pl.select(pl.when(is_refused).then(text)).to_series().alias("reason")


def _numbers(cleaned: pl.Series) -> pl.Series:
    numbers = cleaned.cast(pl.Float64, strict=False)
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()


def _choose_scale(cleaned: pl.Series) -> str:
    """Return the only scale that the values leave open."""
    known = cleaned.drop_nulls().unique()
    numbers = _numbers(known).drop_nulls()
    words = set(known.filter(_numbers(known).is_null()).to_list())
    if len(numbers) == 0 and words:
        return _choose_words(words)
    if _is_within(numbers, UNIT) and not words & _all_words():
        return UNIT
    if words & _all_words() and set(numbers.to_list()) <= {-1.0, 0.0, 1.0}:
        return _choose_words(set(known.to_list()))
    if words & _all_words():
        raise _mixed(words | {f"{number:g}" for number in numbers})
    fits = [name for name in _RANGES if _is_within(numbers, name)]
    fits += [THUMBS] if set(numbers.to_list()) <= {-1.0, 1.0} else []
    advice = (
        f"Say which with --quality-scale {' | '.join(fits)}."
        if fits
        else (
            f"None of {', '.join(SCALES[1:])} fits; values outside the one you name are rejected."
        )
    )
    raise UsageError(
        "Quality: expected words or numbers from 0 to 1, found numbers from "
        f"{numbers.min():g} to {numbers.max():g}. {advice}"
    )


def _choose_words(words: set[str]) -> str:
    recognised = words & _all_words()
    for name, (bad, good) in _WORDS.items():
        if recognised and recognised <= {*bad, *good}:
            return name
    raise _mixed(words)


def _mixed(found: set[str]) -> UsageError:
    examples = ", ".join(repr(word) for word in sorted(found)[:_N_EXAMPLES])
    return UsageError(
        f"Quality: expected words of one scale or numbers from 0 to 1, found {examples}. "
        f"Name the scale with --quality-scale ({', '.join(SCALES[1:])}), or another column with "
        "--mapping quality=COLUMN."
    )


def _all_words() -> set[str]:
    return {word for words in _WORDS.values() for side in words for word in side}


def _is_within(numbers: pl.Series, scale: str) -> bool:
    return bool(numbers.is_between(*_RANGES[scale]).all())
