import json
from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from pipeline.config import AssignConfig, ClusterConfig, DiscoverConfig, Policy, as_json, digest


def test_equal_configs_have_equal_json():
    """The text depends on the values alone, and reads back."""
    assert as_json(DiscoverConfig()) == as_json(DiscoverConfig())
    assert json.loads(as_json(DiscoverConfig())) == asdict(DiscoverConfig())
    assert as_json(Policy(model_ids=("a",))) != as_json(Policy())


def test_a_nested_knob_changes_the_text():
    """Every knob is part of a run's name."""
    changed = replace(DiscoverConfig(), cluster=ClusterConfig(min_cluster_size=7))
    assert digest(as_json(changed)) != digest(as_json(DiscoverConfig()))


def test_configs_are_frozen():
    """A knob cannot be turned after the run was named."""
    with pytest.raises(FrozenInstanceError, match="seed"):
        AssignConfig().seed = 1


def test_a_digest_tells_parts_and_order_apart():
    """16 hexadecimal digits, other ones for other cuts or another order of the same letters."""
    found = {digest("ab", "c"), digest("a", "bc"), digest("c", "ab"), digest("abc"), digest()}
    assert len(found) == 5
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in found)
    assert digest("ab", "c") == digest("ab", "c")


def test_a_digest_takes_any_text():
    """Half of a surrogate pair, which UTF-8 has no bytes for, is no error."""
    assert digest("\ud800") != digest("\ud801")
