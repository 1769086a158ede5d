from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.assign import Assigner
from pipeline.config import Policy, as_json
from pipeline.estimators.domain_table import build_cells
from pipeline.ranking import table_entries
from pipeline.table import (
    RoutingModel,
    buckets_frame,
    decide,
    routing_model,
    table_diff,
)
from pipeline.terms import Limits, Terms
from profiles.interval import beta_interval
from profiles.table import conform
from profiles.tables import BUCKETS, RECEIPT, TABLE_ENTRIES
from tests.support import NAN, outcomes_of

ASSIGNER = Assigner(
    weights=np.array([[8, 0, 0], [0, 8, 0]], dtype=np.float32),
    intercepts=np.zeros(2, dtype=np.float32),
    temperature=1.0,
    prototypes=np.eye(3, dtype=np.float32)[:2],
    radii=np.full(2, 0.5, dtype=np.float32),
)
TERMS = Terms(
    reference=0,
    quality_value_usd=1.0,
    z=np.zeros(3),
    surcharge=np.zeros(2),
    limits=Limits(),
    locks=np.full(3, -1),
)
MODEL = RoutingModel(
    table_version=3,
    model_ids=("large", "small"),
    terms=TERMS,
    domain_ids=("dom-1", "dom-2"),
    names=("maths", "art", "unassigned"),
    assigner=ASSIGNER,
    quality=np.array([[0.9, 0.3], [0.9, 0.8], [0.9, 0.5]]),
    cost_usd=np.tile([0.3, 0.1], (3, 1)),
    latency_s=np.full((3, 2), NAN),
    advantage_sd=np.tile([0.0, 0.01], (3, 1)),
    n_outcomes=np.tile([25.0, 16.0], (3, 1)),
)
VECTORS = np.eye(3, dtype=np.float32)
"""One prompt of each domain, and one unlike both."""

DOMAINS = pl.DataFrame(
    {"domain_id": ["dom-1", "dom-2"], "name": ["maths", "art"], "n_prompts": [4, 4]}
)
HARD = np.repeat(np.eye(3)[:2], 4, axis=0)


def entries_of(cells, quality_value_usd, **changes):
    """Rank by the plain terms, changed as asked; every latency is a second."""
    shape = cells.quality.shape
    terms = Terms(
        reference=0,
        quality_value_usd=quality_value_usd,
        z=np.zeros(shape[0]),
        surcharge=np.zeros(shape[1]),
        limits=Limits(),
        locks=np.full(shape[0], -1),
    )
    return table_entries(cells, np.ones(shape), replace(terms, **changes))


def receipts(vectors, model):
    """Decide by the table alone, which reads no text."""
    return decide([""] * len(vectors), vectors, model)


def cells(quality=None, cost=((0.3, 0.1, 0.2),)):
    """Return three models in two domains: a is the reference, b is as good at art."""
    if quality is None:
        quality = np.repeat([[1.0, 0.0, 0.5], [1.0, 1.0, 0.5]], 4, axis=0)
    return build_cells(HARD, outcomes_of(quality, cost), 0)


def test_receipts_by_hand():
    """maths stays with the safe choice, art goes to the cheaper model, a stranger falls back."""
    found = receipts(VECTORS, MODEL)
    assert found["model"].to_list() == ["large", "small", "large"]
    assert found["domain"].to_list() == ["maths", "art", "unassigned"]
    assert found["fallback"].to_list() == ["small", "large", "small"]
    share = 1 / (1 + np.exp(-8))
    assert found["confidence"][:2].to_list() == pytest.approx([share, share])
    assert found["expected_quality"][1] == pytest.approx(0.8 * share + 0.3 * (1 - share))
    assert found["expected_cost_usd"].to_list() == pytest.approx([0.3, 0.1, 0.3])
    assert found["fallbacks"].to_list() == [["small"], ["large"], ["small"]]
    assert found["propensity"].to_list() == [1.0] * 3
    assert found["table_version"].to_list() == [3, 3, 3]
    assert dict(found.schema) == dict(RECEIPT)


def test_the_interval_of_quality_is_of_the_outcomes_behind_it():
    """0.9 of 25 outcomes and 0.8 of 16: the beta intervals of those; fewer are wider."""
    found = receipts(VECTORS, MODEL)
    lo, hi = beta_interval(np.array([0.9]), np.array([25.0]))
    assert found["quality_lo"][2] == pytest.approx(lo.item())
    assert found["quality_hi"][2] == pytest.approx(hi.item())
    fewer = receipts(VECTORS, replace(MODEL, n_outcomes=np.full((3, 2), 2.0)))
    assert (fewer["quality_hi"] - fewer["quality_lo"] > found["quality_hi"] - lo.item()).all()
    none = receipts(VECTORS, replace(MODEL, n_outcomes=np.zeros((3, 2))))
    assert none["quality_lo"].null_count() == none["quality_hi"].null_count() == 3


def test_fallbacks_are_in_the_order_of_their_worth():
    """Of four models the other three, best first; one beyond the limits is none of them."""
    wide = replace(
        MODEL,
        model_ids=("large", "poor", "small", "tiny"),
        terms=replace(
            TERMS, surcharge=np.zeros(4), limits=Limits(min_quality=0.2), quality_value_usd=np.inf
        ),
        quality=np.tile([0.9, 0.1, 0.5, 0.7], (3, 1)),
        cost_usd=np.ones((3, 4)),
        latency_s=np.full((3, 4), NAN),
        advantage_sd=np.zeros((3, 4)),
        n_outcomes=np.ones((3, 4)),
    )
    found = receipts(VECTORS, wide)
    assert found["fallback"].to_list() == ["tiny"] * 3
    assert found["fallbacks"].to_list() == [["tiny", "small"]] * 3


def test_every_receipt_says_why():
    """The domain with its share, the points against the safe choice, and refusals."""
    reasons = receipts(VECTORS, MODEL)["reason"]
    assert reasons[0] == "maths (100 %); the safe choice is worth its cost here"
    assert reasons[1] == "art (100 %); expected -10.0 points against large, better value"
    assert reasons[2].startswith("unlike every approved domain; ")


def test_an_unknown_cost_stays_null_in_receipts():
    """Where quality alone decides, a model of unknown cost has no expected cost, not 0."""
    terms = replace(TERMS, quality_value_usd=float("inf"))
    unknown = replace(MODEL, cost_usd=np.tile([NAN, 0.1], (3, 1)), terms=terms)
    found = receipts(VECTORS, unknown)
    assert found["model"].to_list() == ["large"] * 3
    assert found["expected_cost_usd"].null_count() == 3
    assert found["expected_quality"].to_list() == pytest.approx([0.9] * 3)


def test_no_prompts_have_no_receipts():
    """An empty matrix gives an empty receipt frame with all columns."""
    found = receipts(np.zeros((0, 3), np.float32), MODEL)
    assert found.is_empty()
    assert dict(found.schema) == dict(RECEIPT)


def test_row_order_is_irrelevant():
    """Receipts follow their prompts."""
    order = [2, 0, 1]
    shuffled, whole = receipts(VECTORS[order], MODEL), receipts(VECTORS, MODEL)
    assert shuffled.equals(whole[order])


def test_a_receipt_does_not_depend_on_its_neighbours():
    """Alone or among thousands: the same model, and numbers equal far beyond what is shown."""
    generator = np.random.default_rng(0)
    many = generator.normal(size=(999, 3)).astype(np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    whole = receipts(many, MODEL)
    for row in (0, 500, 998):
        assert receipts(many[row : row + 1], MODEL).equals(whole[row])


def test_entries_are_ranked_by_value():
    """In maths a, c, b; in art b is as good and cheaper. Margins are the value lost in USD."""
    found = entries_of(cells(), 1.0)
    ranked = found.filter(bucket=0).sort("rank")
    assert ranked["model_id"].to_list() == ["a", "c", "b"]
    assert found.filter(bucket=1, rank=1)["model_id"].item() == "b"
    utility = (ranked["quality"] - ranked["cost_usd"]).to_numpy()
    assert ranked["margin_usd"].to_list() == pytest.approx([*(utility[:-1] - utility[1:]), 0.0])


def test_entries_carry_their_evidence():
    """Advantage, its interval and the number of outcomes stand beside every choice."""
    found = entries_of(cells(), 1.0).filter(bucket=0, model_id="b")
    entry = found.row(0, named=True)
    assert entry["advantage_lo"] < entry["advantage"] < entry["advantage_hi"] < 0
    assert entry["advantage_hi"] - entry["advantage"] == pytest.approx(
        entry["advantage"] - entry["advantage_lo"]
    )
    assert entry["n"] == 4
    assert entry["reason"] == "rank 3"


def test_the_first_choice_says_why():
    """The safe choice by name, another one with points and the share of cost saved."""
    found = entries_of(cells(), 1.0).filter(rank=1)
    assert found.filter(bucket=0)["reason"].item().startswith("safe choice")
    reason = found.filter(bucket=1)["reason"].item()
    assert reason.endswith("points at -67% cost against a")


def test_quality_alone_has_no_margin_in_dollars():
    """With infinite value the margin in USD is unknown, not infinite."""
    found = entries_of(cells(), float("inf"))
    assert found["margin_usd"].null_count() == found.height


def test_a_model_without_quality_is_in_no_ranking():
    """Unknown is neither last nor 0."""
    quality = np.tile([1.0, NAN, 0.5], (8, 1))
    found = entries_of(cells(quality), 1.0)
    assert set(found["model_id"]) == {"a", "c"}


def test_a_model_without_cost_is_ranked_by_quality_only():
    """It is left out where cost counts, and kept with a null cost where quality alone does."""
    unknown = cells(cost=[[0.3, NAN, 0.2]])
    assert set(entries_of(unknown, 1.0)["model_id"]) == {"a", "c"}
    found = entries_of(unknown, float("inf"))
    assert found.filter(model_id="b")["cost_usd"].null_count() == 3
    assert found.filter(bucket=1, rank=1)["model_id"].item() == "a"


def test_free_models_are_compared_by_points():
    """Where nothing costs anything there is no share of cost to name."""
    quality = np.repeat([[0.0, 1.0, 0.0]], 8, axis=0)
    found = entries_of(cells(quality, [[0.0, 0.0, 0.0]]), 1.0)
    assert found.filter(rank=1)["reason"].to_list() == ["+100.0 points against a"] * 3


def test_a_locked_domain_goes_to_its_model():
    """Maths goes to the small model, which fails there; the next one to try is the best other."""
    found = receipts(VECTORS, replace(MODEL, terms=replace(TERMS, locks=np.array([1, -1, -1]))))
    assert found["model"].to_list()[0] == "small"
    assert found["fallback"].to_list()[0] == "large"
    assert "locked to this model" in found["reason"][0]
    free = receipts(VECTORS, MODEL)
    assert found[1:].equals(free[1:])


def test_a_locked_model_is_first_in_its_bucket_alone():
    """All others keep their order behind it."""
    free = entries_of(cells(), 1.0)
    locked = entries_of(cells(), 1.0, locks=np.array([2, -1, -1]))
    assert free.filter(bucket=0).sort("rank")["model_id"].to_list() == ["a", "c", "b"]
    found = locked.filter(bucket=0).sort("rank")
    assert found["model_id"].to_list() == ["c", "a", "b"]
    assert found["reason"][0] == "locked to this model by the policy"
    assert locked.filter(bucket=1).equals(free.filter(bucket=1))


def test_buckets_end_with_unassigned():
    """Domains keep their order; the last bucket has no prototype and no radius."""
    found = buckets_frame(
        DOMAINS, ASSIGNER, n_unassigned=2, z=np.arange(3.0), locks=[None, "b", None]
    )
    assert found["domain_id"].to_list() == ["dom-1", "dom-2", "unassigned"]
    assert found["n_prompts"].to_list() == [4, 4, 2]
    assert found["radius"].to_list() == [0.5, 0.5, None]
    assert found["prototype"][2].to_list() == []
    assert found["lock"].to_list() == [None, "b", None]


def tables(quality_value_usd, **knobs):
    version = pl.lit(7, dtype=pl.Int64).alias("table_version")
    buckets = buckets_frame(
        DOMAINS, ASSIGNER, n_unassigned=0, z=np.zeros(3), locks=[None] * 3
    ).with_columns(version)
    entries = entries_of(cells(**knobs), quality_value_usd)
    meta = {
        "table_version": 7,
        "reference_model_id": "a",
        "quality_value_usd": quality_value_usd,
        "temperature": 1.0,
        "policy": as_json(Policy()),
        "rules": None,
    }
    return meta, conform(buckets, BUCKETS), conform(entries.with_columns(version), TABLE_ENTRIES)


@pytest.mark.parametrize("value", [0.0, 1.0, float("inf")])
def test_a_model_is_rebuilt_from_its_tables(value):
    """Cells, assigner and names come back as they were saved, in any order of rows."""
    meta, buckets, entries = tables(value)
    found = routing_model(meta, buckets[::-1].sort("bucket"), entries[::-1])
    assert found.model_ids == ("a", "b", "c")
    assert found.quality == pytest.approx(cells().quality)
    assert found.cost_usd == pytest.approx(cells().cost_usd)
    assert found.names == ("maths", "art", "unassigned")
    assert np.array_equal(found.assigner.weights, ASSIGNER.weights)
    assert np.array_equal(found.assigner.radii, ASSIGNER.radii)
    assert found.terms.quality_value_usd == value


def test_rebuilt_unknown_costs_are_unknown():
    """Null in the table is NaN in the model."""
    found = routing_model(*tables(float("inf"), cost=[[0.3, NAN, 0.2]]))
    assert np.isnan(found.cost_usd[:, 1]).all()
    assert np.isfinite(found.cost_usd[:, [0, 2]]).all()


def test_the_first_rank_is_what_is_decided():
    """A prompt surely in one bucket gets the model of rank 1 there."""
    meta, buckets, entries = tables(1.0)
    sure = replace(
        routing_model(meta, buckets, entries), assigner=replace(ASSIGNER, temperature=0.01)
    )
    first = entries.filter(rank=1).sort("bucket")["model_id"].to_list()
    assert receipts(VECTORS, sure)["model"].to_list() == first


def first_choices(*rows):
    """Return (buckets, entries) with a first choice for each (domain_id, name, model_id)."""
    numbered = list(enumerate(rows))
    buckets = pl.DataFrame(
        [(k, d, n) for k, (d, n, _) in numbered],
        schema=["bucket", "domain_id", "name"],
        orient="row",
    )
    entries = pl.DataFrame(
        [(k, rank, m) for k, (_, _, m) in numbered for rank, m in ((1, m), (2, "other"))],
        schema=["bucket", "rank", "model_id"],
        orient="row",
    )
    return buckets, entries


def test_a_difference_names_every_kind_of_change():
    """Same, changed, added and removed, by domain, with the newer name."""
    before = first_choices(("d1", "maths", "a"), ("d2", "art", "a"), ("d3", "old", "a"))
    after = first_choices(("d2", "arts", "b"), ("d1", "maths", "a"), ("d4", "new", "b"))
    assert table_diff(before, after).rows() == [
        ("d1", "maths", "a", "a", "same"),
        ("d2", "arts", "a", "b", "changed"),
        ("d3", "old", "a", None, "removed"),
        ("d4", "new", None, "b", "added"),
    ]
