import numpy as np
import pytest

from pipeline.flows.encoding import _SAVE_EVERY, vectors_of
from pipeline.store import Store
from profiles.tables import VECTORS
from tests.support import HashEncoder


class Interrupted(HashEncoder):
    """A fake encoder that is stopped by Ctrl-C in the third chunk."""

    def encode(self, texts):
        if len(self.seen) >= 20:
            raise KeyboardInterrupt
        return super().encode(texts)


@pytest.fixture
def store(tmp_path):
    return Store(path=tmp_path / "store.duckdb")


def texts_of(n):
    return [f"p{i:04}" for i in range(n)], [f"text number {i}" for i in range(n)]


def test_vectors_follow_their_prompts(store):
    """Row i is the vector of text i, also of an id given twice."""
    encoder = HashEncoder()
    found = vectors_of(store, encoder, ["b", "a", "b"], ["two", "one", "two"])
    assert np.array_equal(found, encoder.encode(["two", "one", "two"]))
    assert store.count(VECTORS) == 2


def test_the_same_text_is_encoded_once(store):
    """A second call encodes only what is new; vectors come back bit for bit."""
    encoder = HashEncoder()
    first = vectors_of(store, encoder, ["a", "b"], ["one", "two"])
    second = vectors_of(store, encoder, ["b", "c", "a"], ["two", "three", "one"])
    assert encoder.seen == ["one", "two", "three"]
    assert np.array_equal(second[[2, 0]], first)


def test_encoders_do_not_share_vectors(store):
    """Another encoder_id means other vectors, with another number of dimensions even."""
    one, two = HashEncoder(), HashEncoder(encoder_id="other", n_dims=8)
    vectors_of(store, one, ["a"], ["text"])
    assert vectors_of(store, two, ["a"], ["text"]).shape == (1, 8)
    assert (one.seen, two.seen) == (["text"], ["text"])
    assert store.count(VECTORS) == 2


def test_an_interrupt_loses_one_chunk_at_most(store, monkeypatch):
    """After Ctrl-C in the third chunk two are kept, and going on encodes only what is missing."""
    monkeypatch.setattr("pipeline.flows.encoding._SAVE_EVERY", 10)
    ids, texts = texts_of(34)
    with pytest.raises(KeyboardInterrupt):
        vectors_of(store, Interrupted(), ids, texts)
    assert store.count(VECTORS) == 20
    encoder = HashEncoder()
    found = vectors_of(store, encoder, ids, texts)
    assert sorted(encoder.seen) == texts[20:]
    assert np.array_equal(found, HashEncoder().encode(texts))


def test_a_chunk_is_a_few_seconds_of_work():
    """The real encoder does about a hundred prompts a second."""
    assert 10 <= _SAVE_EVERY <= 1_000


def test_row_order_is_irrelevant(tmp_path):
    """The same prompts in another order get the same vectors."""
    ids, texts = texts_of(30)
    one = vectors_of(Store(path=tmp_path / "1.duckdb"), HashEncoder(), ids, texts)
    two = vectors_of(Store(path=tmp_path / "2.duckdb"), HashEncoder(), ids[::-1], texts[::-1])
    assert np.array_equal(one, two[::-1])
