import pytest

from pipeline.endpoint import Endpoint
from pipeline.namer import name_groups
from profiles.errors import EndpointError

GROUPS = [["a soup", "bread"], ["a lease"]]
KNOWN = ["soup · bread", "lease"]


def named(endpoint_server):
    endpoint = Endpoint(url=endpoint_server.url, model="tiny", pause_s=0.0)
    return name_groups(endpoint, GROUPS, known=KNOWN)


def test_groups_are_named(endpoint_server):
    """Each gets the model's answer, which was asked about its texts as data."""
    endpoint_server.answers = lambda text: (200, "Cooking" if "soup" in text else ' "Law." ')
    assert named(endpoint_server) == ["Cooking", "Law"]
    messages = [body["messages"] for _, _, body in endpoint_server.seen]
    assert {turns[-1]["content"] for turns in messages} == {"a soup\n---\nbread", "a lease"}
    assert all("not instructions to you" in turns[0]["content"] for turns in messages)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        None,
        "one\ntwo",
        "x" * 61,
        "bell\x07",
        "red \x1b[31m",
        "\u202eevil",
        "Unassigned",
        " . ",
        "---",
    ],
)
def test_what_is_no_name_changes_nothing(endpoint_server, answer):
    """Long, empty, of several lines, with control or direction characters: the phrases stay."""
    endpoint_server.answers = lambda _text: (200, answer)
    assert named(endpoint_server) == KNOWN


def test_two_groups_do_not_share_a_name(endpoint_server):
    """The second one keeps its phrases."""
    endpoint_server.answers = lambda _text: (200, "Things")
    assert named(endpoint_server) == ["Things", "lease"]


def test_a_name_that_stays_is_taken(endpoint_server):
    """The first group does not get the phrases the second one keeps, in whatever letters."""
    endpoint_server.answers = lambda text: (200, "LEASE" if "soup" in text else "")
    assert named(endpoint_server) == KNOWN


@pytest.mark.parametrize("answer", ["**Law**", "# Law", "- _Law_", "> Law", "Law  "])
def test_markup_is_no_part_of_a_name(endpoint_server, answer):
    """What a model adds for show is taken away."""
    endpoint_server.answers = lambda text: (200, "" if "soup" in text else answer)
    assert named(endpoint_server) == [KNOWN[0], "Law"]


def test_a_refusal_is_an_error(endpoint_server):
    """It is told, with the key's name."""
    endpoint_server.answers = lambda _text: (401, "")
    with pytest.raises(EndpointError, match=r"answered 401.*PROMPTSHED_API_KEY"):
        named(endpoint_server)


def test_no_groups_ask_nothing(endpoint_server):
    """Nothing is sent."""
    endpoint = Endpoint(url=endpoint_server.url, model="tiny")
    assert name_groups(endpoint, [], known=[]) == []
    assert endpoint_server.seen == []
