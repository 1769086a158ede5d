import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.catalog import SINCE_EVER, join_catalogs, override, parse_catalog, prices_on
from profiles.errors import InputFileError, SchemaError

SMALL = """
source_url: https://example.com/pricing
checked_on: 2026-11-23
models:
  - model_id: example/small
    aliases: [small]
    context_tokens: 1000
    features: [tools]
    prices:
      - {price_in_usd_per_mtok: 0.2, price_out_usd_per_mtok: 0.8}
      - {since: 2026-10-19, price_in_usd_per_mtok: 0.1, price_out_usd_per_mtok: 0.4}
  - model_id: large
    certifications: [medical]
"""
HEAD = "source_url: ours\nchecked_on: 2026-11-23\nmodels:\n"


def one(text):
    return parse_catalog(HEAD + text, name="own.yml")


def test_every_name_of_a_model_has_its_facts_and_prices():
    """An alias is a row of its own; what is not said is null."""
    catalog = parse_catalog(SMALL, name="x.yml")
    assert catalog.models["model_id"].to_list() == ["example/small", "large", "small"]
    assert catalog.models["context_tokens"].to_list() == [1000, None, 1000]
    assert catalog.models["features"].to_list() == [["tools"], None, ["tools"]]
    assert catalog.models["certifications"].to_list() == [None, ["medical"], None]
    assert catalog.prices.select("model_id", "since", "price_out_usd_per_mtok").rows() == [
        (name, since, price)
        for name in ("example/small", "small")
        for since, price in ((SINCE_EVER, 0.8), (date(2026, 10, 19), 0.4))
    ]


@pytest.mark.parametrize(
    ("day", "price"),
    [(date(2026, 10, 18), 0.2), (date(2026, 10, 19), 0.1), (date(2030, 1, 1), 0.1)],
)
def test_the_newest_price_that_has_begun_is_in_force(day, price):
    """A price holds from its first day to the day before the next one's."""
    found = prices_on(parse_catalog(SMALL, name="x.yml").prices, day)
    assert found["model_id"].to_list() == ["example/small", "small"]
    assert set(found["price_in_usd_per_mtok"]) == {price}


def test_before_the_first_day_there_is_no_price():
    """A model whose price begins later is absent, not free."""
    text = "  - {model_id: a, prices: [{since: 2026-01-01, price_in_usd_per_mtok: 1, "
    catalog = one(text + "price_out_usd_per_mtok: 1}]}\n")
    assert prices_on(catalog.prices, date(2025, 12, 31)).is_empty()


def test_an_own_file_overrides_what_it_says_and_nothing_else():
    """Own prices replace all of ours; facts that are not said stay ours; other models stay."""
    base = parse_catalog(SMALL, name="x.yml")
    own = one(
        "  - {model_id: small, prices: [{price_in_usd_per_mtok: 9, price_out_usd_per_mtok: 9}]}\n"
        "  - {model_id: large, context_tokens: 5}\n"
    )
    both = override(base, own)
    assert prices_on(both.prices, date(2026, 11, 1))["price_in_usd_per_mtok"].to_list() == [0.1, 9]
    facts = both.models.select("model_id", "context_tokens", "features", "source_url").rows()
    assert facts[1:] == [("large", 5, None, "ours"), ("small", 1000, ["tools"], "ours")]
    assert both.models.filter(model_id="large")["certifications"].to_list() == [["medical"]]


@pytest.mark.parametrize("text", ["", "# nothing\n", "models:\n", "models: []\n"])
def test_an_empty_file_has_no_model(text):
    """Nothing said is nothing known, and no error."""
    catalog = parse_catalog(text, name="own.yml")
    assert catalog.models.is_empty()
    assert catalog.prices.is_empty()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  - {model_id: a, price: 3}", r"models\[1\]: expected one of the keys model_id.*'price'"),
        ("  - 3", r"models\[1\]: expected the keys .* found 3"),
        ("  - {context_tokens: 3}", r"models\[1\]\.model_id: expected a text, found None"),
        ("  - {model_id: a, context_tokens: -1}", r"context_tokens: expected a whole number"),
        ("  - {model_id: a, context_tokens: true}", r"context_tokens: expected .* found True"),
        ("  - {model_id: a, features: tools}", r"features: expected a list, found 'tools'"),
        ("  - {model_id: a, checked_on: today}", r"checked_on: expected a date as YYYY-MM-DD"),
        ("  - {model_id: a, source_url: ' '}", r"source_url: expected a text"),
        ("  - {model_id: a}\n  - {model_id: b, aliases: [a]}", r"models: expected each .* 'a'"),
        ("  - {model_id: a, prices: [{price_in_usd_per_mtok: 1}]}", r"price_out_usd_per_mtok: exp"),
    ],
)
def test_errors_name_file_key_expected_and_found(text, message):
    """A person can find the line and mend it."""
    with pytest.raises(InputFileError, match=rf"^own\.yml: .*{message}"):
        one(text)


@pytest.mark.parametrize("amount", ["-1", ".nan", ".inf", "true", "free", "null", "1" + 400 * "0"])
def test_a_price_is_a_number_of_dollars(amount):
    """Neither negative nor beyond measure nor a word."""
    price = f"{{price_in_usd_per_mtok: {amount}, price_out_usd_per_mtok: 1}}"
    with pytest.raises(
        InputFileError, match=r"prices\[1\]\.price_in_usd_per_mtok: expected US dol"
    ):
        one(f"  - {{model_id: a, prices: [{price}]}}")


def test_a_date_is_priced_once():
    """Two prices of a model from the same day contradict each other."""
    price = "{since: 2026-01-01, price_in_usd_per_mtok: 1, price_out_usd_per_mtok: 1}"
    with pytest.raises(InputFileError, match=r"prices\[2\]\.since: expected each date once"):
        one(f"  - {{model_id: a, prices: [{price}, {price}]}}")


def test_no_yaml_and_no_mapping_are_refused():
    """The file as a whole must have the shape."""
    with pytest.raises(InputFileError, match=r"own\.yml: expected YAML, found .*line 1"):
        parse_catalog("models: [", name="own.yml")
    with pytest.raises(InputFileError, match=r"own\.yml: expected YAML, found month must be"):
        parse_catalog("checked_on: 2026-13-01", name="own.yml")
    with pytest.raises(InputFileError, match=r"own\.yml: expected the keys source_url"):
        parse_catalog("- a", name="own.yml")


def test_two_files_may_not_name_the_same_model():
    """Which of two shipped prices would count must never depend on the order of files."""
    catalog = parse_catalog(SMALL, name="x.yml")
    with pytest.raises(SchemaError, match="repeated"):
        join_catalogs([catalog, catalog])


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    """No other error is raised, whatever the file holds."""
    with contextlib.suppress(InputFileError):
        assert parse_catalog(text, name="own.yml").models.is_empty()
