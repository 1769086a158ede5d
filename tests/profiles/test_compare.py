import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.compare import compare_models
from profiles.errors import NotReadyError, UsageError
from profiles.profile import ALL
from tests.support import GRID, outcomes_table, story_outcomes

ELEMENTS = pl.DataFrame({"prompt_id": ["m1", "m2", "a1"], "element": ["maths", "maths", "art"]})


def compare(outcomes, elements=ELEMENTS, a="good", b="bad"):
    return compare_models(outcomes, elements, model_id=a, other_id=b)


def row(found, element):
    return found.filter(element=element).row(0, named=True)


def test_pairs_by_hand():
    """Repeats are averaged; a prompt that one of them has no quality on is left out.

    m1: 1 − 0.25, m2: 0.5 − 0; art has no pair, so maths is all there is.
    """
    found = compare(story_outcomes())
    assert found["element"].to_list() == [ALL, "maths"]
    assert found["n"].to_list() == [2, 2]
    whole = row(found, ALL)
    assert (whole["quality"], whole["other_quality"]) == (0.75, 0.125)
    assert whole["difference"] == whole["difference_raw"] == 0.625
    assert whole["difference_lo"] < 0.625 <= whole["difference_hi"] == 1.0


def test_pairing_removes_the_difficulty_of_the_prompt():
    """A model that is a little better on every prompt is surely better, however hard they are."""
    rows = [
        (f"p{i}", model, quality + (0.1 if model == "good" else 0.0), None)
        for i, quality in enumerate([0.0, 0.25, 0.5, 0.75] * 5)
        for model in ("good", "bad")
    ]
    whole = row(compare(outcomes_table(rows), ELEMENTS), ALL)
    assert (whole["difference"], whole["difference_lo"]) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_small_domain_leans_on_all_prompts():
    """Two lucky prompts move the difference little; the interval covers what many say."""
    rows = [(f"p{i}", m, float(i % 2), None) for i in range(60) for m in ("good", "bad")]
    rows += [(f"l{i}", m, float(m == "good"), None) for i in range(2) for m in ("good", "bad")]
    ids = [f"p{i}" for i in range(60)] + ["l0", "l1"]
    elements = pl.DataFrame({"prompt_id": ids, "element": ["many"] * 60 + ["lucky"] * 2})
    lucky = row(compare(outcomes_table(rows), elements), "lucky")
    assert lucky["difference_raw"] == 1.0
    assert lucky["difference"] < 0.95
    assert lucky["difference_lo"] < lucky["difference"] < lucky["difference_hi"]


def test_weights_are_shares_of_a_prompt():
    """A weight of 1 against 3 gives the mean one quarter of the way."""
    rows = [("x", "good", 1.0, None), ("x", "bad", 0.0, None)]
    rows += [("y", "good", 0.5, None), ("y", "bad", 0.5, None)]
    elements = pl.DataFrame(
        {"prompt_id": ["x", "y"], "element": ["d", "d"], "weight": [0.25, 0.75]}
    )
    assert row(compare(outcomes_table(rows), elements), "d")["difference_raw"] == 0.25


def test_one_pair_says_next_to_nothing():
    """With one prompt the interval is all there is."""
    rows = [("m1", "good", 1.0, None), ("m1", "bad", 0.0, None)]
    whole = row(compare(outcomes_table(rows)), ALL)
    assert (whole["n"], whole["difference"]) == (1, 1.0)
    assert whole["difference_lo"] == -1.0


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.2])
def test_intervals_cover_the_truth(spread):
    """About nine in ten intervals or more hold their domain's true difference, alike or not."""
    generator = np.random.default_rng(3)
    covered = []
    for _ in range(60):
        truth = generator.normal(0.05, spread, size=8).clip(-0.5, 0.5)
        sizes = [8, 8, 15, 15, 30, 30, 60, 60]
        domain = np.repeat(np.arange(8), sizes)
        quality = {
            model: generator.random(len(domain)) < 0.5 + sign * truth[domain] / 2
            for model, sign in (("good", 1), ("bad", -1))
        }
        rows = [
            (f"p{i}", model, float(right), None)
            for model, rights in quality.items()
            for i, right in enumerate(rights)
        ]
        elements = pl.DataFrame(
            {"prompt_id": [f"p{i}" for i in range(len(domain))], "element": domain.astype(str)}
        )
        found = compare(outcomes_table(rows), elements).remove(element=ALL)
        covered.append(
            (found["difference_lo"].to_numpy() <= truth)
            & (truth <= found["difference_hi"].to_numpy())
        )
    assert np.mean(covered) > 0.88


def test_many_domains_lend_each_other_strength():
    """Where domains are not far apart the interval is narrower than that of the plain mean."""
    generator = np.random.default_rng(11)
    domain = np.repeat(np.arange(20), 20)
    truth = generator.normal(0.1, 0.08, size=20)[domain]
    rows = [
        (f"p{i}", model, float(generator.random() < 0.5 + sign * truth[i] / 2), None)
        for i in range(len(domain))
        for model, sign in (("good", 1), ("bad", -1))
    ]
    ids = [f"p{i}" for i in range(len(domain))]
    elements = pl.DataFrame({"prompt_id": ids, "element": domain.astype(str)})
    found = compare(outcomes_table(rows), elements)
    width = found["difference_hi"] - found["difference_lo"]
    whole = width.filter(found["element"] == ALL).item()
    assert width.filter(found["element"] != ALL).mean() < 0.8 * whole * np.sqrt(20)


def test_a_small_domain_is_no_less_sure_than_its_own_mean():
    """With few domains the interval stays within that of the plain mean."""
    rows = [(f"p{i}", m, float(m == "good"), None) for i in range(40) for m in ("good", "bad")]
    rows += [(f"q{i}", m, float(i % 2), None) for i in range(40) for m in ("good", "bad")]
    ids = [f"{letter}{i}" for letter in "pq" for i in range(40)]
    elements = pl.DataFrame({"prompt_id": ids, "element": ["x"] * 40 + ["y"] * 40})
    found = compare(outcomes_table(rows), elements).remove(element=ALL)
    assert (found["difference_hi"] - found["difference_lo"]).max() < 0.2


def test_errors_name_the_models():
    """Unknown models, the same one twice, and no common prompt."""
    with pytest.raises(UsageError, match=r"no model 'worse'. Known: bad, good"):
        compare(story_outcomes(), a="worse")
    with pytest.raises(UsageError, match="'bad' was named twice"):
        compare(story_outcomes(), a="bad")
    rows = [("m1", "good", 1.0, None), ("m2", "bad", 0.0, None), ("m1", "bad", None, None)]
    with pytest.raises(NotReadyError, match=r"both 'good' and 'bad'.*same prompts"):
        compare(outcomes_table(rows))


pairs = st.lists(st.tuples(st.sampled_from(GRID), st.sampled_from(GRID)), min_size=1, max_size=12)


@given(pairs)
def test_the_other_way_round_is_the_negative(values):
    """A against B is minus B against A, interval included, and lies inside its interval."""
    rows = [(f"p{i}", m, q[j], None) for i, q in enumerate(values) for j, m in enumerate("ab")]
    ids = [f"p{i}" for i in range(len(values))]
    elements = pl.DataFrame({"prompt_id": ids, "element": [f"d{i % 3}" for i in range(len(ids))]})
    one = compare(outcomes_table(rows), elements, a="a", b="b")
    two = compare(outcomes_table(rows), elements, a="b", b="a")
    assert one["difference"].to_list() == pytest.approx((-two["difference"]).to_list())
    assert one["difference_lo"].to_list() == pytest.approx((-two["difference_hi"]).to_list())
    assert one["difference"].is_between(one["difference_lo"], one["difference_hi"]).all()
