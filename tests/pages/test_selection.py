"""A lasso or box on the map."""

import shutil

import polars as pl
import pytest

from pages.ui import searching, selection
from pipeline.flows.curation import approve_prompts
from pipeline.flows.warm_encoder import WarmEncoder
from pipeline.store import Store
from profiles.errors import UsageError
from profiles.tables import MEMBER_SETS, PROMPTS, RUNS
from tests.conftest import N_NOISE, N_WAITING, TOPICS
from tests.pages.test_app import opened
from tests.pages.test_review import newest, press, typed
from tests.pipeline.flows.test_searching import WORDS

POINTS = pl.DataFrame({"x": [1.0, 5.0, 9.0], "y": [1.0, 5.0, 9.0]})
BOX = {"x": [0.0, 6.0], "y": [6.0, 0.0]}
LASSO = {"x": [8.0, 10.0, 10.0, 8.0], "y": [8.0, 8.0, 10.0, 10.0]}


@pytest.mark.parametrize(
    ("drawn", "chosen"),
    [
        ({}, []),
        ({"selection": {"box": [], "lasso": [], "points": []}}, []),
        ({"selection": {"box": [BOX], "lasso": []}}, [1.0, 5.0]),
        ({"selection": {"box": [], "lasso": [LASSO]}}, [9.0]),
        ({"selection": {"box": [BOX], "lasso": [LASSO]}}, [1.0, 5.0, 9.0]),
    ],
)
def test_the_outline_decides_and_not_the_drawn_points(drawn, chosen):
    """Boxes and lassos add up; a selection of points alone is none."""
    assert selection.inside(POINTS, drawn)["x"].to_list() == chosen


def test_the_download_guards_against_formulas(tiny_store, monkeypatch):
    """A prompt that starts with = gets an apostrophe, and no prompt is cut."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(tiny_store.path))
    from pages.ui import map_reads

    chosen = map_reads.map_points().filter(cluster="unclustered")
    lines = selection.as_csv(tiny_store, chosen).splitlines()
    assert lines[0] == "prompt_id,domain,cluster,text"
    assert len(lines) == N_NOISE + 1
    assert all(",'=noise" in line for line in lines[1:])


def test_the_list_holds_the_texts_in_the_order_of_the_selection(tiny_store, monkeypatch):
    """Only the first prompts of a large selection are listed."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(tiny_store.path))
    monkeypatch.setattr(selection, "MOST_LISTED", 3)
    from pages.ui import map_reads

    chosen = map_reads.map_points()
    listed = selection.with_texts(chosen)
    assert listed.columns == ["prompt_id", "Prompt", "Domain", "Cluster"]
    assert listed["Domain"].to_list() == chosen["domain"].head(3).to_list()


@pytest.fixture
def store(tiny_store, tmp_path):
    shutil.copy(tiny_store.path, tmp_path / "mine.duckdb")
    return Store(path=tmp_path / "mine.duckdb")


def test_prompts_are_found_by_words_and_become_a_domain(store, monkeypatch):
    """All words count, in any order and case; the selection is approved under a name."""
    app = opened("prompt_map", store.path, monkeypatch, words="WINE name")
    assert not app.exception
    assert any(f"{N_WAITING} prompts selected" in block.value for block in app.main.markdown)
    typed(app, "Name of the domain", "wines")
    press(app, "Approve it")
    event = newest(store)
    assert (event["verb"], event["name"]) == ("approve", "wines")
    assert store.read(MEMBER_SETS, member_set_id=event["member_set_id"]).height == N_WAITING


def test_prompts_alike_are_found_by_their_vectors(store, monkeypatch):
    """The nearest ones to a prompt of a topic are of that topic."""
    app = opened("prompt_map", store.path, monkeypatch, words="python")
    app.selectbox(key="like").set_value(3).run()
    assert not app.exception
    alike = app.dataframe[-1].value
    n_others = TOPICS["fix my python code"] - 1
    assert alike["Prompt"].head(n_others).str.startswith("fix my python code").all()
    assert alike["Likeness"].is_monotonic_decreasing


@pytest.mark.parametrize(
    "colour", ["Regret", "Confidence", "Best model", "Cluster", "Mean cost", "Prompt length"]
)
def test_the_map_can_be_coloured_by_what_is_known(tiny_store, colour, monkeypatch):
    """Labels were not imported, so that is no choice."""
    app = opened("prompt_map", tiny_store.path, monkeypatch, colour=colour)
    assert not app.exception
    assert app.selectbox(key="colour").value == colour
    assert "Label" not in app.selectbox(key="colour").options


def test_one_prompt_is_no_domain(store):
    """The error says so."""
    [first, *_] = store.read(PROMPTS)["prompt_id"]
    with pytest.raises(UsageError, match="at least two prompts"):
        approve_prompts(store, [first], "alone", actor="ana")


def test_prompts_are_found_by_meaning(tiny_store, monkeypatch):
    """The nearest come first with their likeness, also where no prompt holds the words."""
    encoder = WarmEncoder(command=WORDS)
    monkeypatch.setattr("pages.ui.map_reads._encoder", lambda: encoder)
    query = {"words": "numbers two sum", "search-by": "Meaning"}
    rows = opened("prompt_map", tiny_store.path, monkeypatch, **query).dataframe[0].value
    encoder.close()
    assert len(rows) == searching.MOST_NEAR
    assert rows["Prompt"].str.contains("sum two numbers").to_list()[:20] == [True] * 20
    likeness = rows["Likeness"].to_list()
    assert likeness == sorted(likeness, reverse=True)


def test_a_run_of_another_encoder_is_not_searched_by_this_one(store, monkeypatch):
    """Vectors of two encoders never mix; the page says what to do."""
    store.upsert((RUNS, store.read(RUNS).with_columns(encoder_id=pl.lit("other"))))
    encoder = WarmEncoder(command=WORDS)
    monkeypatch.setattr("pages.ui.map_reads._encoder", lambda: encoder)
    query = {"words": "numbers", "search-by": "Meaning"}
    app = opened("prompt_map", store.path, monkeypatch, **query)
    encoder.close()
    assert "promptshed search WORDS" in app.error[0].value
    assert app.dataframe.len == 0
