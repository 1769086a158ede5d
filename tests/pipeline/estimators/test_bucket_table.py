import numpy as np
import pytest

from pipeline.estimators.base import Prompts
from pipeline.estimators.bucket_table import References, Tags
from tests.support import outcomes_of

VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], dtype=np.float32)
PROMPTS = Prompts(texts=("a", "b", "c", "d"), vectors=VECTORS, memberships=np.ones((4, 1)))
EXAMPLES = References(vectors=np.eye(2, dtype=np.float32), buckets=np.array([0, 1]))


def test_the_nearest_reference_decides():
    """(.8, .6) is nearer to the first; a prompt unlike both falls into none."""
    assert EXAMPLES.place(PROMPTS).argmax(axis=1).tolist() == [0, 0, 1, 1]
    picky = References(vectors=EXAMPLES.vectors, buckets=EXAMPLES.buckets, least_similarity=0.1)
    assert picky.place(PROMPTS).argmax(axis=1).tolist() == [0, 0, 1, 2]


def test_several_references_of_a_bucket():
    """Buckets are numbered by the user, not by the references."""
    turned = References(vectors=EXAMPLES.vectors, buckets=np.array([1, 0]))
    assert turned.place(PROMPTS).argmax(axis=1).tolist() == [1, 1, 0, 0]


def test_tags_place_by_text():
    """A text that was not tagged falls into none."""
    tags = Tags(bucket_of={"a": 1, "c": 0}, n_buckets=2)
    assert tags.place(PROMPTS).argmax(axis=1).tolist() == [1, 2, 0, 2]


@pytest.mark.parametrize(
    "source", [EXAMPLES, Tags(bucket_of={"a": 0, "b": 0, "c": 1}, n_buckets=2)], ids=["near", "tag"]
)
def test_buckets_learn_what_works_in_them(source):
    """Forty prompts in turn from two places, a model for each: the estimates tell them apart."""
    rows = np.tile([0, 2], 20)
    quality = np.tile([[1.0, 0.0], [0.0, 1.0]], (20, 1))
    found = source.fit(PROMPTS.rows(rows), outcomes_of(quality)).estimate(PROMPTS)
    assert (found.quality[[0, 2], [0, 1]] > 0.8).all()
    assert (found.quality[[2, 0], [0, 1]] < 0.2).all()


def test_a_new_model_changes_no_other():
    """Beside the same best single model, a third one leaves the other two as they were."""
    rows = np.tile([0, 2], 20)
    quality = np.tile([[1.0, 0.5], [1.0, 0.25]], (20, 1))
    wider = np.column_stack([quality, np.tile([0.0, 0.75], 20)])
    before, after = (
        EXAMPLES.fit(PROMPTS.rows(rows), outcomes_of(part)).estimate(PROMPTS)
        for part in (quality, wider)
    )
    assert np.array_equal(after.quality[:, :2], before.quality)
