import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pipeline.estimators.stack import Stack
from pipeline.packing import from_bytes, pack, to_bytes, unpack
from profiles.errors import StoreError
from tests.topics import make_topics

TRAIN, TEST = make_topics(120), make_topics(40, seed=3)


@pytest.fixture(scope="module")
def fitted():
    return Stack().fit(TRAIN.prompts, TRAIN.outcomes)


def test_a_round_trip_gives_equal_estimates_bit_for_bit(fitted):
    """What comes back decides every prompt as before, also when packed twice."""
    once = from_bytes(to_bytes(fitted))
    twice = from_bytes(to_bytes(once))
    expected = fitted.estimate(TEST.prompts)
    for read in (once, twice):
        found = read.estimate(TEST.prompts)
        assert found.model_ids == expected.model_ids
        np.testing.assert_array_equal(found.quality, expected.quality)
        np.testing.assert_array_equal(found.cost_usd, expected.cost_usd)
        np.testing.assert_array_equal(found.standard_error, expected.standard_error)
    assert to_bytes(once) == to_bytes(fitted)


def test_shared_arrays_are_stored_once(fitted):
    """Three sets of neighbours hold the same training vectors; the landmarks are a copy."""
    _, arrays = pack(fitted)
    assert sum(array.shape == TRAIN.prompts.vectors.shape for array in arrays.values()) == 2
    assert all(array.dtype.kind in "fiub" for array in arrays.values())


def test_no_prompt_is_in_a_packed_router(fitted):
    """Landmarks are kept as numbers."""
    content = to_bytes(fitted)
    assert not any(text.encode() in content for text in TRAIN.prompts.texts)


def test_unknown_quality_and_cost_survive():
    """NaN goes through arrays, never through JSON."""
    outcomes = replace(
        TRAIN.outcomes,
        quality=np.where(np.arange(3) == 1, np.nan, TRAIN.outcomes.quality),
        cost_usd=np.full((120, 3), np.nan),
    )
    fitted = Stack().fit(TRAIN.prompts, outcomes)
    found = from_bytes(to_bytes(fitted)).estimate(TEST.prompts)
    assert np.isnan(found.quality[:, 1]).all()
    assert np.isnan(found.cost_usd).all()


def test_an_unknown_class_is_refused(fitted):
    """Only classes on the list are built."""
    text, arrays = pack(fitted)
    changed = json.loads(text)
    changed["parts"][0]["class"] = "Popen"
    with pytest.raises(StoreError, match="'Popen', which this Promptshed does not know"):
        unpack(json.dumps(changed), arrays)


def test_another_version_is_refused(fitted):
    """The error says what to do."""
    text, arrays = pack(fitted)
    with pytest.raises(StoreError, match=r"version 99, this Promptshed reads 2\. Upgrade"):
        unpack(json.dumps(json.loads(text) | {"pack_version": 99}), arrays)


@pytest.mark.parametrize("content", [b"", b"not a router", b"\x02\0\0\0\0\0\0\0{}"])
def test_other_bytes_are_refused(content):
    """Truncated and foreign files are named as such."""
    with pytest.raises(StoreError, match="Build the table again"):
        from_bytes(content)


def test_a_missing_array_is_refused(fitted):
    """A damaged file is no reason to guess."""
    text, arrays = pack(fitted)
    with pytest.raises(StoreError, match="damaged"):
        unpack(text, dict(list(arrays.items())[1:]))


def test_foreign_objects_are_not_packed(fitted):
    """A class of the same name is not the class on the list."""

    @dataclass(frozen=True, kw_only=True)
    class WeightedSum:
        members: tuple = ()

    with pytest.raises(TypeError, match="WeightedSum cannot be packed"):
        pack(replace(fitted, smoother=WeightedSum()))
