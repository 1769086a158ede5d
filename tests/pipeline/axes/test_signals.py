import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes.axis import Axis, Signal, words
from pipeline.axes.reading import AXES
from pipeline.axes.signals import probabilities, read_signals

TOY = Axis(
    name="toy",
    values=("none", "red", "blue"),
    base={"none": 1.0},
    signals=(
        Signal(value="red", name="red words", pattern=words("red, crimson sky"), weight=2.0),
        Signal(value="blue", name="two blues", pattern=words("blue"), weight=1.0, at_least=2),
    ),
)
HOSTILE = [
    "",
    " ",
    "\x00\x01\x1b[31m\u202e\ufeff",
    "a" * 1_000_000,
    "?" * 100_000,
    "1. " * 50_000,
    "\ud83d half a pair",
    "👩‍👩‍👧‍👦" * 1000,
    "العربية العربية",
    "```" * 10_000,
    "(" * 5000 + "a+" * 5000,
]


def test_evidence_by_hand():
    """2·log2(1 + 1), 2·log2(1 + 2) for two matches; the second blue is the first that counts."""
    found = read_signals(["RED", "red, crimson  sky? red", "blue", "blue blue", "bluered"], TOY)
    assert found.fired.tolist() == [
        [True, False], [True, False], [False, False], [False, True], [False, False],
    ]  # fmt: skip
    expected = [[1, 2, 0], [1, 2 * np.log2(3), 0], [1, 0, 0], [1, 0, 1], [1, 0, 0]]
    assert found.log_odds == pytest.approx(np.array(expected))


def test_more_matches_add_up_to_as_much_again():
    """From the third match on nothing is added."""
    found = read_signals(["red " * n for n in (1, 3, 300)], TOY).log_odds[:, 1]
    assert found.tolist() == pytest.approx([2.0, 4.0, 4.0])


def test_probabilities_sum_to_one_where_one_value_holds():
    """Softmax of the log-odds."""
    held = probabilities(np.array([[0.0, np.log(3.0), -np.inf]]), TOY)
    assert held.tolist() == [pytest.approx([0.25, 0.75, 0.0])]


def test_several_values_stand_for_themselves():
    """Each by its own odds; the first one is the chance of none: (1 − 3/4)·(1 − 1/2)."""
    many = Axis(name="m", values=TOY.values, signals=TOY.signals, is_many=True)
    held = probabilities(np.array([[9.0, np.log(3.0), 0.0]]), many)
    assert held.tolist() == [pytest.approx([0.125, 0.75, 0.5])]


def test_no_texts():
    """Nothing in, nothing out, in the right shape."""
    for axis in AXES:
        found = read_signals([], axis)
        assert found.fired.shape == (0, len(axis.signals))
        assert probabilities(found.log_odds, axis).shape == (0, len(axis.values))


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_hostile_texts_take_bounded_time(axis):
    """Long, odd and broken texts are read, each in well under a second."""
    read_signals(["warm up"], axis)
    start = time.perf_counter()
    found = read_signals(HOSTILE, axis)
    assert time.perf_counter() - start < len(HOSTILE)
    assert np.isfinite(found.log_odds).all()


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_the_table_is_sound(axis):
    """Every signal speaks for a value of its axis, pulls, and is named in words of its own."""
    assert {signal.value for signal in axis.signals} <= set(axis.values)
    assert set(axis.base) <= set(axis.values)
    assert all(signal.weight > 0 and signal.at_least >= 1 for signal in axis.signals)
    names = [signal.name for signal in axis.signals]
    assert len(set(names)) == len(names)
    assert not any(re.search(r"[\\|]", name) for name in names)


@given(st.lists(st.text(max_size=40), max_size=5), st.randoms(use_true_random=False))
def test_a_text_is_read_by_itself(texts, random):
    """Neither order nor company changes what is read."""
    order = list(range(len(texts)))
    random.shuffle(order)
    for axis in AXES[:2]:
        whole = read_signals(texts, axis)
        shuffled = read_signals([texts[i] for i in order], axis)
        assert (shuffled.fired == whole.fired[order]).all()
        assert (shuffled.log_odds == whole.log_odds[order]).all()
