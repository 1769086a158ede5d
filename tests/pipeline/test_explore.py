import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.explore import draw_alternatives, row_shares


def test_a_draw_by_hand():
    """At 40 % and two candidates of three: below .2 the first, below .4 the second, then the best.

    The chance of the best is .6 + .2, that of the other .2.
    """
    candidates = np.tile([True, False, True], (5, 1))
    shares = np.array([0.0, 0.199, 0.2, 0.399, 0.4])
    found = draw_alternatives(candidates, np.full(5, 2), shares, explore=0.4)
    assert found.chosen.tolist() == [0, 0, 2, 2, 2]
    assert found.propensity == pytest.approx([0.2, 0.2, 0.8, 0.8, 0.8])
    assert found.explored.tolist() == [True, True, False, False, False]


def test_frequencies_are_the_propensities():
    """On 200,000 rows each model is drawn as often as its propensity says, and 1/p sums to n."""
    n, explore = 200_000, 0.05
    candidates = np.tile([True, True, False, True], (n, 1))
    best = np.full(n, 1)
    shares = row_shares(range(n), ["a"] * n, seed=3)
    found = draw_alternatives(candidates, best, shares, explore=explore)
    expected = {0: explore / 3, 1: 1 - explore + explore / 3, 2: 0.0, 3: explore / 3}
    for column, chance in expected.items():
        is_it = found.chosen == column
        sd = np.sqrt(chance * (1 - chance) / n)
        assert is_it.mean() == pytest.approx(chance, abs=4 * sd + 1e-12)
        assert found.propensity[is_it] == pytest.approx(chance)
        if chance:
            assert (1 / found.propensity[is_it]).sum() == pytest.approx(n, abs=4 * sd / chance * n)


@given(
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=6),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.integers(0, 5),
)
def test_only_candidates_are_drawn(rows, explore, seed):
    """The chosen model is a candidate or the best; a prompt with no other is certain of it."""
    candidates = np.array(rows, dtype=bool).reshape(-1, 3)
    best = np.zeros(len(candidates), dtype=np.int64)
    shares = row_shares(range(len(best)), ["x"] * len(best), seed=seed)
    found = draw_alternatives(candidates, best, shares, explore=explore)
    at = np.arange(len(best))
    assert (candidates[at, found.chosen] | (found.chosen == best)).all()
    alone = ~candidates[:, 1:].any(axis=1)
    assert found.propensity[alone] == pytest.approx(1.0)
    assert ((found.propensity > 0) & (found.propensity <= 1)).all()
    if explore == 0.0:
        assert (found.chosen == best).all()


def test_lots_go_by_line_prompt_and_table():
    """The same row draws the same lot; another line, prompt or table another one."""
    one = row_shares([1, 2, 2], ["a", "a", "b"], seed=1)
    assert len(set(one.tolist())) == 3
    assert row_shares([2], ["a"], seed=1) == one[1]
    assert row_shares([2], ["a"], seed=2) != one[1]
