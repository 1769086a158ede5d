import numpy as np
import pytest

from pipeline.smoothers.landmarks import choose_landmarks
from pipeline.smoothers.text_features import (
    ShapeScaler,
    TfidfConfig,
    learn_tfidf,
    measure_shape,
)

TEXTS = ("the cat sat", "the cat ran", "a dog", "the cat sat")


def test_terms_of_few_prompts_are_dropped_and_rows_have_unit_length():
    """Only words and runs of words seen in two prompts are kept."""
    tfidf = learn_tfidf(TEXTS, TfidfConfig(max_ngram=2))
    assert tfidf.terms == ("cat", "cat sat", "sat", "the", "the cat")
    rows = tfidf.transform(TEXTS).toarray()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1.0, 1.0, 0.0, 1.0])


def test_the_vocabulary_does_not_depend_on_row_order():
    """Ties at the cut are broken by the alphabet."""
    config = TfidfConfig(max_n_terms=2)
    assert learn_tfidf(TEXTS, config) == learn_tfidf(TEXTS, config)
    assert learn_tfidf(TEXTS, config).terms == learn_tfidf(TEXTS[::-1], config).terms


def test_texts_without_common_terms_have_no_columns():
    """An empty vocabulary is a valid one."""
    tfidf = learn_tfidf(("one", "two"), TfidfConfig())
    assert tfidf.transform(("one", "three")).shape == (2, 0)


@pytest.mark.parametrize("text", ["", " \n ", "日本語のテキスト", "A. x\nB. y", "x" * 50_000])
def test_every_text_has_a_finite_shape(text):
    """Empty, foreign and huge prompts included."""
    assert np.isfinite(measure_shape((text,))).all()


def test_a_constant_feature_is_scaled_to_zero():
    """A standard deviation of 0 divides by 1."""
    raw = measure_shape(("same", "same"))
    assert np.abs(ShapeScaler.learn(raw).scale(raw)).max() == 0.0


def test_landmarks_are_distinct_texts_in_the_same_order_for_any_row_order():
    """The choice is made by the texts' hash."""
    chosen = choose_landmarks(TEXTS, n_landmarks=2)
    backwards = choose_landmarks(TEXTS[::-1], n_landmarks=2)
    assert [TEXTS[row] for row in chosen] == [TEXTS[::-1][row] for row in backwards]
    assert len(choose_landmarks(TEXTS, n_landmarks=10)) == 3
