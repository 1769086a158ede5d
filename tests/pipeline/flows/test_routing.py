import pytest

from pipeline.config import Policy
from pipeline.flows.routing import decider
from pipeline.flows.tables import build_table
from pipeline.store import Store
from profiles.errors import NotReadyError, UsageError
from profiles.tables import RECEIPT, VECTORS
from tests.support import BEST_VALUE, HashEncoder, story, story_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("routing"))


def test_unseen_prompts_get_their_topics_model(store):
    """New wordings of a topic go where the topic goes."""
    fresh = story(40)[30:40] + story(40)[70:80] + story(40)[110:120]
    found = decider(store, HashEncoder())([p.text for p in fresh])
    right = [model == BEST_VALUE[p.topic] for model, p in zip(found["model"], fresh, strict=True)]
    accepted = found["domain"] != "unassigned"
    assert accepted.mean() > 0.7
    assert all(ok for ok, known in zip(right, accepted, strict=True) if known)
    assert dict(found.schema) == dict(RECEIPT)


def test_receipts_repeat_and_texts_are_encoded_once(store):
    """The second time is the same answer from stored vectors."""
    encoder = HashEncoder()
    texts = ["Please help with kitchen oven case", "tenant court lease"]
    first = decider(store, encoder)(texts)
    assert decider(store, encoder)(texts[::-1])[::-1].equals(first)
    assert encoder.seen == sorted(encoder.seen, key=encoder.seen.index)
    assert len(encoder.seen) <= 2
    assert store.count(VECTORS) > 90


def test_a_stranger_takes_the_fallback_bucket(store):
    """A prompt unlike every domain is unassigned and its receipt says so."""
    found = decider(store, HashEncoder())(["quasar nebula telescope"])
    assert found["domain"].item() == "unassigned"
    assert "unlike every approved domain" in found["reason"].item()


def test_a_version_may_be_named(store):
    """A draft can be tried before it is published."""
    cheap = build_table(store, HashEncoder(), Policy(quality_value_usd=0.0))
    found = decider(store, HashEncoder(), cheap)([p.text for p in story(3)])
    assert set(found["model"]) == {"small"}
    assert set(found["table_version"]) == {cheap}


def test_another_encoder_is_refused(store):
    """Vectors of two encoders never mix."""
    with pytest.raises(UsageError, match=r"was built with the encoder hash:.*not other.*--encoder"):
        decider(store, HashEncoder(encoder_id="other"))


def test_without_a_published_table_nothing_is_routed(tmp_path):
    """The error names the next step."""
    with pytest.raises(NotReadyError, match="promptshed table build --publish"):
        decider(Store(path=tmp_path / "store.duckdb"), HashEncoder())
