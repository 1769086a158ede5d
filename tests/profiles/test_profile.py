import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.profile import ALL, UNASSIGNED, build_profile
from tests.support import GRID, outcomes_table, story_outcomes

ELEMENTS = pl.DataFrame({"prompt_id": ["m1", "m2", "a1"], "element": ["maths", "maths", "art"]})


def profile(outcomes=None, elements=ELEMENTS):
    outcomes = story_outcomes() if outcomes is None else outcomes
    return build_profile(outcomes, elements)


def cell(found, element, model):
    return found.filter(element=element, model_id=model).row(0, named=True)


def test_plain_means_and_counts():
    """Counts are of known outcomes; repeats count each."""
    found = cell(profile(), "maths", "bad")
    assert (found["n"], found["quality_raw"]) == (3, pytest.approx(1 / 6))
    found = cell(profile(), "maths", "good")
    assert (found["n"], found["quality_raw"], found["n_cost"]) == (2, 0.75, 2)
    assert found["cost_usd"] == pytest.approx(0.003)


def even_outcomes(per_cell, n=10):
    """Return n outcomes of each model in each domain, all equal to the cell's quality."""
    rows = [
        (f"{element}{i}", model, quality, None)
        for (element, model), quality in per_cell.items()
        for i in range(n)
    ]
    elements = sorted({(f"{element}{i}", element) for element, _ in per_cell for i in range(n)})
    return outcomes_table(rows), pl.DataFrame(
        elements, schema=["prompt_id", "element"], orient="row"
    )


def test_shrinkage_by_hand():
    """Two models, two domains, ten outcomes each; tau is 40, as two domains cannot tell it.

    Both models have the mean 0.5. Domain x is off by (0.25 + 0) · 10 / (20 + 10) = 1/12 in the
    first turn, and the other by as much the other way, so the models' effects stay: the prior of
    `a` in x is 7/12, and its quality (10 · 0.75 + 40 · 7/12) / 50.
    """
    cells = {("x", "a"): 0.75, ("y", "a"): 0.25, ("x", "b"): 0.5, ("y", "b"): 0.5}
    found = cell(build_profile(*even_outcomes(cells)), "x", "a")
    assert found["quality"] == pytest.approx((7.5 + 40 * 7 / 12) / 50)


def test_meeting_the_harder_domain_is_not_held_against_a_model():
    """Both do equally well in each domain, but `a` met the hard one mostly and `b` the easy one."""
    hard, easy = ("hard", 0.25), ("easy", 0.75)
    rows = [
        (f"{name}{i}", model, quality, None)
        for model, met in (("a", (40, 10)), ("b", (10, 40)))
        for n, (name, quality) in zip(met, (hard, easy), strict=True)
        for i in range(n)
    ]
    ids = [f"{name}{i}" for name in ("hard", "easy") for i in range(40)]
    elements = pl.DataFrame({"prompt_id": ids, "element": [name[:4] for name in ids]})
    found = build_profile(outcomes_table(rows), elements)
    assert cell(found, ALL, "a")["quality"] == pytest.approx(0.35)
    assert cell(found, "easy", "a")["quality"] > 0.65


def test_weights_are_shares_of_a_prompt():
    """Quality, cost and tokens are weighted, counts are not: 0.25 · 1 and 0.75 · 0."""
    outcomes = outcomes_table([("x", "a", 1.0, 4.0), ("y", "a", 0.0, 8.0)])
    outcomes = outcomes.with_columns(n_tokens_in=pl.Series([100, 200]))
    elements = pl.DataFrame({"prompt_id": ["x", "y"], "element": "d", "weight": [0.25, 0.75]})
    found = cell(build_profile(outcomes, elements), "d", "a")
    assert (found["n"], found["quality_raw"], found["cost_usd"]) == (2, 0.25, 7.0)
    assert found["n_tokens_in"] == 175.0
    assert cell(build_profile(outcomes, elements), ALL, "a")["quality_raw"] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("is_graded", [False, True])
@pytest.mark.parametrize("spread", [0.0, 0.05, 0.15])
def test_intervals_cover_the_truth(spread, is_graded):
    """About nine in ten intervals or more hold the cell's true quality, alike or not."""
    generator = np.random.default_rng(5)
    domain = np.repeat(np.arange(8), [10, 20, 40, 80] * 2)
    elements = pl.DataFrame(
        {"prompt_id": [f"p{i}" for i in range(len(domain))], "element": domain.astype(str)}
    )
    covered = []
    for _ in range(20):
        truth = 0.6 + generator.normal(0, 0.1, (8, 1)) + generator.normal(0, 0.1, (1, 4))
        truth = np.clip(truth + generator.normal(0, spread, (8, 4)), 0.05, 0.95)
        share = truth[domain]
        value = generator.beta(5 * share, 5 * (1 - share))
        right = (generator.random(share.shape) < share).astype(float)
        quality = value if is_graded else right
        rows = [
            (f"p{i}", f"m{j}", float(quality[i, j]), None)
            for i in range(len(domain))
            for j in range(4)
        ]
        found = build_profile(outcomes_table(rows), elements).remove(element=ALL)
        lo, hi = found["quality_lo"].to_numpy(), found["quality_hi"].to_numpy()
        covered.append((lo <= truth.ravel()) & (truth.ravel() <= hi))
    assert np.mean(covered) > 0.88


def test_null_stays_null():
    """A model whose cost is never known has a null cost and n_cost 0, in every element."""
    bad = profile().filter(model_id="bad")
    assert bad["n_cost"].to_list() == [0, 0, 0]
    assert bad["cost_usd"].null_count() == bad["latency_p50_s"].null_count() == 3
    assert bad["n_tokens_in"].null_count() == 3


def test_an_empty_cell_is_the_prior():
    """Without a known outcome n is 0, the raw mean null and the quality the additive prior."""
    found = cell(profile(), "art", "bad")
    assert (found["n"], found["quality_raw"]) == (0, None)
    assert 1 / 6 < found["quality"] < 1 / 3  # `good` does better on art, by one outcome
    assert found["quality_lo"] < found["quality"] < found["quality_hi"]


def test_a_model_without_any_quality_stays_unknown():
    """Quality known nowhere is null everywhere, interval included, while cost is kept."""
    rows = [("m1", "a", 1.0, 0.5), ("m2", "a", 0.0, 0.5), ("m1", "x", None, 0.25)]
    found = profile(outcomes_table(rows), ELEMENTS).filter(model_id="x")
    for column in ("quality", "quality_lo", "quality_hi", "quality_raw"):
        assert found[column].null_count() == found.height
    assert cell(found, ALL, "x")["cost_usd"] == 0.25


def test_all_is_not_shrunk():
    """The mean over all prompts is the plain one."""
    found = profile().filter(element=ALL)
    assert found["quality"].to_list() == pytest.approx(found["quality_raw"].to_list())


def test_every_model_meets_every_element():
    """The grid is full, `all` and `unassigned` included."""
    elements = ELEMENTS.with_columns(
        element=pl.when(pl.col("prompt_id") == "a1").then(pl.lit(UNASSIGNED)).otherwise("element")
    )
    found = profile(elements=elements)
    assert found.group_by("element").len().sort("element").rows() == [
        (ALL, 2), ("maths", 2), (UNASSIGNED, 2),
    ]  # fmt: skip


def test_a_prompt_not_listed_counts_for_all_only():
    """Outcomes of prompts without an element are in `all` alone."""
    found = profile(elements=ELEMENTS.filter(element="art"))
    assert set(found["element"]) == {ALL, "art"}
    assert cell(found, ALL, "good")["n"] == 3


def test_latency_percentiles_by_hand():
    """p50 and p95 interpolate linearly: 1, 2, 3 gives 2 and 2.9 seconds."""
    rows = [("m1", "a", 1.0, None)] * 3
    table = outcomes_table(rows).with_columns(latency_s=pl.Series([3.0, 1.0, 2.0]))
    found = cell(profile(table), "maths", "a")
    assert (found["latency_p50_s"], found["latency_p95_s"]) == pytest.approx((2.0, 2.9))


@pytest.mark.parametrize("quality", [0.0, 1.0, 0.5])
def test_equal_outcomes_stay_equal(quality):
    """Where everything is equal, every cell is that value."""
    rows = [(p, m, quality, 0.5) for p in ("m1", "m2", "a1") for m in ("a", "b")]
    found = profile(outcomes_table(rows))
    assert found["quality"].to_list() == pytest.approx([quality] * found.height)
    assert found["cost_usd"].to_list() == [0.5] * found.height


def test_all_null_outcomes_give_null_cells():
    """Outcomes without a single quality or cost profile to nulls and zeros of counts."""
    found = profile(outcomes_table([("m1", "a", None, None), ("a1", "b", None, None)]))
    assert found["n"].sum() == found["n_cost"].sum() == 0
    assert found["quality"].null_count() == found["quality_hi"].null_count() == found.height


def test_one_outcome():
    """A single outcome gives a wide interval around itself."""
    found = cell(profile(outcomes_table([("m1", "a", 1.0, None)])), ALL, "a")
    assert (found["n"], found["quality"]) == (1, 1.0)
    assert found["quality_lo"] < 0.3


qualities = st.lists(st.sampled_from([*GRID, None]), min_size=6, max_size=24)


@settings(deadline=None, max_examples=40)
@given(qualities, st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(values, random):
    """Shuffled outcomes and elements give the same profile."""
    rows = [(f"p{i % 6}", "ab"[i % 2], value, value) for i, value in enumerate(values)]
    table = outcomes_table(rows)
    elements = pl.DataFrame(
        {"prompt_id": [f"p{i}" for i in range(6)], "element": ["x", "y", "z"] * 2}
    )
    order = list(range(table.height))
    random.shuffle(order)
    shuffled = build_profile(table[order], elements[::-1])
    expected = build_profile(table, elements)
    numbers = [name for name, kind in expected.schema.items() if kind == pl.Float64]
    assert shuffled.drop(numbers).equals(expected.drop(numbers))
    for name in numbers:
        assert np.allclose(
            shuffled[name].to_numpy(), expected[name].to_numpy(), equal_nan=True, atol=1e-9
        )


@settings(deadline=None, max_examples=40)
@given(qualities)
def test_a_cell_lies_in_its_interval_and_in_0_to_1(values):
    """Quality is in [0, 1], null exactly where a model has none, and inside its interval."""
    rows = [(f"p{i % 6}", "ab"[i % 2], value, None) for i, value in enumerate(values)]
    elements = pl.DataFrame({"prompt_id": [f"p{i}" for i in range(6)], "element": ["x", "y"] * 3})
    found = build_profile(outcomes_table(rows), elements)
    known = found.drop_nulls("quality")
    assert known["quality"].is_between(0, 1).all()
    graded = known.filter(pl.col("quality").is_between(0.02, 0.98))
    assert (graded["quality_lo"] <= graded["quality"]).all()
    assert (graded["quality"] <= graded["quality_hi"]).all()
    has_quality = {m for _, m, q, _ in rows if q is not None}
    assert set(known["model_id"]) == has_quality
