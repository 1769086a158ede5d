from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions import (
    Group,
    Signature,
    approve_groups,
    approve_labels,
    draft,
    merge_domains,
    split_domain,
    undo,
)
from pipeline.taxonomy import domains_now, find_domain
from profiles.errors import UsageError
from profiles.tables import DOMAIN_EVENTS, MEMBER_SETS

START = datetime(2026, 1, 1, tzinfo=UTC)
ANA = Signature(actor="ana", at=START, reason="clear")


class Registry:
    """Events and sets that grow by drafts, as a store's do."""

    def __init__(self):
        self.events, self.sets = DOMAIN_EVENTS.empty(), MEMBER_SETS.empty()

    def add(self, drafted):
        self.events = pl.concat([self.events, drafted.events])
        self.sets = pl.concat([self.sets, drafted.sets]).unique()
        return drafted.domain_ids

    @property
    def domains(self):
        return domains_now(self.events)

    def row(self, name):
        return find_domain(self.domains, name)

    def members(self, name):
        rows = self.sets.filter(member_set_id=self.row(name)["member_set_id"])
        return "".join(sorted(rows["prompt_id"]))

    def merge(self, *names, name=None):
        rows = [self.row(one) for one in names]
        return self.add(merge_domains(self.events, self.sets, rows, ANA, name=name, run_id="r"))

    def split(self, domain, **parts):
        groups = [Group(name=name, prompt_ids=list(ids)) for name, ids in parts.items()]
        return self.add(split_domain(self.events, self.sets, self.row(domain), groups, ANA))

    def step(self, verb, domain, **fields):
        step = {"verb": verb, "domain_id": self.row(domain)["domain_id"]} | fields
        return self.add(draft(self.events, [step], ANA))

    def undo(self, event_id=None):
        return self.add(undo(self.events, event_id, ANA))


@pytest.fixture
def registry():
    """Maths has prompts a, b, c, d; art has e, f."""
    made = Registry()
    groups = [Group(name=n, prompt_ids=list(ids)) for n, ids in (("maths", "abcd"), ("art", "ef"))]
    made.add(approve_groups(made.events, groups, ANA))
    return made


def test_groups_become_domains(registry):
    """One decision, two domains with ids of their own, signed by who, when and why."""
    assert registry.domains["name"].sort().to_list() == ["art", "maths"]
    assert registry.members("maths") == "abcd"
    assert registry.events["decision_id"].to_list() == [1, 1]
    assert registry.events.select("actor", "reason", "occurred_at").unique().rows() == [
        ("ana", "clear", START)
    ]


def test_no_step_is_no_decision(registry):
    """Nothing to approve gives an empty draft."""
    assert approve_groups(registry.events, [], ANA).events.is_empty()


def test_a_merge_keeps_the_first_id(registry):
    """The first has the prompts of both, the second is retired and says where they went."""
    maths, art = registry.row("maths")["domain_id"], registry.row("art")["domain_id"]
    assert registry.merge("maths", "art", name="all") == [maths, art]
    assert registry.members("all") == "abcdef"
    assert registry.row("art")["status"] == "retired"
    assert registry.row(art)["merged_into"] == maths
    registry.undo()
    assert registry.members("maths") == "abcd"
    assert registry.row("art")["status"] == "approved"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["maths"], "two or more different domains"),
        (["maths", "maths"], "two or more different domains"),
        (["maths", "old"], "is retired, expected one that is approved"),
        (["maths", "gone"], r"was merged into dom-\w+. Name that one"),
    ],
)
def test_an_impossible_merge_is_refused(registry, names, message):
    """Less than two domains, a retired one, and one that was merged already."""
    groups = [Group(name=name, prompt_ids=[name]) for name in ("old", "gone")]
    registry.add(approve_groups(registry.events, groups, ANA))
    registry.step("retire", "old")
    registry.merge("art", "gone")
    with pytest.raises(UsageError, match=message):
        registry.merge(*names)


def test_a_split_keeps_what_is_left(registry):
    """The parts are new domains; the old one keeps its id, its name and the rest."""
    maths = registry.row("maths")["domain_id"]
    found = registry.split("maths", algebra="a", geometry="bc")
    assert found[0] == maths
    assert len(set(found)) == 3
    assert [registry.members(n) for n in ("maths", "algebra", "geometry")] == ["d", "a", "bc"]
    assert registry.events["other_id"].drop_nulls().to_list() == [maths, maths]
    registry.undo()
    assert registry.members("maths") == "abcd"
    assert registry.domains.height == 2


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"x": "ae"}, "found 1 others, such as e"),
        ({"x": "a", "y": "ab"}, "found 1 others, such as a"),
        ({"x": ""}, "found none"),
        ({"x": "abcd"}, "Nothing would be left"),
    ],
)
def test_an_impossible_split_is_refused(registry, parts, message):
    """A stranger, a prompt in two parts, an empty part, and no rest."""
    with pytest.raises(UsageError, match=message):
        registry.split("maths", **parts)


def test_undo_goes_back_step_by_step(registry):
    """Each undo takes back one decision, until there is none; events are only added."""
    registry.step("rename", "maths", name="sums")
    registry.step("retire", "sums")
    registry.undo()
    assert registry.row("sums")["status"] == "approved"
    registry.undo()
    assert registry.members("maths") == "abcd"
    registry.undo()
    assert registry.domains.is_empty()
    with pytest.raises(UsageError, match="no decision to take back"):
        registry.undo()
    assert registry.events["event_id"].to_list() == list(range(1, 9))  # two of the last undo


def test_an_undo_can_be_taken_back(registry):
    """And that one too."""
    registry.step("rename", "maths", name="sums")  # event 3
    registry.undo()  # 4
    registry.undo(4)  # 5
    assert registry.members("sums") == "abcd"
    registry.undo(5)
    assert registry.members("maths") == "abcd"


def test_an_older_decision_can_be_taken_back_alone(registry):
    """As long as nothing that counts builds on it."""
    registry.step("rename", "maths", name="sums")  # event 3
    registry.step("rename", "art", name="drawing")  # 4
    registry.undo(3)
    assert sorted(registry.domains["name"]) == ["drawing", "maths"]
    with pytest.raises(UsageError, match=r"Event 4 \(rename of dom-\w+\) builds on it.*undo 4`"):
        registry.undo(1)


def test_what_cannot_be_taken_back_says_why(registry):
    """An unknown event; one taken back already; an undo whose ground is gone."""
    registry.step("rename", "maths", name="sums")  # event 3
    registry.undo()  # 4
    with pytest.raises(UsageError, match="no event 9"):
        registry.undo(9)
    with pytest.raises(UsageError, match="Event 3 was taken back already by event 4"):
        registry.undo(3)
    registry.undo()  # 5 and 6: the approvals
    with pytest.raises(UsageError, match="builds on it"):
        registry.undo(4)


@given(st.lists(st.sampled_from(["rename", "retire", "merge", "split", "undo", "redo"])))
def test_any_sequence_leaves_whole_domains(verbs):
    """Refused or done, no decision loses a prompt, doubles one or leaves a state that is none."""
    registry = Registry()
    groups = [Group(name=name, prompt_ids=list(ids)) for name, ids in (("x", "abc"), ("y", "de"))]
    registry.add(approve_groups(registry.events, groups, ANA))
    for verb in verbs:
        approved = registry.domains.filter(status="approved")["domain_id"].to_list()
        try:
            match verb:
                case "merge":
                    registry.merge(*approved[:2])
                case "split" if approved:
                    first = registry.members(approved[0])[0]
                    registry.split(approved[0], part=first)
                case "rename" | "retire" if approved:
                    registry.step(verb, approved[-1], name="z")
                case "undo":
                    registry.undo()
                case "redo":
                    registry.undo(registry.events["event_id"].max())
        except UsageError:
            continue
        held = registry.domains.filter(pl.col("merged_into").is_null()).join(
            registry.sets, on="member_set_id"
        )
        assert held.is_empty() or sorted(held["prompt_id"]) == list("abcde")


@given(st.lists(st.sampled_from(["rename", "retire", "restore"]), max_size=5))
def test_undoing_all_and_redoing_all_is_where_it_was(verbs):
    """Undo is exact: the state before comes back, and so does the one after."""
    registry = Registry()
    registry.add(approve_groups(registry.events, [Group(name="x", prompt_ids=["a"])], ANA))
    before = registry.domains
    for number, verb in enumerate(verbs):
        registry.step(verb, before["domain_id"][0], name=str(number))
    after = registry.domains
    for _ in verbs:
        registry.undo()
    assert registry.domains.equals(before)
    for number in range(len(verbs)):
        registry.undo(registry.events["event_id"].max() - 2 * number)
    assert registry.domains.equals(after)


def labels(pairs, events=None, least=2):
    labelled = pl.DataFrame(pairs, schema=["prompt_id", "label"], orient="row")
    events = DOMAIN_EVENTS.empty() if events is None else events
    drafted = approve_labels(labelled, events, ANA, least_prompts=least)
    return drafted.events, drafted.sets


def names(events):
    return dict(domains_now(events).select("domain_id", "name").iter_rows())


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
    step = {"verb": "retire", "domain_id": fresh["domain_id"].item()}
    events = pl.concat([fresh, draft(fresh, [step], ANA).events])
    again, _ = labels([("p1", "a"), ("p2", "a"), ("p3", "a")], events)
    assert again.is_empty()


def test_the_label_unassigned_makes_no_domain():
    """It says what prompts outside every domain are called."""
    fresh, _ = labels([("p1", "unassigned"), ("p2", "unassigned"), ("p3", "a"), ("p4", "a")])
    assert list(names(fresh).values()) == ["a"]
