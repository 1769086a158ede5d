import json
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.artefact import conformance_rows
from pipeline.commands import exporting
from pipeline.config import Policy
from pipeline.flows.curation import domains_from_labels
from pipeline.flows.evaluation import evaluate_store, score_holdout
from pipeline.flows.routing import load_router
from pipeline.flows.tables import build_table, load_model, publish_table
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.tables import OUTCOMES, RECEIPT, ROUTERS
from tests.topics import MODEL_IDS, make_topics

TRAIN, TEST = make_topics(120), make_topics(50, seed=5)
_ALL = {
    **dict(zip(TRAIN.prompts.texts, TRAIN.prompts.vectors, strict=True)),
    **dict(zip(TEST.prompts.texts, TEST.prompts.vectors, strict=True)),
}


@dataclass(frozen=True)
class FakeEncoder:
    """Looks vectors up; unknown texts get the middle."""

    encoder_id: str = "fake:0:mean:unit"

    def encode(self, texts):
        middle = np.full(8, 8**-0.5, dtype=np.float32)
        return np.stack([_ALL.get(text, middle) for text in texts])


def write_outcomes(path, topics):
    """Write what happened as a file anyone could have."""
    rows = [
        {
            "prompt": text,
            "model": model_id,
            "quality": topics.outcomes.quality[i, j],
            "cost_usd": topics.outcomes.cost_usd[i, j],
            "label": ("maths", "poems")[topics.topic[i]],
        }
        for i, text in enumerate(topics.prompts.texts)
        for j, model_id in enumerate(MODEL_IDS)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path):
    filled = Store(path=tmp_path / "store.duckdb")
    filled.append(*read_file(write_outcomes(tmp_path / "learn.jsonl", TRAIN)).tables())
    domains_from_labels(filled, actor="test")
    return filled


def test_the_stack_is_stored_with_its_table_and_read_back(store):
    """What routes later is what was fitted, and it tells the topics apart."""
    version = build_table(store, FakeEncoder(), Policy(quality_value_usd=1.0))
    assert store.read(ROUTERS)["table_version"].to_list() == [version]
    receipts = load_router(store, FakeEncoder(), version).decide(list(TEST.prompts.texts))
    assert receipts.schema == RECEIPT
    right = np.array(MODEL_IDS[:2])[TEST.topic] == receipts["model"].to_numpy()
    assert right.mean() > 0.9
    assert receipts["expected_quality"].is_between(0.0, 1.0).all()
    assert (receipts["expected_cost_usd"] > 0.0).all()


def test_receipts_show_the_estimates_of_the_stack_clipped(store):
    """Model, quality and cost are the stack's; domain and confidence the assigner's."""
    version = build_table(store, FakeEncoder(), Policy(quality_value_usd=1.0))
    _, model = load_model(store, version)
    texts = list(TEST.prompts.texts)
    by_stack = load_router(store, FakeEncoder(), version).decide(texts)
    table = build_table(store, FakeEncoder(), Policy(quality_value_usd=1.0, router="table"))
    by_table = load_router(store, FakeEncoder(), table).decide(texts)
    for column in ("domain", "confidence"):
        assert by_stack[column].to_list() == by_table[column].to_list()
    assert by_stack["expected_quality"].to_list() != by_table["expected_quality"].to_list()
    assert model.router is not None
    assert load_model(store, table)[1].router is None


def test_an_equal_build_keeps_its_version(store):
    """The same outcomes, domains and policy are one table; another router is another one."""
    encoder = FakeEncoder()
    first = build_table(store, encoder, Policy())
    assert build_table(store, encoder, Policy()) == first
    assert build_table(store, encoder, Policy(router="table")) == first + 1
    assert store.count(ROUTERS) == 1


def test_a_model_without_a_known_cost_gets_a_null_and_is_not_chosen(store):
    """A trade-off needs costs; quality alone does not."""
    blank = store.read(OUTCOMES).with_columns(
        cost_usd=pl.when(pl.col("model_id") == "poem-model").then(None).otherwise("cost_usd")
    )
    store.upsert((OUTCOMES, blank))
    priced = build_table(store, FakeEncoder(), Policy(quality_value_usd=1.0))
    receipts = load_router(store, FakeEncoder(), priced).decide(list(TEST.prompts.texts))
    assert "poem-model" not in set(receipts["model"])
    free = build_table(store, FakeEncoder(), Policy(quality_value_usd=float("inf")))
    receipts = load_router(store, FakeEncoder(), free).decide(list(TEST.prompts.texts))
    chosen = receipts.filter(model="poem-model")
    assert chosen.height > 0
    assert chosen["expected_cost_usd"].null_count() == chosen.height


def test_holdout_scores_the_router_that_routes(store, tmp_path):
    """The score of a version counts exactly the calls its receipts name."""
    encoder = FakeEncoder()
    holdout = read_file(write_outcomes(tmp_path / "test.jsonl", TEST))
    versions = {
        "stack": build_table(store, encoder, Policy()),
        "table": build_table(store, encoder, Policy(router="table")),
    }
    score = score_holdout(store, encoder, holdout, versions)
    shares = {row.name: row.calls for row in score.scores}
    for name, version in versions.items():
        routed = load_router(store, encoder, version).decide(list(TEST.prompts.texts))
        assert shares[name]["maths-model"] == pytest.approx(
            (routed["model"] == MODEL_IDS[0]).mean()
        )


def test_evaluate_scores_the_stack_first(store):
    """With domains all four routers are compared, without them those that need none."""
    evaluation, _ = evaluate_store(store, FakeEncoder(), n_seeds=1)
    names = [score.router for score in evaluation.routers]
    assert names[:4] == ["stack", "domain_table", "soft_domain_table", "knn"]
    assert evaluation.routers[0].delta_points.mean > 5.0


def test_evaluate_without_domains_compares_what_needs_none(tmp_path):
    """The stack and the neighbours work from the first import on."""
    bare = Store(path=tmp_path / "bare.duckdb")
    bare.append(*read_file(write_outcomes(tmp_path / "learn.jsonl", TRAIN)).tables())
    evaluation, _ = evaluate_store(bare, FakeEncoder(), n_seeds=1)
    assert [score.router for score in evaluation.routers][:2] == ["stack", "knn"]


def test_conformance_rows_are_decided_by_the_table_alone(store):
    """A reader of the artefact has no stack."""
    version = build_table(store, FakeEncoder(), Policy(quality_value_usd=1.0))
    model = load_model(store, version)[1]
    with_stack = conformance_rows(model, FakeEncoder())
    assert with_stack == conformance_rows(replace(model, router=None), FakeEncoder())


@pytest.mark.parametrize(
    ("router", "said"),
    [
        ("stack", "by the table alone; the stack's per-prompt refinement stays here"),
        ("table", "Nothing is lost"),
    ],
)
def test_export_says_what_is_lost(store, tmp_path, monkeypatch, router, said):
    """On standard error, after the files' names."""
    monkeypatch.setattr(exporting, "load_encoder", lambda _: FakeEncoder())
    publish_table(store, build_table(store, FakeEncoder(), Policy(router=router)))
    result = CliRunner().invoke(
        exporting.export_command, ["-o", str(tmp_path / "out"), "--store", str(store.path)]
    )
    assert result.exit_code == 0, result.output
    assert said in result.stderr
    assert "routing_table.json" in result.stdout
