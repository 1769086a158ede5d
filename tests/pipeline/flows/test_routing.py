import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.batch import route_file
from pipeline.config import Policy
from pipeline.flows.encoding import PassingVectors
from pipeline.flows.logs import score_logs
from pipeline.flows.routing import load_router
from pipeline.flows.tables import build_table
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import NotReadyError, UsageError
from profiles.tables import OUTCOMES, RECEIPT, VECTORS
from tests.support import BEST_VALUE, MODELS, HashEncoder, story, story_store


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


def test_explored_files_come_back_as_logs_with_propensities(store, tmp_path):
    """Route with exploration, import what happened: inverse propensity gives the truth."""
    prompts = story(200)
    lines = [json.dumps({"prompt": p.text}) for p in prompts]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    router = replace(load_router(store, HashEncoder()), explore=0.6)
    route_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", router.decide)
    routed = pl.read_ndjson(tmp_path / "out.jsonl")
    happened = [p.quality[model] for p, model in zip(prompts, routed["model"], strict=True)]
    log = routed.select("prompt", "model", "propensity", quality=pl.Series(happened))
    log.write_csv(tmp_path / "log.csv")
    logs = Store(path=tmp_path / "logs.duckdb")
    logs.append(*read_file(tmp_path / "log.csv").tables())
    outcomes = logs.read(OUTCOMES)
    assert set(outcomes["propensity"].round(6)) == {0.2, 0.6}
    weighted = outcomes.with_columns(value=pl.col("quality") / pl.col("propensity"))
    for model in MODELS:
        truth = np.mean([p.quality[model] for p in prompts])
        values = weighted.filter(pl.col("propensity") < 1.0, model_id=model)["value"].to_numpy()
        n = outcomes.filter(pl.col("propensity") < 1.0).height
        sd = np.sqrt((values**2).sum() / n / n)
        assert values.sum() / n == pytest.approx(truth, abs=4 * sd)
    assert routed.filter(pl.col("reason").str.contains("drawn at random"))["propensity"].max() < 0.5
    found = score_logs(logs, HashEncoder(), n_seeds=1)
    assert found.n_explored == outcomes.filter(pl.col("propensity") < 1.0).height


def test_lots_do_not_change_with_the_chunks(store):
    """A row draws by its line and text alone, so shards and resumed runs draw the same."""
    router = replace(load_router(store, HashEncoder()), explore=0.5)
    texts = [p.text for p in story(10)]
    lines = list(range(2, 2 + len(texts)))
    whole = router.decide(texts, lines)
    parts = pl.concat([router.decide(texts[:7], lines[:7]), router.decide(texts[7:], lines[7:])])
    assert whole["model"].to_list() == parts["model"].to_list()
    assert 0 < (whole["propensity"] < 0.5).sum() < len(texts)
