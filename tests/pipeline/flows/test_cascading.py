"""Cascades on the story: the small model first, the large one where the check says no."""

import json

import pytest

from pipeline.flows.cascading import replay_cascade
from pipeline.store import Store
from profiles.errors import NotReadyError, UsageError
from profiles.tables import OUTCOMES
from tests.support import MODELS, outcomes_table, run_command, story, story_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("cascading"), publish=False)


def replay(store, order=("small", "large"), accuracies=(1.0,), check_usd=0.0):
    return replay_cascade(store, order, check_accuracies=accuracies, check_usd=check_usd)


def test_a_perfect_check_by_hand(store):
    """What small gets right is kept for its price; large is paid on top for the rest."""
    prompts = story(30)
    right = [p.quality["small"] == 1.0 for p in prompts]
    best = sum(max(p.quality["small"], p.quality["large"]) for p in prompts) / len(prompts)
    share = right.count(False) / len(prompts)
    (found,) = replay(store)
    assert (found.n_prompts, found.escalated) == (len(prompts), pytest.approx(share))
    assert found.quality == pytest.approx(best)
    assert found.cost_usd == pytest.approx(MODELS["small"] + share * MODELS["large"])
    assert found.delta_points.lo <= found.delta_points.mean <= found.delta_points.hi
    assert found.cost_ratio.mean == pytest.approx(found.cost_usd / MODELS["large"])


def test_a_worse_check_reaches_less(store):
    """Quality falls with its accuracy; a check costs what it costs, on every prompt."""
    qualities = [score.quality for score in replay(store, accuracies=(1.0, 0.7, 0.0))]
    assert qualities == sorted(qualities, reverse=True)
    (plain,), (dear,) = replay(store), replay(store, check_usd=0.5)
    assert dear.cost_usd == pytest.approx(plain.cost_usd + 0.5)


@pytest.mark.parametrize("order", [("small",), ("small", "small"), ("small", "huge")])
def test_an_order_that_is_no_cascade_is_refused(store, order):
    """The error lists the models there are."""
    with pytest.raises(UsageError, match="two or more different models out of large, medium"):
        replay(store, order)


def test_models_without_common_prompts_are_refused(tmp_path):
    """Nothing can be replayed where one outcome is missing."""
    store = Store(path=tmp_path / "store.duckdb")
    rows = [("p1", "a", 1.0, 0.1), ("p2", "b", 1.0, 0.1)]
    store.append((OUTCOMES, outcomes_table(rows)))
    with pytest.raises(NotReadyError, match="on the same prompts"):
        replay(store, ("a", "b"))


def test_the_command_prints_one_line_for_each_check(store, capsys):
    """As a table and as JSON; an unknown model is a usage error."""
    code, out, err = run_command(capsys, "cascade", "small,large", "--store", store.path)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["100%", "90%", "80%"]
    assert "simulated" in err
    arguments = ("--check-accuracy", 0.9, "--json", "--store", store.path)
    code, out, _ = run_command(capsys, "cascade", "small, large", *arguments)
    (score,) = json.loads(out)["checks"]
    assert (code, score["check_accuracy"], score["n_prompts"]) == (0, 0.9, 90)
    assert run_command(capsys, "cascade", "small,huge", "--store", store.path)[0] == 2
