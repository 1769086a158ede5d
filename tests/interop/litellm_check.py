"""Load an exported config.yaml into LiteLLM's own Router, with no key and no network.

    python3 -m venv check && check/bin/pip install litellm==1.104.0
    promptshed export --to litellm -o table/
    check/bin/python tests/interop/litellm_check.py table/config.yaml

Every domain's group must be answered by its first model, and by the second while the first one
fails. Needs nothing of this project, so that it runs where LiteLLM is installed.
"""

import copy
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml


class FakeModels(BaseHTTPRequestHandler):
    """Answers with the name of the model that was asked; those in `down` answer 500."""

    down: frozenset[str] = frozenset()

    def do_POST(self) -> None:
        """Answer one chat completion."""
        length = int(self.headers["Content-Length"])
        model = json.loads(self.rfile.read(length))["model"]
        is_down = model in self.down
        message = {"role": "assistant", "content": model}
        body = (
            {"error": {"message": "down"}}
            if is_down
            else {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": model,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )
        content = json.dumps(body).encode()
        self.send_response(500 if is_down else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Check every domain of the file named on the command line."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or the import asks the network
    import litellm
    from litellm.proxy._types import ConfigYAML

    config = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    ConfigYAML(**copy.deepcopy(config))  # which changes what it is given
    fallbacks = config["router_settings"]["fallbacks"]
    chains = {name: chain for each in fallbacks for name, chain in each.items()}
    groups = config["model_list"]
    first = {group["model_name"]: group["litellm_params"]["model"] for group in groups}
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeModels)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for group in groups:
        group["litellm_params"] |= {
            "model": f"openai/{group['litellm_params']['model']}",
            "api_base": f"http://127.0.0.1:{server.server_port}/v1",
            "api_key": "none",
        }
    litellm.suppress_debug_info = True
    settings = config["router_settings"]
    router = litellm.Router(model_list=groups, num_retries=0, disable_cooldowns=True, **settings)
    for domain, chain in chains.items():
        for down, expected in ((frozenset(), first[domain]), ({first[domain]}, chain[0])):
            FakeModels.down = frozenset(down)
            reply = router.completion(domain, [{"role": "user", "content": "hello"}])
            found = reply.choices[0].message.content
            if found != expected:
                sys.exit(f"{domain}: expected {expected}, found {found}, with {set(down)} down")
    server.shutdown()
    sys.stdout.write(
        f"{len(chains)} domains: first model and fallback as exported, in LiteLLM's Router\n"
    )


if __name__ == "__main__":
    main()
