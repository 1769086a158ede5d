import numpy as np
import pytest

from pipeline.config import Policy
from pipeline.flows.evaluation import evaluate_store, score_holdout
from pipeline.flows.routers import DEFAULT_ROUTERS
from pipeline.flows.tables import build_table
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import NotReadyError
from tests.support import BEST_VALUE, MODELS, HashEncoder, story, story_csv, story_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("evaluation"))


def file_of(folder, prompts, transform=str):
    path = folder / "holdout.csv"
    path.write_text(transform(story_csv(prompts)), encoding="utf-8")
    return read_file(path)


def fresh_prompts():
    """Return prompts of the story that the store has not learned from."""
    learned = {p.text for p in story(30)}
    return [p for p in story(45) if p.text not in learned]


def test_tables_save_on_the_story(store):
    """Domains cut cost without losing quality, and no router beats the oracle."""
    found, case = evaluate_store(store, HashEncoder(), n_seeds=2)
    scores = {score.router: score for score in found.routers}
    assert set(scores) == {*DEFAULT_ROUTERS, "best_single", "cheapest", "random"}
    assert (found.n_prompts, found.n_seeds, found.best_single) == (90, 2, "large")
    assert scores["soft_domain_table"].cost_ratio.hi < 0.7
    assert scores["soft_domain_table"].parity_delta_points.mean > -1
    assert scores["soft_domain_table"].aiq > found.zero_router_aiq
    assert max(score.quality for score in scores.values()) <= found.oracle_quality
    assert case.left_out == {}


def test_the_same_store_has_the_same_score(store):
    """Two evaluations agree to the last digit."""
    one, two = (evaluate_store(store, HashEncoder(), n_seeds=1)[0] for _ in range(2))
    assert repr(one) == repr(two)


def test_a_model_known_on_few_prompts_is_left_out(tmp_path):
    """It is named with its coverage, and the others are compared."""
    store = story_store(tmp_path, n_per_topic=10, publish=False)
    extra = "prompt,model,quality,cost_usd\n" + f"{story(10)[0].text},rare,1,0.001\n"
    (tmp_path / "rare.csv").write_text(extra)
    store.append(*read_file(tmp_path / "rare.csv").tables())
    found, case = evaluate_store(store, HashEncoder(), n_seeds=1)
    assert case.left_out == {"rare": "quality known on 3% of the prompts"}
    assert found.model_ids == tuple(MODELS)


def test_unknown_costs_stay_unknown(tmp_path):
    """Without costs the evaluation has points and no ratio."""
    source = tmp_path / "in.csv"
    source.write_text(
        "\n".join(line.rsplit(",", 1)[0] for line in story_csv(story(12), label=False).splitlines())
    )
    store = Store(path=tmp_path / "store.duckdb")
    store.append(*read_file(source).tables())
    found, _ = evaluate_store(store, HashEncoder(), n_seeds=1)
    assert np.isnan([found.best_single_cost_usd, found.zero_router_aiq]).all()
    assert all(np.isnan(score.cost_ratio.mean) for score in found.routers)


def test_too_few_prompts_are_no_evidence(tmp_path):
    """Under 20 prompts the error counts them and asks for more."""
    store = story_store(tmp_path, n_per_topic=4, publish=False)
    with pytest.raises(NotReadyError, match=r"Only 12 prompts .* at least 20. Import more"):
        evaluate_store(store, HashEncoder())


def test_a_held_out_file_is_scored(store, tmp_path):
    """New prompts of the story: near the best model's quality at half of its cost."""
    prompts = fresh_prompts()
    found = score_holdout(store, HashEncoder(), file_of(tmp_path, prompts), {"ours": 1})
    scores = {score.name: score for score in found.scores}
    assert list(scores) == ["best single", "cheapest", "ours", "oracle"]
    assert (found.n_prompts, found.n_skipped) == (len(prompts), 0)
    assert found.reference_model_id == "large"
    assert scores["best single"].calls["large"] == 1
    assert scores["cheapest"].calls["small"] == 1
    assert scores["ours"].cost_ratio.mean < 0.75
    assert scores["ours"].quality <= scores["oracle"].quality
    exact = np.mean([p.quality["large"] for p in prompts])
    assert scores["best single"].quality == pytest.approx(exact)


def test_prompts_that_were_learned_are_skipped(store, tmp_path):
    """Only new prompts count; a file of old ones cannot be scored."""
    mixed = score_holdout(
        store, HashEncoder(), file_of(tmp_path, story(30)[:5] + fresh_prompts()), {"ours": 1}
    )
    assert (mixed.n_prompts, mixed.n_skipped) == (len(fresh_prompts()), 5)
    with pytest.raises(NotReadyError, match="evaluate it without importing it"):
        score_holdout(store, HashEncoder(), file_of(tmp_path, story(30)), {"ours": 1})


def test_a_model_missing_in_the_file_is_named(store, tmp_path):
    """What the table may choose must have an outcome."""

    def without_medium(text):
        return "\n".join(line for line in text.splitlines() if ",medium," not in line)

    holdout = file_of(tmp_path, fresh_prompts(), without_medium)
    with pytest.raises(NotReadyError, match=r"no outcome of medium.*--models"):
        score_holdout(store, HashEncoder(), holdout, {"ours": 1})


def test_tables_of_other_models_are_scored_by_name(store, tmp_path):
    """Two versions with different candidates are each looked up under their own models."""
    policy = Policy(model_ids=("medium", "small"), quality_value_usd=0.0)
    limited = build_table(store, HashEncoder(), policy)
    versions = {"ours": 1, "limited": limited}
    found = score_holdout(store, HashEncoder(), file_of(tmp_path, fresh_prompts()), versions)
    scores = {score.name: score for score in found.scores}
    assert scores["limited"].calls == {"large": 0, "medium": 0, "small": 1}
    assert scores["ours"].calls[BEST_VALUE["python"]] > 0
