"""The page that says whether the table still fits what is asked."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pages.ui import charts, figures, monitor
from pipeline.flows.monitoring import read_traffic
from pipeline.store import Store
from profiles.tables import REQUESTS, VECTORS
from tests.conftest import N_PROMPTS
from tests.pages.test_app import opened

FIRST = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(tiny_store, tmp_path):
    shutil.copy(tiny_store.path, tmp_path / "mine.duckdb")
    return Store(path=tmp_path / "mine.duckdb")


def dated(store, days):
    """Spread the requests over some days."""
    rows = store.read(REQUESTS).with_columns(
        occurred_at=pl.lit(FIRST) + pl.duration(days=pl.int_range(pl.len()) % days)
    )
    store.upsert((REQUESTS, rows))


def test_without_times_it_says_what_is_needed(tiny_store, monkeypatch):
    """Coverage is shown all the same."""
    app = opened("drift", tiny_store.path, monkeypatch)
    assert not app.exception
    assert "occurred_at" in app.info[0].value
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Prompts looked at"] == str(N_PROMPTS)
    assert shown["Unassigned"].endswith(" %")


def test_one_day_is_no_comparison(store, monkeypatch):
    """A second day is what it needs."""
    dated(store, 1)
    app = opened("drift", store.path, monkeypatch)
    assert "one day" in app.info[0].value


def test_a_day_parts_the_requests(store, monkeypatch):
    """Moving it keeps the sum of both sides."""
    dated(store, 8)
    app = opened("drift", store.path, monkeypatch)
    n_requests = store.count(REQUESTS)
    assert not app.exception
    for day in (2, 5):
        app.select_slider(key="since").set_value(FIRST + timedelta(days=day)).run()
        shares = app.dataframe[0].value
        assert shares["n before"].sum() + shares["n now"].sum() == n_requests
        assert shares["n before"].sum() == pytest.approx(n_requests * day / 8, abs=8)
        assert "no more than chance" in " ".join(block.value for block in app.main.markdown)


def test_discovery_can_be_started(store, monkeypatch):
    """One button sends everything, the unassigned too, to discovery."""
    started = []
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))
    app = opened("drift", store.path, monkeypatch)
    app.button[0].click().run()
    assert started == [["discover"]]


def test_prompts_without_a_vector_are_not_looked_at(store, monkeypatch):
    """Nothing is encoded in the page; without any vector it says what to do."""
    some = read_traffic(store, 2)
    assert some.placed.height == some.n_prompts == N_PROMPTS
    assert some.spend["n_calls"].sum() == 3 * N_PROMPTS
    renamed = store.read(VECTORS).with_columns(encoder_id=pl.lit("other"))
    store._transact(lambda c: c.execute("DELETE FROM vectors"))
    store.append((VECTORS, renamed))
    app = opened("drift", store.path, monkeypatch)
    assert "No prompt has a vector" in app.info[0].value


def test_ages_are_said_in_whole_units():
    """Unknown is a dash."""
    now = datetime.now(UTC)
    assert monitor._age(None) == "–"
    assert monitor._age(now) == "under an hour"
    assert monitor._age(now - timedelta(hours=5, minutes=1)) == "5 hours"
    assert monitor._age(now - timedelta(days=40)) == "40 days"


def test_money_is_stacked_by_model():
    """Each trace has one bar for each domain, the dearest domain on top."""
    spend = pl.DataFrame(
        {
            "domain": ["a", "a", "unassigned"],
            "model_id": ["m", "n", "m"],
            "cost_usd": [1.0, 2.0, 0.5],
        }
    )
    figure = charts.spend_bars(spend, {"m": "#000000", "n": "#111111"})
    assert [list(trace.x) for trace in figure.data] == [[0.5, 1.0], [0.0, 2.0]]
    assert list(figure.layout.yaxis.ticktext) == ["unlike every domain", "a"]


def test_the_cheapest_domains_are_one_bar():
    """No dollar is left out, and each model keeps its part."""
    n_domains = figures.MOST_BARS + 3
    rows = [(f"d{n:02}", model, float(n + 1)) for n in range(n_domains) for model in ("m", "n")]
    spend = pl.DataFrame(rows, schema=["domain", "model_id", "cost_usd"], orient="row")
    figure = charts.spend_bars(spend, {"m": "#000000", "n": "#111111"})
    assert [sum(trace.x) for trace in figure.data] == [sum(range(1, n_domains + 1))] * 2
    assert figure.layout.yaxis.ticktext[0] == "3 cheaper domains"
    assert figure.data[0].x[0] == 1 + 2 + 3
