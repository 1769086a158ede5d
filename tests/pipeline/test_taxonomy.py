from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.taxonomy import (
    approve_labels,
    domain_rows,
    domains_now,
    event,
    find_domain,
    member_set,
    present_rows,
    proposals,
)
from profiles.errors import UsageError
from profiles.tables import CLUSTERS, DOMAIN_EVENTS, MEMBER_SETS, MEMBERS

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(*steps):
    """Return events of (verb, domain_id, fields), one an hour."""
    events = DOMAIN_EVENTS.empty()
    for hour, (verb, domain_id, fields) in enumerate(steps):
        at = START + timedelta(hours=hour)
        row = event(events, verb=verb, domain_id=domain_id, occurred_at=at, **fields)
        events = pl.concat([events, row])
    return events


def approved(domain_id, name, prompt_ids):
    """Return one approval and its member set."""
    set_id, rows = member_set(prompt_ids)
    return ("approve", domain_id, {"name": name, "member_set_id": set_id, "actor": "ana"}), rows


MATHS, MATHS_SET = approved("dom-1", "maths", ["p1", "p2", "p3", "p4"])
ART, ART_SET = approved("dom-2", "art", ["p5", "p6"])
SETS = pl.concat([MATHS_SET, ART_SET])


def names(events):
    return dict(domains_now(events).select("domain_id", "name").iter_rows())


def test_a_set_has_one_id():
    """The same prompts in any order, also repeated, are the same set."""
    assert member_set(["b", "a"])[0] == member_set(["a", "b", "a"])[0]
    assert member_set(["a"])[0] != member_set(["b"])[0]
    assert member_set(["b", "a", "a"])[1]["prompt_id"].to_list() == ["a", "b"]
    assert member_set([])[1].is_empty()


def test_events_are_numbered():
    """The first event is 1, each later one follows; fields not given are null."""
    events = history(MATHS, ART)
    assert events["event_id"].to_list() == [1, 2]
    assert events["reason"].null_count() == 2


def test_the_present_is_what_events_say():
    """Approve, rename, retire and restore are folded in order; the id stays."""
    steps = [MATHS, ART, ("rename", "dom-1", {"name": "algebra"}), ("retire", "dom-2", {})]
    now = domains_now(history(*steps))
    assert now.select("domain_id", "name", "status").rows() == [
        ("dom-1", "algebra", "approved"),
        ("dom-2", "art", "retired"),
    ]
    assert now["updated_at"][1] == START + timedelta(hours=3)
    back = domains_now(history(*steps, ("restore", "dom-2", {})))
    assert back["status"].to_list() == ["approved", "approved"]


def test_a_rejection_makes_no_domain():
    """An event without a domain leaves the domains as they are."""
    assert names(history(MATHS, ("reject", None, {}))) == {"dom-1": "maths"}
    assert domains_now(DOMAIN_EVENTS.empty()).is_empty()


def test_an_unknown_verb_is_an_error():
    """Events of a newer version are not passed over in silence."""
    with pytest.raises(ValueError, match="Event 2 has the unknown verb 'merge'"):
        domains_now(history(MATHS, ("merge", "dom-1", {})))


@given(st.permutations(range(4)))
def test_row_order_is_irrelevant(order):
    """Events are folded by number, not by row."""
    events = history(MATHS, ART, ("rename", "dom-1", {"name": "x"}), ("retire", "dom-1", {}))
    assert domains_now(events[list(order)]).equals(domains_now(events))


def test_a_domain_is_found_by_id_or_name():
    """Both lead to the same domain."""
    now = domains_now(history(MATHS, ART))
    assert find_domain(now, "art") == find_domain(now, "dom-2")


def test_an_unknown_or_double_name_is_an_error():
    """The message names what there is and the next step."""
    now = domains_now(history(MATHS))
    with pytest.raises(UsageError, match=r"no domain 'art'. Known: dom-1. See `promptshed domains"):
        find_domain(now, "art")
    with pytest.raises(UsageError, match="none yet"):
        find_domain(now.clear(), "art")
    twice = domains_now(history(MATHS, approved("dom-3", "maths", ["p9"])[0]))
    with pytest.raises(UsageError, match="2 domains are named 'maths'; use an id: dom-1, dom-3"):
        find_domain(twice, "maths")


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


def statuses(groups, events, sets=SETS):
    found = proposals(*clusters_of(groups), events, sets)
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


def test_a_rejection_is_remembered_for_the_same_prompts():
    """Another run with the same cluster shows it as rejected; with one more prompt it waits."""
    set_id, rows = member_set(["p8", "p9"])
    events = history(("reject", None, {"member_set_id": set_id}))
    groups = {0: ["p8", "p9"], 1: ["p8", "p7"]}
    assert statuses(groups, events, rows) == [(0, None, "rejected"), (1, None, "waiting")]


def test_a_run_of_noise_proposes_nothing():
    """Without clusters there is nothing to decide."""
    assert statuses({}, history(MATHS)) == []


def test_members_are_found_among_prompts():
    """Domains are those with a member among the prompts; -1 is a prompt in none."""
    found, rows = domain_rows(("p1", "p4", "zz"), history(MATHS, ART), SETS)
    assert found.select("domain_id", "n_prompts").rows() == [("dom-1", 2)]
    assert rows.tolist() == [0, 0, -1]


def test_the_later_decision_owns_a_prompt():
    """A prompt in two domains belongs to the one decided last, in any order of their members."""
    both, both_set = approved("dom-0", "new", ["p1", "p2"])
    for sets in ([MATHS_SET, both_set], [both_set, MATHS_SET]):
        found, rows = domain_rows(("p1", "p3"), history(MATHS, both), pl.concat(sets))
        assert found["domain_id"].to_list() == ["dom-0", "dom-1"]
        assert rows.tolist() == [0, 1]


def test_no_domain_has_no_rows():
    """Without approvals every prompt is in none."""
    found, rows = domain_rows(("p1",), DOMAIN_EVENTS.empty(), MEMBER_SETS.empty())
    assert found.is_empty()
    assert rows.tolist() == [-1]


def test_absent_domains_are_dropped_and_renumbered():
    """Rows 0 and 2 become 0 and 1."""
    domains = pl.DataFrame({"domain_id": ["a", "b", "c"]})
    kept, rows = present_rows(domains, np.array([2, -1, 0, 2]))
    assert kept["domain_id"].to_list() == ["a", "c"]
    assert rows.tolist() == [1, -1, 0, 1]
    assert present_rows(domains, np.array([-1]))[0].is_empty()


def labels(pairs, events=None, least=2):
    labelled = pl.DataFrame(pairs, schema=["prompt_id", "label"], orient="row")
    events = DOMAIN_EVENTS.empty() if events is None else events
    return approve_labels(labelled, events, actor="ana", at=START, least_prompts=least)


def test_labels_become_domains():
    """Each label with enough prompts is approved once, by name."""
    fresh, sets = labels([("p1", "b"), ("p2", "a"), ("p3", "a"), ("p4", "b"), ("p5", "c")])
    assert sorted(names(fresh).values()) == ["a", "b"]
    assert fresh["event_id"].to_list() == [1, 2]
    assert sets.height == 4


def test_unchanged_labels_change_nothing():
    """The second time nothing is new; a grown label keeps its domain's id."""
    pairs = [("p1", "a"), ("p2", "a")]
    fresh, _ = labels(pairs)
    again, sets = labels(pairs[::-1], fresh)
    assert again.is_empty()
    assert sets.is_empty()
    grown, _ = labels([*pairs, ("p3", "a")], fresh)
    assert grown["domain_id"].to_list() == fresh["domain_id"].to_list()
    assert grown["event_id"].to_list() == [2]


def test_a_retired_label_stays_retired():
    """New prompts of the label do not undo what a person decided, under its own name or another."""
    fresh, _ = labels([("p1", "a"), ("p2", "a")])
    retired = event(fresh, verb="retire", domain_id=fresh["domain_id"].item(), occurred_at=START)
    again, _ = labels([("p1", "a"), ("p2", "a"), ("p3", "a")], pl.concat([fresh, retired]))
    assert again.is_empty()


def test_the_label_unassigned_makes_no_domain():
    """It says what prompts outside every domain are called."""
    fresh, _ = labels([("p1", "unassigned"), ("p2", "unassigned"), ("p3", "a"), ("p4", "a")])
    assert list(names(fresh).values()) == ["a"]
