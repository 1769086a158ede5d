import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.matching import decided_sets, match_domains, moved_share, overlaps, proposals
from pipeline.taxonomy import member_set
from profiles.tables import CLUSTERS, MEMBER_SETS, MEMBERS
from tests.pipeline.test_taxonomy import ART, MATHS, SETS, approved, history


def clusters_of(groups):
    """Return the clusters and members of a run with these lists of prompts."""
    rows = [dict.fromkeys(CLUSTERS.schema) | {"run_id": "r", "cluster_id": k} for k in groups]
    clusters = pl.DataFrame(rows, schema=CLUSTERS.schema)
    members = pl.DataFrame(
        [("r", p, k, 0.0, 0.0) for k, ids in groups.items() for p in ids],
        schema=MEMBERS.schema,
        orient="row",
    )
    return clusters, members


def statuses(groups, events, sets=SETS, seen=None):
    seen = MEMBERS.empty() if seen is None else seen
    clusters, members = clusters_of(groups)
    found = proposals(clusters, overlaps(members, decided_sets(events), sets, seen), events)
    return found.select("cluster_id", "domain_id", "status").rows()


def test_a_cluster_that_shares_half_with_a_domain_is_that_domain():
    """Overlap counts shared prompts over all of both: 2 of 4 is a match, 2 of 5 none."""
    groups = {0: ["p1", "p2"], 1: ["p3", "p4", "q1"], 2: ["p5", "p6"]}
    assert statuses(groups, history(MATHS, ART)) == [
        (0, "dom-1", "approved"),
        (1, None, "waiting"),
        (2, "dom-2", "approved"),
    ]


def test_a_retired_domain_claims_no_cluster():
    """After retirement the cluster waits again."""
    events = history(ART, ("retire", "dom-2", {}))
    assert statuses({0: ["p5", "p6"]}, events) == [(0, None, "waiting")]


def test_a_rejection_is_remembered():
    """A cluster that shares half with what was rejected is rejected too, in any later run."""
    set_id, rows = member_set(["p7", "p8", "p9"])
    events = history(("reject", None, {"member_set_id": set_id}))
    groups = {0: ["p8", "p9"], 1: ["p7", "q1", "q2"]}
    assert statuses(groups, events, rows) == [(0, None, "rejected"), (1, None, "waiting")]


def test_a_rejection_can_be_taken_back():
    """Then the cluster waits again."""
    set_id, rows = member_set(["p8", "p9"])
    rejected = ("reject", None, {"member_set_id": set_id})
    events = history(rejected, ("undo", None, {"undoes": 1}))
    assert statuses({0: ["p8", "p9"]}, events, rows) == [(0, None, "waiting")]


def test_a_domain_wins_over_a_rejection():
    """What was rejected and approved later is approved."""
    set_id, rows = member_set(["p5", "p6"])
    events = history(("reject", None, {"member_set_id": set_id}), ART)
    assert statuses({0: ["p5", "p6"]}, events, rows) == [(0, "dom-2", "approved")]


def test_prompts_that_came_later_do_not_count():
    """Four old prompts and six new ones are the domain of those four; seen before, they are not."""
    step, rows = approved("dom-1", "maths", ["a", "b", "c", "d"])
    events = history((*step[:2], step[2] | {"run_id": "old"}))
    groups = {0: ["a", "b", "c", "d", *"uvwxyz"]}
    for seen, status in (("abcd", "approved"), ("abcduvwxyz", "waiting")):
        there = MEMBERS.empty().vstack(
            pl.DataFrame(
                [("old", p, 0, 0.0, 0.0) for p in seen], schema=MEMBERS.schema, orient="row"
            )
        )
        assert [row[2] for row in statuses(groups, events, rows, there)] == [status]


def test_overlap_by_hand():
    """Cluster 0 has p1, p2 and q1: 2 shared of 5 in all, of which all were there."""
    _, members = clusters_of({0: ["p1", "p2", "q1"], 1: ["zz"]})
    decided = pl.DataFrame(
        {"member_set_id": [MATHS[2]["member_set_id"]], "run_id": [None]},
        schema_overrides={"run_id": pl.String},
    )
    found = overlaps(members, decided, SETS, MEMBERS.empty())
    assert found.select("cluster_id", "n_shared", "n_set", "n_known", "overlap").rows() == [
        (0, 2, 4, 3, pytest.approx(0.4))
    ]


@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.sets(st.sampled_from("abcdef")))
def test_overlap_is_a_share(own, cluster):
    """It is in (0, 1], 1 for equal sets, and the same from either side."""
    set_id, rows = member_set(own)
    decided = pl.DataFrame(
        {"member_set_id": [set_id], "run_id": [None]}, schema_overrides={"run_id": pl.String}
    )
    _, members = clusters_of({0: sorted(cluster)})
    found = overlaps(members, decided, rows, MEMBERS.empty())["overlap"].to_list()
    assert found == ([len(own & cluster) / len(own | cluster)] if own & cluster else [])


def test_a_run_of_noise_proposes_nothing():
    """Without clusters there is nothing to decide."""
    assert statuses({}, history(MATHS)) == []


def fates(domains, clusters, cosine=0.95):
    """Match domains {id: prompts} with clusters [prompts]; every pair has the same cosine."""
    named = {domain_id: member_set(ids) for domain_id, ids in domains.items()}
    decided = pl.DataFrame(
        [(domain_id, set_id, None) for domain_id, (set_id, _) in named.items()],
        schema={"domain_id": pl.String, "member_set_id": pl.String, "run_id": pl.String},
        orient="row",
    )
    sets = pl.concat([MEMBER_SETS.empty(), *(rows for _, rows in named.values())])
    _, members = clusters_of({k: list(ids) for k, ids in enumerate(clusters)})
    alike = overlaps(members, decided.drop("domain_id"), sets, MEMBERS.empty())
    cosines = decided.select("domain_id").join(
        pl.DataFrame({"cluster_id": range(len(clusters))}), how="cross"
    )
    found = match_domains(
        alike.join(decided.drop("run_id"), on="member_set_id"),
        cosines.with_columns(cosine=pl.lit(cosine)),
    )
    return found.select("fate", "domain_id", "cluster_id", "strong").rows()


def test_the_five_fates():
    """Each by hand, in one run."""
    domains = {"a": "1234", "b": "5678", "c": "90", "d": "xy", "e": "uv"}
    clusters = ["1234", "56", "78", "90xy", "mn"]
    assert fates(domains, clusters) == [
        ("survived", "a", 0, True),
        ("split", "b", 1, False),
        ("split", "b", 2, False),
        ("merged", "c", 3, False),
        ("merged", "d", 3, False),
        ("vanished", "e", None, False),
        ("emerged", None, 4, False),
    ]


@pytest.mark.parametrize(
    ("clusters", "cosine", "fate", "strong"),
    [
        (["123456789"], 0.95, "survived", True),
        (["123456789"], 0.85, "survived", False),
        (["1234567", "89mn"], 0.95, "split", False),
        (["1234567", "89mnopq"], 0.95, "survived", False),
        (["123mnopqrst"], 0.95, "vanished", False),
    ],
    ids=["the same", "prototypes apart", "in two", "a fifth went elsewhere", "less than half"],
)
def test_only_the_unambiguous_is_strong(clusters, cosine, fate, strong):
    """A survivor is linked unseen only if its prototype is alike and nothing else has a part."""
    assert fates({"a": "123456789"}, clusters, cosine)[0][0::3] == (fate, strong)


def test_nothing_to_match():
    """Without domains every cluster emerged."""
    assert fates({}, ["12"]) == []


@given(
    st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1), min_size=1, max_size=3),
    st.permutations("abcdefgh"),
    st.integers(1, 7),
)
def test_every_domain_and_cluster_is_accounted_for(domains, order, cut):
    """Each domain has a fate, each cluster is in one row at least, and pairs are one to one."""
    named = {str(k): sorted(ids) for k, ids in enumerate(domains)}
    found = fates(named, ["".join(order[:cut]), "".join(order[cut:])])
    assert {row[1] for row in found if row[1]} == set(named)
    survived = [row[2] for row in found if row[0] == "survived"]
    assert len(survived) == len(set(survived))
    explained = {row[2] for row in found if row[0] != "vanished"}
    assert explained == {0, 1}


def moved(*rows):
    frame = pl.DataFrame(rows, schema={"before": int, "after": int, "n": int}, orient="row")
    return moved_share(frame)


def test_moved_prompts_by_hand():
    """Other numbers of the same clusters move nobody; 2 of 10 left theirs, 1 of them into noise."""
    assert moved((0, 1, 5), (1, 0, 3), (-1, -1, 2)) == 0.0
    assert moved((0, 1, 5), (1, 0, 3), (0, 0, 1), (1, -1, 1)) == pytest.approx(0.2)
    assert moved((0, 0, 3), (0, 1, 1), (1, 1, 4), (-1, 0, 2)) == pytest.approx(0.3)


def test_runs_without_a_common_prompt_tell_nothing():
    """Unknown is not zero; all noise that stays noise is."""
    assert moved() is None
    assert moved((-1, -1, 3)) == 0.0
    assert moved((-1, 0, 3)) == 1.0
