import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import duplicates
from pipeline.duplicates import representatives


def unit(rows):
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_copies_follow_the_first():
    """By hand: row 1 is like row 0, row 3 like row 2, row 4 like none."""
    vectors = unit([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1], [0.5, 0.5, 0.7]])
    assert representatives(list("abcde"), vectors, least_cosine=0.97).tolist() == [0, 0, 2, 2, 4]


def test_a_chain_is_not_one_prompt():
    """Row 2 is like row 1, but row 1 is a copy already, and row 0 is too far."""
    angle = np.array([0.0, 0.2, 0.4])
    vectors = unit(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    assert representatives(list("abc"), vectors, least_cosine=0.97).tolist() == [0, 0, 2]


def test_numbers_and_links_do_not_count():
    """The same words are the same prompt whatever their vectors say."""
    texts = ["Track order A-17 at https://x.org/1", "track  order a-2 at\nhttp://y.org", "track it"]
    assert representatives(texts, unit(np.eye(3)), least_cosine=0.97).tolist() == [0, 0, 2]


vectors_on_a_grid = st.lists(
    st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 1.0])] * 3).filter(any), max_size=30
)


@given(rows=vectors_on_a_grid, n_rows=st.sampled_from([2, 5, 100]))
def test_no_two_representatives_are_alike(rows, n_rows):
    """Representatives follow themselves, are unlike each other, and copies are near; in blocks."""
    vectors = unit(rows) if rows else np.zeros((0, 3), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_N_ROWS", n_rows)
        patch.setattr(duplicates, "_N_AXES", 2)
        letters = [chr(ord("a") + i) for i in range(len(rows))]
        found = representatives(letters, vectors, least_cosine=0.9)
    kept = np.unique(found)
    assert np.array_equal(found[kept], kept)
    assert (found <= np.arange(len(found))).all()
    assert (np.einsum("ij,ij->i", vectors, vectors[found]) >= 0.9 - 1e-4).all()
    between = vectors[kept] @ vectors[kept].T
    assert (between[~np.eye(len(kept), dtype=bool)] < 0.9 + 1e-4).all()


def test_no_prompts():
    """Nothing in, nothing out."""
    assert representatives([], np.zeros((0, 3), np.float32), least_cosine=0.9).tolist() == []
