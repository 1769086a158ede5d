"""The page that shows what routing lost."""

import pytest

from pages.ui import charts
from pipeline.flows.looking_back import look_back_on
from pipeline.store import Store
from tests.conftest import HOSTILE, N_PROMPTS
from tests.pages.test_app import opened


def test_the_page_compares_with_the_best_single_model(tiny_store, monkeypatch):
    """The sentence has both, with intervals, and says on how many prompts."""
    app = opened("regret", tiny_store.path, monkeypatch)
    assert not app.exception
    assert "for everything loses" in app.main.markdown[0].value
    assert f"n = {N_PROMPTS} of {N_PROMPTS} training prompts" in app.main.caption[0].value


def test_prompts_are_listed_for_one_pair_of_models(tiny_store, monkeypatch):
    """Choosing a pair leaves only its prompts, whose text is as it was sent."""
    app = opened("regret", tiny_store.path, monkeypatch)
    worst = app.dataframe[-1].value
    assert worst["Prompt"].str.contains(HOSTILE[:20], regex=False).any()
    pair = worst.iloc[-1]
    app.selectbox(key="regret-chosen").set_value(pair["Chosen"])
    app.selectbox(key="regret-best").set_value(pair["Best"]).run()
    rest = app.dataframe[-1].value
    assert set(rest["Chosen"]) == {pair["Chosen"]}
    assert set(rest["Best"]) == {pair["Best"]}


@pytest.mark.parametrize("by_money", [False, True])
def test_the_cells_of_the_map_add_up(tiny_store, by_money):
    """Their sum is the mean regret, in points, or the mean overspend for a thousand prompts."""
    store = Store(path=tiny_store.path)
    found = look_back_on(store, 2)
    figure = charts.regret_map(found.cells, n_prompts=found.n_prompts, by_money=by_money)
    written = [cell for row in figure.data[0].text for cell in row if cell]
    assert len(written) == len(found.cells)
    if not by_money:
        assert sum(map(float, written)) == pytest.approx(
            100 * found.prompts["regret"].mean(), abs=0.02
        )
