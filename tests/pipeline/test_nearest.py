import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import nearest as module
from pipeline.nearest import nearest


def unit(rows):
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_neighbours_by_hand():
    """Each prompt is its own nearest; then by cosine, and of equals the earlier row."""
    found = nearest(unit([[1, 0], [1, 1], [0, 1], [1, 0]]), 3)
    assert found.rows.tolist() == [[0, 3, 1], [1, 0, 2], [2, 1, 0], [3, 0, 1]]
    assert found.distances[0] == pytest.approx([0.0, 0.0, 1.0 - np.sqrt(0.5)], abs=1e-6)


def test_of_many_equals_the_earliest_rows_are_nearest():
    """Also where they are in more groups of columns than there are neighbours to find."""
    rows = nearest(unit([[1, 2]] * 90), 3).rows
    assert rows.tolist() == [[0, 1, 2], [1, 0, 2], *([n, 0, 1] for n in range(2, 90))]


def test_no_prompt_and_one():
    """Without prompts there is nothing to find; one prompt has itself."""
    assert nearest(np.zeros((0, 3), np.float32), 0).rows.shape == (0, 0)
    assert nearest(unit([[1, 2, 3]]), 1).rows.tolist() == [[0]]


@given(
    rows=st.lists(
        st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 1.0])] * 3).filter(any),
        min_size=1,
        max_size=40,
    ),
    k=st.integers(1, 6),
    n_rows=st.sampled_from([3, 100]),
)
def test_neighbours_are_those_of_a_whole_sort(rows, k, n_rows):
    """Blocks, groups and padding change nothing, with ties too."""
    vectors, k = unit(rows), min(k, len(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_N_ROWS", n_rows)
        found = nearest(vectors, k)
    cosines = vectors @ vectors.T
    whole = -np.sort(-cosines, axis=1)[:, :k]
    taken = 1.0 - np.take_along_axis(cosines, found.rows.astype(np.intp), axis=1)
    assert found.rows[:, 0].tolist() == list(range(len(rows)))
    assert np.allclose(found.distances, 1.0 - whole, atol=1e-5)
    assert np.allclose(found.distances, taken, atol=1e-5)
    assert all(len(set(row)) == k for row in found.rows.tolist())
