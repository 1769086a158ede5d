"""The page that compares models: paired differences, other prices, models left out of sight."""

import shutil
from datetime import date

import polars as pl
import pytest

from pages.ui import charts, prices, subject
from pipeline.flows.profiling import compare
from pipeline.models_file import price_entry
from pipeline.store import Store
from profiles.catalog import parse_catalog
from profiles.profile import CAPABILITY
from tests.conftest import WordEncoder
from tests.pages.test_app import opened


@pytest.fixture
def store(tiny_store, tmp_path):
    shutil.copy(tiny_store.path, tmp_path / "mine.duckdb")
    return Store(path=tmp_path / "mine.duckdb")


def tab(app, name):
    app.session_state["models-tab"] = name
    return app.run()


def test_models_can_be_left_out_of_the_heat_map(tiny_store, monkeypatch):
    """Choosing two keeps the rest of the page as it is."""
    app = opened("models", tiny_store.path, monkeypatch)
    app.multiselect[0].set_value(["large/one", "small/two"]).run()
    assert not app.exception
    assert app.dataframe[0].value["Model"].to_list() == [
        "large/one",
        "small/two",
        "tiny/<b>three</b>",
    ]


def test_two_models_compare_as_on_the_command_line(tiny_store, monkeypatch):
    """The same paired differences, domain by domain, without fitting anything in the page."""
    app = tab(opened("models", tiny_store.path, monkeypatch), "Two models")
    assert not app.exception
    shown = app.dataframe[0].value
    told = compare(
        Store(path=tiny_store.path), WordEncoder(), model_id="large/one", other_id="small/two"
    )
    told = told.remove(pl.col("element").str.starts_with(CAPABILITY))
    assert sorted(shown["Points better"].round(9)) == sorted(
        (100 * told["difference"]).round(9).to_list()
    )


def test_the_same_model_is_not_offered_twice(tiny_store, monkeypatch):
    """Choosing one takes it out of the other list."""
    app = tab(opened("models", tiny_store.path, monkeypatch), "Two models")
    app.selectbox(key="compare-one").set_value("small/two").run()
    assert "small/two" not in app.selectbox(key="compare-other").options
    assert not app.exception


def test_prices_tell_by_what_costs_change():
    """By tokens where list price and tokens are known, by the typed factor elsewhere."""
    calls = pl.DataFrame(
        {
            "model_id": ["listed", "unlisted"],
            "n_tokens_in": [1000.0, None],
            "n_tokens_out": [500.0, None],
            "price_in": [1.0, None],
            "price_out": [2.0, None],
        }
    )
    edited = pl.DataFrame(
        {
            "Model": ["listed", "unlisted"],
            "$ in per million": [1.0, 7.0],
            "$ out per million": [4.0, 7.0],
            "Times today's price": [1.0, 0.5],
        }
    )
    assert prices.price_ratios(calls, edited) == {"listed": 1.5, "unlisted": 0.5}


def test_a_kept_price_is_read_back():
    """The lines that are shown are a models file under its heading."""
    entry = price_entry('odd "name"', 0.25, 1.5, since=date(2026, 11, 23))
    catalog = parse_catalog("models:\n" + entry, name="mine.yml")
    [row] = catalog.prices.to_dicts()
    assert (row["model_id"], row["price_in_usd_per_mtok"]) == ('odd "name"', 0.25)
    assert row["since"] == date(2026, 11, 23)


def test_a_model_that_becomes_dear_is_used_less(store, monkeypatch):
    """The page says what the same policy would cost, and that nothing is saved."""
    monkeypatch.setattr("pages.ui.prices.price_ratios", lambda _calls, _edited: {"large/one": 1e4})
    app = tab(opened("models", store.path, monkeypatch), "Other prices")
    assert not app.exception
    assert any("Built again at these prices" in block.value for block in app.main.markdown)
    assert any("nothing is saved" in caption.value for caption in app.main.caption)


def test_a_click_on_a_row_without_a_domain_does_nothing(tiny_store, monkeypatch):
    """Only domains have a page."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(tiny_store.path))
    event = {"selection": {"points": [{"x": 0, "y": 0}]}}
    assert subject.open_clicked(event, ["all"]) is None
    assert subject.open_clicked({"selection": {"points": []}}, ["all"]) is None


def test_a_figure_of_differences_has_a_line_for_each_domain(tiny_store):
    """With the interval as its error bars."""
    rows = pl.DataFrame(
        {
            "name": ["all", "<b>"],
            "n": [10, 5],
            "difference": [0.1, -0.2],
            "difference_lo": [0.0, -0.3],
            "difference_hi": [0.2, -0.1],
        }
    )
    figure = charts.paired_differences(rows, "a", "b")
    assert list(figure.data[0].x) == [10.0, -20.0]
    assert list(figure.data[0].error_x.array) == pytest.approx([10.0, 10.0])
    assert "<b>" not in str(figure.layout.yaxis.ticktext)


def test_regret_is_shown_where_the_best_model_is_known(tiny_store, monkeypatch):
    """Every prompt of the tiny store was answered by every model, so all cells have one."""
    app = opened("models", tiny_store.path, monkeypatch, measure="Regret")
    assert not app.exception
    assert "in hindsight" in app.main.caption[0].value
    assert "Regret" in app.segmented_control[0].options


def test_regret_is_not_offered_without_a_table(stages, monkeypatch):
    """It is known of a table's candidates."""
    app = opened("models", stages["profiled"], monkeypatch)
    assert "Regret" not in app.segmented_control[0].options
