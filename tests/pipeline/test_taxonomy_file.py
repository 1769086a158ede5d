import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions import Group, approve_groups, draft
from pipeline.taxonomy import member_set
from pipeline.taxonomy_file import changes, read_taxonomy, taxonomy_text
from profiles.errors import UsageError
from profiles.tables import DOMAIN_EVENTS
from tests.pipeline.test_decisions import ANA, Registry


@pytest.fixture
def registry():
    """Maths, a retired domain, one that was merged, and a rejection."""
    made = Registry()
    named = {"maths": "ab", "old": "c", "gone": "d", "art: # no": "ef"}
    groups = [Group(name=name, prompt_ids=list(ids)) for name, ids in named.items()]
    made.add(approve_groups(made.events, groups, ANA))
    made.step("retire", "old")
    made.merge("maths", "gone")
    set_id, rows = member_set(["y", "z"])
    made.add(draft(made.events, [{"verb": "reject", "member_set_id": set_id}], ANA, [rows]))
    return made


def text_of(registry):
    return taxonomy_text(registry.events, registry.sets)


def domains_of(registry):
    content = yaml.safe_load(text_of(registry))
    return content["domains"], content["rejected"]


def test_the_text_says_what_is(registry):
    """Ids, names, status and prompts of every domain, and what was rejected."""
    content = yaml.safe_load(text_of(registry))
    found = {one["name"]: one for one in content["domains"]}
    assert found["maths"]["prompt_ids"] == ["a", "b", "d"]
    assert found["old"]["status"] == "retired"
    assert found["gone"]["merged_into"] == found["maths"]["domain_id"]
    assert content["rejected"] == [["y", "z"]]


def test_another_store_gets_the_same_domains(registry):
    """A round trip keeps ids, names, status, prompts and rejections; a second one adds nothing."""
    other = Registry()
    other.add(read_taxonomy(text_of(registry), other.events, ANA))
    assert domains_of(other) == domains_of(registry)
    assert other.events["decision_id"].unique().to_list() == [1]
    again = read_taxonomy(text_of(registry), other.events, ANA)
    assert again.events.is_empty()
    other.undo()
    assert other.domains.is_empty()


def test_what_the_text_does_not_name_stays(registry):
    """An edited name and fewer prompts are taken over; other domains are left alone."""
    content = yaml.safe_load(text_of(registry))
    maths = next(one for one in content["domains"] if one["name"] == "maths")
    edited = maths | {"name": "sums", "prompt_ids": ["a"]}
    text = yaml.safe_dump({"promptshed_taxonomy": 1, "domains": [edited]})
    assert registry.add(read_taxonomy(text, registry.events, ANA)) == [maths["domain_id"]]
    assert registry.members("sums") == "a"
    assert registry.members("art: # no") == "ef"


def edited_text(registry, named, **changes):
    content = yaml.safe_load(text_of(registry))
    next(one for one in content["domains"] if one["name"] == named).update(changes)
    return yaml.safe_dump(content)


def test_a_decision_since_the_export_is_not_lost(registry):
    """Two people edit one domain: the later import is told by whom, and changes nothing unseen."""
    text = edited_text(registry, "maths", name="sums")
    registry.step("rename", "maths", name="numbers")
    with pytest.raises(UsageError, match=r"event \d+, rename by ana.*--overwrite"):
        read_taxonomy(text, registry.events, ANA)
    registry.add(read_taxonomy(text, registry.events, ANA, overwrite=True))
    assert "sums" in registry.domains["name"].to_list()


def test_decisions_about_other_domains_are_no_conflict(registry):
    """What the file leaves as it was may have changed, if the file agrees with it now."""
    text = edited_text(registry, "art: # no", name="art")
    registry.step("rename", "maths", name="numbers")
    with pytest.raises(UsageError, match="maths"):  # the file would take the new name back
        read_taxonomy(text, registry.events, ANA)
    content = yaml.safe_load(text)
    content["domains"] = [one for one in content["domains"] if one["name"] == "art"]
    registry.add(read_taxonomy(yaml.safe_dump(content), registry.events, ANA))
    assert {"art", "numbers"} <= {*registry.domains["name"]}


def test_numbers_of_another_store_are_no_conflict(registry):
    """Its events are not these, so nothing can have been decided since."""
    other = Registry()
    other.add(approve_groups(other.events, [Group(name="x", prompt_ids=["x"])], ANA))
    assert other.add(read_taxonomy(text_of(registry), other.events, ANA))


@given(st.text().map(lambda text: " ".join(text.split())).filter(bool))
def test_any_name_survives(name):
    """Whatever a person types."""
    registry, other = Registry(), Registry()
    registry.add(approve_groups(registry.events, [Group(name=name, prompt_ids=["a"])], ANA))
    other.add(read_taxonomy(text_of(registry), other.events, ANA))
    assert other.domains["name"].to_list() == [name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "no YAML"),
        ("", "promptshed_taxonomy: 1`, found None"),
        ("promptshed_taxonomy: 2", "found 2"),
        ("promptshed_taxonomy: 1", "`domains` to be a list"),
        ("promptshed_taxonomy: 1\ndomains: []\nrejected: [a]", "a list of lists"),
        ("promptshed_taxonomy: 1\ndomains: [x]", r"Domain 1 .*found \[\]"),
        ("promptshed_taxonomy: 1\ndomains: [{domain_id: d, name: n, status: lost}]", "Domain 1"),
        ("!!python/object/apply:os.system [true]", "no YAML"),
    ],
)
def test_other_texts_are_refused(text, message):
    """No YAML, another version, a wrong shape, and nothing that would run."""
    with pytest.raises(UsageError, match=message):
        read_taxonomy(text, DOMAIN_EVENTS.empty(), ANA)


def test_changes_by_hand():
    """From event 1 to the last: maths is renamed and loses a prompt, art is new."""
    registry = Registry()
    registry.add(approve_groups(registry.events, [Group(name="maths", prompt_ids="abc")], ANA))
    registry.split("maths", art="c")
    registry.step("rename", "maths", name="sums")
    found = changes(registry.events, registry.sets, 1, 4)
    columns = ("name_before", "name_after", "status_before", "n_prompts_in", "n_prompts_out")
    assert sorted(found.select(columns).rows(), key=str) == [
        ("maths", "sums", "approved", 0, 1),
        (None, "art", None, 1, 0),
    ]
    assert changes(registry.events, registry.sets, 4, 4).is_empty()
    assert changes(registry.events, registry.sets, 4, 1)["n_prompts_out"].sum() == 1
    assert changes(DOMAIN_EVENTS.empty(), registry.sets, 0, 0).is_empty()
