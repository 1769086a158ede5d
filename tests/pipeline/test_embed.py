import numpy as np
import pytest

from pipeline.embed import check_vectors
from profiles.errors import EncoderError
from tests.support import HashEncoder


def test_vectors_get_length_one():
    """(3, 4) becomes (0.6, 0.8), as float32."""
    found = check_vectors(np.array([[3, 4], [0, 2]], dtype=np.float64), 2)
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 1]]))
    assert found.dtype == np.float32


def test_a_zero_vector_stays_zero():
    """An encoder without a word for a text gives no direction, and no NaN."""
    assert not check_vectors(np.zeros((1, 3), np.float32), 1).any()


def test_no_texts_have_no_vectors():
    """An empty matrix is fine for no text."""
    assert check_vectors(np.zeros((0, 3), np.float32), 0).shape == (0, 3)


@pytest.mark.parametrize(
    ("vectors", "n_texts"),
    [(np.zeros(3), 3), (np.zeros((2, 3)), 3), (np.full((1, 3), np.nan), 1)],
    ids=["one-dimensional", "too few", "not finite"],
)
def test_wrong_vectors_are_refused(vectors, n_texts):
    """The error says how many vectors were expected and which option names the encoder."""
    with pytest.raises(EncoderError, match=rf"each of {n_texts} texts.*--encoder"):
        check_vectors(vectors, n_texts)


def test_the_fake_encoder_is_deterministic():
    """The same text has the same unit vector alone or among others; shared words are close."""
    encoder = HashEncoder()
    one, two, far = encoder.encode(["red fox runs", "red fox sleeps", "tax law"])
    assert np.array_equal(encoder.encode(["red fox runs"])[0], one)
    assert np.linalg.norm(one) == pytest.approx(1)
    assert one @ two > one @ far
