import shutil

import numpy as np
import pytest

from pipeline.flows.training import as_prompts, fitted_memberships, read_training_data
from pipeline.store import Store
from profiles.errors import NotReadyError
from profiles.tables import OUTCOMES
from tests.support import HashEncoder, id_of, outcomes_table, story, story_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("training"), n_per_topic=8, publish=False)


def test_rows_are_prompts_by_id(store):
    """Row i of every part is the same prompt; ids are sorted."""
    data = read_training_data(store, HashEncoder())
    assert list(data.prompt_ids) == sorted(id_of(p) for p in story(8))
    text_of = {id_of(p): p.text for p in story(8)}
    assert [text_of[i] for i in data.prompt_ids] == list(data.texts)
    assert np.array_equal(data.vectors, HashEncoder().encode(data.texts))
    truth = {id_of(p): p for p in story(8)}
    assert data.outcomes.quality.tolist() == [
        [truth[i].quality[m] for m in ("large", "medium", "small")] for i in data.prompt_ids
    ]
    names = data.domains["name"].to_list()
    assert [names[k] for k in data.domain_of] == [truth[i].topic for i in data.prompt_ids]


def test_some_rows_are_the_same_prompts(store):
    """A mask and positions pick from every part alike."""
    data = read_training_data(store, HashEncoder())
    mask = np.arange(24) % 5 == 0
    by_mask, by_position = data.rows(mask), data.rows(np.flatnonzero(mask))
    assert by_mask.prompt_ids == by_position.prompt_ids == data.prompt_ids[::5]
    assert np.array_equal(by_mask.outcomes.quality, data.outcomes.quality[::5])
    assert np.array_equal(by_mask.domain_of, data.domain_of[::5])
    assert np.array_equal(by_mask.folds, data.folds[::5])


def test_memberships_are_rows_that_sum_to_one(store):
    """Held-out memberships have one column for each domain and one for `unassigned`."""
    data = read_training_data(store, HashEncoder())
    assigner, memberships = fitted_memberships(data)
    assert assigner is not None
    assert memberships.shape == (24, 4)
    assert memberships.sum(axis=1) == pytest.approx(np.ones(24))
    assert as_prompts(data, memberships).texts == data.texts


def test_without_domains_there_is_one_bucket(store):
    """Everything is unassigned."""
    data = read_training_data(store, HashEncoder())
    bare = data.rows(np.arange(3))
    none = type(data)(**(bare.__dict__ | {"domains": data.domains.clear()}))
    assigner, memberships = fitted_memberships(none)
    assert assigner is None
    assert memberships.tolist() == [[1.0]] * 3


def test_no_outcomes_name_the_next_step(tmp_path):
    """An empty store has nothing to learn from."""
    with pytest.raises(NotReadyError, match="promptshed import FILE"):
        read_training_data(Store(path=tmp_path / "store.duckdb"), HashEncoder())


def test_held_out_memberships_do_not_depend_on_outcomes(store, tmp_path):
    """Domains are told from texts alone."""
    store = Store(path=shutil.copy(store.path, tmp_path / "copy.duckdb"))
    data = read_training_data(store, HashEncoder())
    before = fitted_memberships(data)[1]
    store.append((OUTCOMES, outcomes_table([(data.prompt_ids[0], "small", 0.5, None)])))
    assert np.array_equal(before, fitted_memberships(read_training_data(store, HashEncoder()))[1])
