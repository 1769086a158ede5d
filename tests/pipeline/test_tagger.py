import pytest

from pipeline.endpoint import Endpoint
from pipeline.tagger import tag_prompts
from profiles.errors import EndpointError, UsageError

NAMES = ("cooking", "law")


def tag(endpoint_server, texts, **more):
    endpoint = Endpoint(url=endpoint_server.url, model="tiny", pause_s=0.0, **more)
    return tag_prompts(endpoint, texts, NAMES)


def test_texts_are_tagged(endpoint_server):
    """Each text gets the bucket the model names; the request is a chat completion."""
    endpoint_server.answers = lambda text: (200, " 2.\n" if "contract" in text else "1")
    texts = ["a soup", "a contract", "bread"]
    assert tag(endpoint_server, texts, api_key="k1") == {"a soup": 0, "a contract": 1, "bread": 0}
    path, headers, body = endpoint_server.seen[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer k1"
    assert (body["model"], body["temperature"]) == ("tiny", 0)
    assert "1. cooking\n2. law" in body["messages"][0]["content"]


def test_without_a_key_none_is_sent(endpoint_server):
    """A local endpoint_server needs none; the key never shows in a repr."""
    tag(endpoint_server, ["a soup"])
    assert "Authorization" not in endpoint_server.seen[0][1]
    assert "secret" not in repr(Endpoint(url="http://h", model="m", api_key="secret"))


@pytest.mark.parametrize("content", ["0", "3", "law", "1 or 2", "", None, "99999", "1\n2", "-1"])
def test_an_answer_that_names_no_bucket_is_left_out(endpoint_server, content):
    """Untrusted text is one number in range, or nothing."""
    endpoint_server.answers = lambda _text: (200, content)
    assert tag(endpoint_server, ["a soup"]) == {}


def test_a_prompt_is_data(endpoint_server):
    """It goes into the user's turn, cut to a bounded length."""
    tag(endpoint_server, ["x" * 9_000])
    assert endpoint_server.seen[0][2]["messages"][-1] == {"role": "user", "content": "x" * 4_000}


def test_a_busy_endpoint_is_asked_again(endpoint_server):
    """Two refusals for load, then an answer."""
    codes = iter([429, 503, 200])
    endpoint_server.answers = lambda _text: (next(codes), "2")
    assert tag(endpoint_server, ["a contract"]) == {"a contract": 1}
    assert len(endpoint_server.seen) == 3


@pytest.mark.parametrize(("code", "n_tries"), [(401, 1), (404, 1), (302, 1), (503, 3)])
def test_a_refusal_is_an_error(endpoint_server, code, n_tries):
    """The code is told; a redirect is not followed, for it would carry the key along."""
    endpoint_server.answers = lambda _text: (code, "1")
    with pytest.raises(EndpointError, match=f"answered {code}.*PROMPTSHED_API_KEY"):
        tag(endpoint_server, ["a soup"], api_key="k1")
    assert len(endpoint_server.seen) == n_tries


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"choices": []}'])
def test_another_protocol_is_an_error(endpoint_server, answer):
    """Whatever is no chat completion is told as such."""
    endpoint_server.raw = answer
    with pytest.raises(EndpointError, match="did not answer with a chat completion"):
        tag(endpoint_server, ["a soup"])


def test_nobody_there_is_an_error():
    """A closed port is told as such."""
    endpoint = Endpoint(url="http://127.0.0.1:9/v1", model="m", pause_s=0.0, timeout_s=2)
    with pytest.raises(EndpointError, match="cannot be reached"):
        tag_prompts(endpoint, ["a soup"], NAMES)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h", "127.0.0.1:80"])
def test_only_http_is_spoken(url):
    """No file is read by mistake."""
    with pytest.raises(UsageError, match="http:// or https://"):
        Endpoint(url=url, model="m")
