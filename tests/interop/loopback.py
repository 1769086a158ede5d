"""An OpenAI-compatible server on 127.0.0.1 that answers with the name of the model asked for.

Needs nothing but Python, so that it runs in any environment.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Models(BaseHTTPRequestHandler):
    """Answers chats with the model's name; models in `down` answer 500."""

    down: frozenset[str] = frozenset()
    embed: Callable[[str], list[float]] = staticmethod(lambda _text: [1.0])

    def do_POST(self) -> None:
        """Answer one chat completion or one request for embeddings."""
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))
        if self.path.endswith("/embeddings"):
            return self._send(200, self._embeddings(asked))
        if asked["model"] in self.down:
            return self._send(500, {"error": {"message": "down"}})
        return self._send(200, _completion(asked["model"]))

    def _embeddings(self, asked: dict) -> dict:
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        data = [
            {"object": "embedding", "index": i, "embedding": self.embed(text)}
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return {"object": "list", "model": asked["model"], "data": data, "usage": usage}

    def _send(self, status: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def serve() -> str:
    """Start the server in a thread; returns its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


def _completion(model: str) -> dict:
    message = {"role": "assistant", "content": model}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
