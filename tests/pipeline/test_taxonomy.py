from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.taxonomy import (
    decide,
    domain_rows,
    domains_now,
    find_domain,
    in_force,
    member_set,
    present_rows,
)
from profiles.errors import UsageError
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(*steps):
    """Return events of (verb, domain_id, fields), one an hour."""
    events = DOMAIN_EVENTS.empty()
    for hour, (verb, domain_id, fields) in enumerate(steps):
        at = START + timedelta(hours=hour)
        step = {"verb": verb, "domain_id": domain_id} | fields
        row = decide(events, step, actor="ana", at=at)
        events = pl.concat([events, row])
    return events


def approved(domain_id, name, prompt_ids):
    """Return one approval and its member set."""
    set_id, rows = member_set(prompt_ids)
    return ("approve", domain_id, {"name": name, "member_set_id": set_id}), rows


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
    with pytest.raises(ValueError, match=r"Event 2 has the verb 'paint'.*a domain\. Was"):
        domains_now(history(MATHS, ("paint", "dom-1", {})))
    with pytest.raises(ValueError, match=r"verb 'rename', unknown for a domain that no event"):
        domains_now(history(("rename", "dom-1", {"name": "x"})))


def test_merge_split_and_link_change_members():
    """The survivor has the new set, its name unless another is given; the other one is retired."""
    merge = {"member_set_id": "set-both", "run_id": "r2"}
    steps = [MATHS, ART, ("merge", "dom-1", merge), ("merge", "dom-2", {"other_id": "dom-1"})]
    now = domains_now(history(*steps))
    columns = ("domain_id", "name", "status", "member_set_id", "merged_into")
    assert now.select(columns).rows() == [
        ("dom-1", "maths", "approved", "set-both", None),
        ("dom-2", "art", "retired", ART[2]["member_set_id"], "dom-1"),
    ]
    part = {"other_id": "dom-1", "name": "algebra", "member_set_id": "set-part"}
    steps = [MATHS, ("split", "dom-1", {"member_set_id": "set-rest"}), ("split", "dom-3", part)]
    assert domains_now(history(*steps)).select(columns).rows() == [
        ("dom-1", "maths", "approved", "set-rest", None),
        ("dom-3", "algebra", "approved", "set-part", None),
    ]
    linked = domains_now(history(MATHS, ("link", "dom-1", {"member_set_id": "s", "run_id": "r"})))
    assert linked.select("name", "member_set_id", "run_id").row(0) == ("maths", "s", "r")


def test_an_undone_decision_does_not_count():
    """Nor does an undo that was itself taken back; both stay in the list."""
    renamed = ("rename", "dom-1", {"name": "x"})
    steps = [MATHS, renamed, ("undo", "dom-1", {"undoes": 2}), ("undo", "dom-1", {"undoes": 3})]
    assert names(history(*steps[:3])) == {"dom-1": "maths"}
    assert names(history(*steps)) == {"dom-1": "x"}
    assert in_force(history(*steps))["event_id"].to_list() == [1, 2, 4]
    assert in_force(DOMAIN_EVENTS.empty()).is_empty()


def test_the_events_of_a_decision_count_together():
    """They are numbered one by one and share the first one's number."""
    step = {"verb": "approve", "name": "x", "member_set_id": "s"}
    at = START
    both = decide(
        DOMAIN_EVENTS.empty(), step | {"domain_id": "a"}, step | {"domain_id": "b"},
        actor="ana", at=at, reason="clear",
    )  # fmt: skip
    assert both.select("event_id", "decision_id", "actor", "reason").rows() == [
        (1, 1, "ana", "clear"),
        (2, 1, "ana", "clear"),
    ]
    undone = decide(both, {"verb": "undo", "undoes": 1}, actor="bo", at=at)
    assert domains_now(pl.concat([both, undone])).is_empty()


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
