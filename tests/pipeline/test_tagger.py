import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.tagger import Endpoint, tag_prompts
from profiles.errors import EndpointError, UsageError

NAMES = ("cooking", "law")


class Server:
    """An OpenAI-compatible endpoint on the loopback address; `answers` decides what it says."""

    def __init__(self):
        self.seen = []
        self.answers = lambda _text: (200, "1")
        self.raw = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.seen.append((self.path, dict(self.headers), body))
                code, content = server.answers(body["messages"][-1]["content"])
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                plain = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
                self.wfile.write(plain if server.raw is None else server.raw)

            def log_message(self, *_arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()
    running.thread.join()


def tag(server, texts, **more):
    endpoint = Endpoint(url=server.url, model="tiny", pause_s=0.0, **more)
    return tag_prompts(endpoint, texts, NAMES)


def test_texts_are_tagged(server):
    """Each text gets the bucket the model names; the request is a chat completion."""
    server.answers = lambda text: (200, " 2.\n" if "contract" in text else "1")
    texts = ["a soup", "a contract", "bread"]
    assert tag(server, texts, api_key="k1") == {"a soup": 0, "a contract": 1, "bread": 0}
    path, headers, body = server.seen[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer k1"
    assert (body["model"], body["temperature"]) == ("tiny", 0)
    assert "1. cooking\n2. law" in body["messages"][0]["content"]


def test_without_a_key_none_is_sent(server):
    """A local server needs none; the key never shows in a repr."""
    tag(server, ["a soup"])
    assert "Authorization" not in server.seen[0][1]
    assert "secret" not in repr(Endpoint(url="http://h", model="m", api_key="secret"))


@pytest.mark.parametrize("content", ["0", "3", "law", "1 or 2", "", None, "99999", "1\n2", "-1"])
def test_an_answer_that_names_no_bucket_is_left_out(server, content):
    """Untrusted text is one number in range, or nothing."""
    server.answers = lambda _text: (200, content)
    assert tag(server, ["a soup"]) == {}


def test_a_prompt_is_data(server):
    """It goes into the user's turn, cut to a bounded length."""
    tag(server, ["x" * 9_000])
    assert server.seen[0][2]["messages"][-1] == {"role": "user", "content": "x" * 4_000}


def test_a_busy_endpoint_is_asked_again(server):
    """Two refusals for load, then an answer."""
    codes = iter([429, 503, 200])
    server.answers = lambda _text: (next(codes), "2")
    assert tag(server, ["a contract"]) == {"a contract": 1}
    assert len(server.seen) == 3


@pytest.mark.parametrize(("code", "n_tries"), [(401, 1), (404, 1), (302, 1), (503, 3)])
def test_a_refusal_is_an_error(server, code, n_tries):
    """The code is told; a redirect is not followed, for it would carry the key along."""
    server.answers = lambda _text: (code, "1")
    with pytest.raises(EndpointError, match=f"answered {code}.*PROMPTSHED_API_KEY"):
        tag(server, ["a soup"], api_key="k1")
    assert len(server.seen) == n_tries


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"choices": []}'])
def test_another_protocol_is_an_error(server, answer):
    """Whatever is no chat completion is told as such."""
    server.raw = answer
    with pytest.raises(EndpointError, match="did not answer with a chat completion"):
        tag(server, ["a soup"])


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
