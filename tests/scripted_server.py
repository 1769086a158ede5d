"""An endpoint that fails as it is told to, for `promptshed run`."""

import json
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROMPTS = ["Write a poem", "Hi", "", "Tell a story", "Sing a song"]
MODELS_FILE = """
source_url: test
checked_on: 2026-11-23
models:
  - {model_id: large, prices: [{price_in_usd_per_mtok: 1000, price_out_usd_per_mtok: 1000}]}
  - {model_id: small, prices: [{price_in_usd_per_mtok: 100, price_out_usd_per_mtok: 100}]}
  - {model_id: judge, prices: [{price_in_usd_per_mtok: 100, price_out_usd_per_mtok: 100}]}
  - {model_id: tiny, prices: [{price_in_usd_per_mtok: 100, price_out_usd_per_mtok: 100}]}
"""


class Scripted(BaseHTTPRequestHandler):
    """Answers each prompt by its script, one entry for each call; then, or without one, "Fine."."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt, model = body["messages"][-1]["content"], body["model"]
        server = self.server
        if model == "judge":
            prompt = f"judge: {json.loads(prompt)['answer']}"
        with server.lock:
            number = server.n_calls[prompt]
            server.n_calls[prompt] += 1
            server.seen.append((prompt, model, time.monotonic(), self.headers["Authorization"]))
            server.bodies.append(body)
        script = server.scripts[prompt]
        self.answer(script[number] if number < len(script) else "Fine.", model)

    def answer(self, what, model):
        status, headers = 200, {}
        if isinstance(what, int):
            status, text = what, json.dumps({"error": {"message": "scripted"}})
            headers = {"Retry-After": "0.3"} if what == 429 else {}
        elif what == "gone":
            self.close_connection = True
            return
        elif what == "malformed":
            text = '{"choices": ['
        elif what == "slow":
            time.sleep(1.0)
            text = "{}"
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"content": what}}
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            text = json.dumps({"model": model, "choices": [choice], "usage": usage})
        data = text.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except BrokenPipeError:
            self.close_connection = True

    def log_message(self, *arguments):
        pass


@contextmanager
def scripted_server():
    """Serve on the loopback address: `scripts` by prompt, and what was `seen`."""
    found = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    found.lock, found.n_calls, found.seen = threading.Lock(), Counter(), []
    found.bodies = []
    found.scripts = defaultdict(list)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def answers(folder):
    """Return the lines of the answers that `promptshed run` wrote in a folder."""
    text = (folder / "answers.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
