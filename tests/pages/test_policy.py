"""The page that plays with a policy, saves a draft and publishes it."""

import shutil
import time

import pytest

from pages.ui import finding, what_if
from pipeline.config import Policy
from pipeline.expected import THIS_TABLE, expect
from pipeline.flows.tables import build_table, require_table
from pipeline.store import Store
from pipeline.study import read_study
from profiles.tables import ROUTING_TABLES, STUDIES
from tests.conftest import WordEncoder
from tests.pages.test_app import codes, opened

TRY = "Try a policy"


@pytest.fixture
def store(tiny_store, tmp_path):
    shutil.copy(tiny_store.path, tmp_path / "mine.duckdb")
    return Store(path=tmp_path / "mine.duckdb")


def press(app, label):
    [button] = [button for button in app.button if button.label == label]
    return button.click().run()


def command(app):
    return next(code.value for code in app.code if code.value.startswith("promptshed table build"))


def figure(app, label):
    return next(metric.value for metric in app.metric if metric.label == label)


def test_the_controls_start_where_the_published_table_is(tiny_store, monkeypatch):
    """The command shown is the published policy, and nothing changes."""
    app = opened("policy", tiny_store.path, monkeypatch, view=TRY)
    assert not app.exception
    assert command(app) == "promptshed table build --quality-value-usd 0.5"
    assert figure(app, "Domains that change") == "0 of 4"


def test_moving_a_slider_gives_what_a_build_gives(store, monkeypatch):
    """The scorecard is that of the table which the command shown would build."""
    app = opened("policy", store.path, monkeypatch, view=TRY)
    cheaper = what_if.prices(read_study(store.read(STUDIES)["packed"][0]), 0.5)[3]
    app.select_slider(key="price").set_value(cheaper).run()
    assert not app.exception
    value = float(command(app).split()[-1])
    row = require_table(store, build_table(store, WordEncoder(), Policy(quality_value_usd=value)))
    ours = expect(row["held_out"], reference_model_id=row["reference_model_id"]).option(THIS_TABLE)
    assert figure(app, "Quality") == f"{ours['quality']:.3f}"


def test_a_limit_that_cannot_be_kept_is_told_on_the_page(tiny_store, monkeypatch):
    """The nearest value is named, and there is nothing to save."""
    app = opened("policy", tiny_store.path, monkeypatch, view=TRY)
    app.slider(key="floor").set_value(1.0).run()
    assert "cannot be kept" in app.error[0].value
    assert not [button for button in app.button if button.label == "Save as a draft"]


def test_a_draft_is_published_after_a_second_question(store, monkeypatch):
    """What would change stands there; the button in the popover publishes."""
    version = build_table(store, WordEncoder(), Policy(quality_value_usd=0.0))
    app = opened("policy", store.path, monkeypatch)
    assert "draft waits" in app.info[0].value
    app = opened("policy", store.path, monkeypatch, view=TRY)
    assert any("differently in" in block.value for block in app.markdown)
    assert store.read(ROUTING_TABLES, table_version=version)["published_at"][0] is None
    press(app, "Yes, publish it")
    assert store.read(ROUTING_TABLES, table_version=version)["published_at"][0] is not None
    assert app.sidebar.text[2].value.startswith(f"version {version}")


def test_the_first_table_can_be_built_from_the_page(stages, tmp_path, monkeypatch):
    """With domains and outcomes but no table, one button starts the first build."""
    started = []
    shutil.copy(stages["profiled"], tmp_path / "mine.duckdb")
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))
    app = opened("policy", tmp_path / "mine.duckdb", monkeypatch)
    press(app, "Build the first table")
    assert started == [["table", "build"]]


def test_trying_a_policy_is_quick(tiny_store, monkeypatch):
    """A rerun after a slider moved takes well under a second."""
    app = opened("policy", tiny_store.path, monkeypatch, view=TRY)
    began = time.perf_counter()
    app.slider(key="floor").set_value(0.1).run()
    assert time.perf_counter() - began < 3.0  # a busy machine; tests/benchmarks has the figures


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Policy(), "keeps 100 % of the safe choice's quality"),
        (Policy(quality_value_usd=0.5, deny=("a",)), "a point of quality is worth $0.0050"),
        (Policy(quality_value_usd=float("inf")), "quality alone"),
        (Policy(max_share=(("b", 0.25),)), "at most 25 % to b"),
        (Policy(min_quality=0.5, max_latency_s=2.0), "quality of at least 0.500; at most 2 s"),
        (Policy(max_loss=0.01, loss_ratio=2.0), "certified to lose at most 1 points"),
    ],
)
def test_a_policy_is_said_in_words(policy, said):
    """Each thing that is asked for is named."""
    assert said in finding.wish(policy)


def test_a_table_without_its_study_says_what_to_do(store, monkeypatch):
    """An absent study is no traceback."""
    monkeypatch.setattr("pages.ui.reads.study", lambda _version: None)
    app = opened("policy", store.path, monkeypatch, view=TRY)
    assert not app.exception
    assert "promptshed table build" in codes(app)
