import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scale import SCALES, blank_to_null, scale_quality
from profiles.errors import UsageError


def series(values):
    return pl.Series("quality", values, dtype=pl.String)


@pytest.mark.parametrize(
    ("scale", "raw", "expected"),
    [
        ("0-1", ["0", "0.25", "1"], [0, 0.25, 1]),
        ("1-5", ["1", "2", "5"], [0, 0.25, 1]),
        ("0-10", ["0", "2.5", "10"], [0, 0.25, 1]),
        ("1-10", ["1", "10"], [0, 1]),
        ("0-100", ["0", "25", "100"], [0, 0.25, 1]),
        ("thumbs", ["up", "Down", "1", "-1", "true"], [1, 0, 1, 0, 1]),
        ("pass-fail", ["PASS", "incorrect", "C", "I", "1", "0.0"], [1, 0, 1, 0, 1, 0]),
    ],
)
def test_each_scale_reaches_from_zero_to_one(scale, raw, expected):
    """The worst value of a scale is 0, the best is 1, and the rest is linear."""
    scaled = scale_quality(series(raw), scale)
    assert scaled.values.to_list() == expected
    assert scaled.reasons.null_count() == len(raw)


@pytest.mark.parametrize(
    ("raw", "scale"),
    [
        (["0.5", "1", None], "0-1"),
        (["true", "false"], "pass-fail"),
        (["0", "1", "true"], "pass-fail"),
        (["up", "down"], "thumbs"),
        (["up", "-1"], "thumbs"),
        (["0.5", "abc"], "0-1"),
        ([None, "", "NaN"], "0-1"),
        ([], "0-1"),
    ],
)
def test_auto_takes_unambiguous_evidence(raw, scale):
    """Words say their scale themselves; numbers do only if all lie in [0, 1]."""
    assert scale_quality(series(raw)).scale == scale


@pytest.mark.parametrize("scale", SCALES)
def test_unknown_stays_unknown(scale):
    """Empty, null, NaN and n/a are null on every scale, neither 0 nor a reason to reject."""
    scaled = scale_quality(series([None, "", "  ", "null", "NaN", "n/a", "None"]), scale)
    assert scaled.values.null_count() == 7
    assert scaled.reasons.null_count() == 7


@given(
    raw=st.lists(st.sampled_from(["0", "0.5", "1", "3", "7", "-1", "inf", "abc", "up", None])),
    scale=st.sampled_from([name for name in SCALES if name != "auto"]),
)
def test_every_value_is_read_unknown_or_refused(raw, scale):
    """A value never leaves [0, 1] and never vanishes: it is a number, null, or has a reason."""
    scaled = scale_quality(series(raw), scale)
    assert scaled.values.drop_nulls().is_between(0, 1).all()
    for text, value, reason in zip(raw, scaled.values, scaled.reasons, strict=True):
        assert (value is None) == (text is None or reason is not None)
        assert reason is None or text in reason


def test_values_outside_the_scale_are_refused_with_the_scale_in_words():
    """Nothing is clipped: 7 of 5 is refused."""
    scaled = scale_quality(series(["7"]), "1-5")
    assert scaled.values.to_list() == [None]
    assert scaled.reasons.to_list() == ["quality: expected a number from 1 to 5, found '7'"]


@pytest.mark.parametrize(
    ("raw", "scale", "message"),
    [
        (["0.5", "4"], "auto", r"from 0.5 to 4.*--quality-scale 0-10 \| 0-100"),
        (["1", "-1"], "auto", "--quality-scale thumbs"),
        (["-3"], "auto", "None of .* fits"),
        (["abc"], "auto", "found 'abc'.*--mapping quality=COLUMN"),
        (["0.5", "true"], "auto", "found '0.5', 'true'"),
        (["up", "pass"], "auto", "found 'pass', 'up'"),
        (["1"], "stars", "Unknown quality scale 'stars'; known: auto, 0-1"),
    ],
)
def test_an_ambiguous_scale_is_asked_about(raw, scale, message):
    """Without unambiguous evidence the error names the scales that fit."""
    with pytest.raises(UsageError, match=message):
        scale_quality(series(raw), scale)


def test_blank_to_null_keeps_the_name_and_strips():
    """White space around a value is no part of it."""
    cleaned = blank_to_null(pl.Series("cost", [" 1", " "]))
    assert (cleaned.name, cleaned.to_list()) == ("cost", ["1", None])
