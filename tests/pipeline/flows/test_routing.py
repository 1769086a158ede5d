import polars as pl
import pytest

from pipeline.config import Policy
from pipeline.flows.encoding import PassingVectors
from pipeline.flows.routing import load_router
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
    found = load_router(store, HashEncoder()).decide([p.text for p in fresh])
    right = [model == BEST_VALUE[p.topic] for model, p in zip(found["model"], fresh, strict=True)]
    accepted = found["domain"] != "unassigned"
    assert accepted.mean() > 0.7
    assert all(ok for ok, known in zip(right, accepted, strict=True) if known)
    assert dict(found.schema) == dict(RECEIPT)


def test_routed_prompts_are_encoded_once_and_not_kept(store):
    """Within a run a text is encoded once; the store does not grow by what passes through."""
    encoder, before = HashEncoder(), store.count(VECTORS)
    router = load_router(store, encoder)
    texts = ["Please help with kitchen oven case", "tenant court lease"]
    first = router.decide([*texts, *texts])
    assert first[:2].equals(first[2:])
    assert router.decide(texts[::-1])["model"].to_list() == first["model"].to_list()[1::-1]
    assert encoder.seen == texts
    assert store.count(VECTORS) == before


def test_known_prompts_are_not_encoded(store):
    """What the table was learned from has its vector in the store."""
    encoder = HashEncoder()
    load_router(store, encoder).decide([p.text for p in story(3)])
    assert encoder.seen == []


def test_memory_of_vectors_is_bounded(store):
    """The prompt that was met longest ago is forgotten, and encoded again if it returns."""
    encoder = HashEncoder()
    vectors = PassingVectors(store=store, encoder=encoder, n_remembered=2)
    for prompt_id in ("a", "b", "a", "c", "a", "b"):
        vectors.of([prompt_id], [f"text {prompt_id}"])
    assert encoder.seen == ["text a", "text b", "text c", "text b"]


def test_a_stranger_takes_the_fallback_bucket(store):
    """A prompt unlike every domain is unassigned and its receipt says so."""
    found = load_router(store, HashEncoder()).decide(["quasar nebula telescope"])
    assert found["domain"].item() == "unassigned"
    assert "unlike every approved domain" in found["reason"].item()


def test_a_version_may_be_named(store):
    """A draft can be tried before it is published."""
    cheap = build_table(store, HashEncoder(), Policy(quality_value_usd=0.0))
    found = load_router(store, HashEncoder(), cheap).decide([p.text for p in story(3)])
    assert set(found["model"]) == {"small"}
    assert set(found["table_version"]) == {cheap}


def test_another_encoder_is_refused(store):
    """Vectors of two encoders never mix."""
    with pytest.raises(UsageError, match=r"was built with the encoder hash:.*not other.*--encoder"):
        load_router(store, HashEncoder(encoder_id="other"))


def test_without_a_published_table_nothing_is_routed(tmp_path):
    """The error names the next step."""
    with pytest.raises(NotReadyError, match="promptshed table build --publish"):
        load_router(Store(path=tmp_path / "store.duckdb"), HashEncoder())


def test_a_budget_is_kept_over_both_passes(store):
    """Any budget from the least to what is spent without one, in any chunks."""
    texts = [p.text for p in story(30)]
    router = load_router(store, HashEncoder())
    counter = router.counter()
    free = pl.concat([counter.decide(texts[:50]), counter.decide(texts[50:])])
    assert free.equals(router.decide(texts))
    full = free["expected_cost_usd"].sum()
    for budget in (full * 0.3, full * 0.7, full * 1.1):
        spender = counter.spend(budget)
        found = pl.concat([spender.decide(texts[:50]), spender.decide(texts[50:])])
        spent = found["expected_cost_usd"].sum()
        assert spent <= budget
        assert spent > 0.95 * min(budget, full)
        assert (spender.quality_for_a_dollar > 0) == (budget < full)
    assert found.equals(free)


def test_a_prompt_moved_by_the_budget_says_so(store):
    """The reason names the model that would have been the best value."""
    texts = [p.text for p in story(30)]
    router = load_router(store, HashEncoder())
    counter = router.counter()
    free = counter.decide(texts)
    found = counter.spend(free["expected_cost_usd"].sum() * 0.3).decide(texts)
    moved = found["model"] != free["model"]
    assert moved.any()
    assert found.filter(moved)["reason"].str.contains("worth more elsewhere than").all()
    assert not found.filter(~moved)["reason"].str.contains("elsewhere").any()


def test_shares_are_kept_exactly_on_a_file(store):
    """The small model gets its tenth, in any chunks; without a limit it gets more."""
    texts = [p.text for p in story(30)]
    router = load_router(store, HashEncoder())
    weigher = router.weigher()
    free = pl.concat([weigher.decide(texts[:50]), weigher.decide(texts[50:])])
    sharer = weigher.share({"small": 0.1})
    found = pl.concat([sharer.decide(texts[:50]), sharer.decide(texts[50:])])
    assert (free["model"] == "small").sum() > 9 == (found["model"] == "small").sum()
    moved = found["model"] != free["model"]
    assert found.filter(moved)["reason"].str.contains("worth more elsewhere than small").all()
    assert weigher.share({"small": 1.0}).decide(texts).equals(free)
    with pytest.raises(UsageError, match="no model 'huge'"):
        weigher.share({"huge": 0.5})
