"""A table in hindsight: every prompt's loss, and what it is made of."""

import numpy as np
import pytest

from pipeline.estimators.base import Estimates
from pipeline.estimators.domain_table import Cells
from pipeline.hindsight import (
    IRREDUCIBLE,
    PARTS,
    REFINEMENT,
    TOTAL,
    WRONG_DOMAIN,
    WRONG_ENTRY,
    look_back,
)
from pipeline.study import Study
from pipeline.terms import Limits, Terms
from tests.support import NAN, outcomes_of

TERMS = Terms(
    reference=0,
    quality_value_usd=np.inf,
    z=np.zeros(3),
    surcharge=np.zeros(2),
    limits=Limits(),
    locks=np.full(3, -1),
)


def study_of(quality, estimates, buckets, cost=0.01):
    """Two models, two domains and `unassigned`; estimates decide, buckets are certain."""
    n = len(quality)
    guess = np.array(estimates, dtype=np.float64)
    flat = np.zeros((3, 2))
    return Study(
        prompt_ids=tuple(f"p{i}" for i in range(n)),
        outcomes=outcomes_of(quality, cost_usd=cost, model_ids=("a", "b")),
        held_out=Estimates(
            model_ids=("a", "b"),
            quality=guess,
            cost_usd=np.full((n, 2), 0.01),
            standard_error=np.zeros((n, 2)),
        ),
        memberships=np.eye(3)[buckets],
        allowed=None,
        cells=Cells(
            model_ids=("a", "b"),
            reference=0,
            advantage=flat,
            advantage_sd=flat,
            quality=flat,
            cost_usd=flat,
            n_effective=flat,
        ),
        latency_s=np.full((3, 2), NAN),
        domain_ids=("d1", "d2", "unassigned"),
        names=("one", "two", "unassigned"),
        eligible=("a", "b"),
    )


def found_for(quality, estimates, buckets, approved, entry=(0, 1, 0)):
    study = study_of(quality, estimates, buckets)
    return look_back(study, TERMS, np.array(entry), np.array(approved))


def points(found):
    return dict(found.parts.select("part", "points").iter_rows())


def test_each_part_by_hand():
    """Four prompts, each of which loses for one reason alone."""
    found = found_for(
        quality=[[0, 1], [1, 0], [0, 1], [1, 0]],
        #        entry    domain   fine     refined away
        estimates=[[1, 0], [0, 1], [0, 1], [0, 1]],
        buckets=[0, 1, 1, 0],
        approved=[0, 0, 1, 0],
    )
    # domain one (prompts 0, 1, 3) has a as its best; its entry is a. Prompt 0 wants b there.
    assert points(found) == {
        TOTAL: 75.0,
        WRONG_ENTRY: 0.0,
        WRONG_DOMAIN: 25.0,  # prompt 1 was taken for domain two, whose entry is b
        REFINEMENT: 25.0,  # prompt 3 left the entry of its domain
        IRREDUCIBLE: 25.0,  # prompt 0
    }
    assert [cell.n for cell in found.cells] == [2, 1, 1]
    assert found.prompts["prompt_id"].to_list() == ["p0", "p1", "p3", "p2"]


def test_a_wrong_entry_is_one_that_the_domain_would_change():
    """With a as the entry of a domain where b is always right, everything is the entry's fault."""
    found = found_for([[0, 1]] * 3, [[1, 0]] * 3, [0] * 3, [0] * 3)
    assert points(found)[WRONG_ENTRY] == points(found)[TOTAL] == 100.0
    [row] = found.domains.to_dicts()
    assert (row["domain"], row["n"], row["points"], row["share"]) == ("one", 3, 100.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_add_up_to_the_whole(seed):
    """Whatever is chosen, and regret is never negative."""
    rng = np.random.default_rng(seed)
    n = 40
    found = found_for(
        rng.choice([0, 0.25, 0.5, 1], size=(n, 2)),
        rng.choice([0, 0.5, 1], size=(n, 2)),
        rng.integers(0, 3, n),
        rng.integers(-1, 3, n),
    )
    parts = points(found)
    assert sum(parts[name] for name in PARTS) == pytest.approx(parts[TOTAL])
    assert (found.prompts["regret"] >= 0).all()
    assert found.domains["n"].sum() == n


def test_only_prompts_with_every_outcome_tell():
    """Where one is unknown the prompt is counted as unknown; without any there is nothing."""
    found = found_for([[1, 0], [NAN, 1]], [[1, 0], [0, 1]], [0, 0], [0, 0])
    assert (found.n_prompts, found.n_all) == (1, 2)
    assert found_for([[NAN, 1]], [[0, 1]], [0], [0]) is None


def test_the_safe_choice_is_the_baseline():
    """It is a, which is wrong on every prompt here, whatever the table does."""
    found = found_for([[0, 1]] * 2, [[0, 1]] * 2, [0, 1], [0, 1])
    assert points(found)[TOTAL] == 0.0
    assert found.baseline["points"].to_list() == [100.0]


def test_what_each_model_loses_by_hand():
    """Per prompt the best minus the model's, by the domain that prompts are taken for."""
    found = found_for(
        quality=[[0, 1], [1, 0.5], [0.5, 1], [1, 1]],
        estimates=[[1, 0]] * 4,
        buckets=[0, 0, 1, 2],
        approved=[1, 1, 1, 1],
    )
    rows = {(row["element"], row["model_id"]): row for row in found.models.to_dicts()}
    assert {key: (row["n_regret"], row["regret"]) for key, row in rows.items()} == {
        ("all", "a"): (4, 0.375),
        ("all", "b"): (4, 0.125),
        ("d1", "a"): (2, 0.5),
        ("d1", "b"): (2, 0.25),
        ("d2", "a"): (1, 0.5),
        ("d2", "b"): (1, 0.0),
        ("unassigned", "a"): (1, 0.0),
        ("unassigned", "b"): (1, 0.0),
    }
    assert rows["d2", "a"]["regret_lo"] is None  # one prompt has no spread
    half = 1.96 * np.std([0, 0.5], ddof=1) / np.sqrt(2)
    assert rows["d1", "b"]["regret_hi"] == pytest.approx(0.25 + half, abs=1e-4)


def test_the_reference_for_everything_loses_what_the_baseline_says():
    """The two ways to that number agree."""
    found = found_for([[0, 1], [1, 0], [0, 0.5]], [[1, 0]] * 3, [0, 1, 1], [0, 1, 1])
    [row] = found.models.filter(element="all", model_id="a").to_dicts()
    assert 100 * row["regret"] == pytest.approx(found.baseline["points"].item())
