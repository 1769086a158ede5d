"""Load an exported folder into LiteLLM's own Router, with no key and no network.

    python3 -m venv check && check/bin/pip install 'litellm[semantic-router]==1.104.0'
    promptshed export --to litellm -o table/        # or litellm-plugin, or litellm-semantic
    check/bin/python tests/interop/litellm_check.py table/

By labels: every domain's group must be answered by its first model, and by the second while the
first one fails. By the plugin: every conformance row must go where it says; when its model fails,
to that model's fallback; and with another encoder nowhere but to the fallback tier. By examples:
every one must go to its own domain. Where a limit of the policy leaves no other model, a failing
one must be an error. Needs nothing of this project.
"""

import asyncio
import copy
import json
import logging
import math
import os
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))
from loopback import Models, serve

ROUTER = "promptshed"


def main() -> None:
    """Check the folder named on the command line."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or the import asks the network
    logging.disable()
    import litellm
    from litellm.proxy._types import ConfigYAML

    folder = Path(sys.argv[1])
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    ConfigYAML(**copy.deepcopy(config))  # which changes what it is given
    litellm.suppress_debug_info = True
    base = serve()
    for group in config["model_list"]:
        params = group["litellm_params"]
        if not params["model"].startswith("auto_router/"):
            params |= {"model": f"openai/{params['model']}", "api_base": base, "api_key": "none"}
    try:
        told = check(config, folder, base)
    finally:
        _end_tasks()
    sys.stdout.write(f"{told}, in the Router of LiteLLM {_version()}\n")


def check(config: dict, folder: Path, base: str) -> str:
    """Check the kind of export that the folder holds."""
    if (folder / "routing_table.json").is_file():
        return check_plugin(config, folder, base)
    if any(group["model_name"] == ROUTER for group in config["model_list"]):
        return check_examples(config)
    return check_labels(config)


def check_labels(config: dict) -> str:
    """Ask for every domain, with its first model up and down."""
    router = _router(config)
    first = _first_models(config)
    chains = _chains(config)
    domains = [group for group, model in first.items() if group != model]
    for domain in domains:
        _expect(router, domain, "hello", first[domain])
        _expect(router, domain, "hello", _next(chains, domain), down=first[domain])
    return f"{len(domains)} domains: first model and fallback as exported"


def check_plugin(config: dict, folder: Path, base: str) -> str:
    """Ask for every conformance row; the server encodes its text as the row says."""
    from litellm.proxy.types_utils.utils import get_instance_fn

    lines = (folder / "conformance.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    texts = [row["text"] or f"conformance row {i}" for i, row in enumerate(rows)]
    vectors = dict(zip(texts, (row["vector"] for row in rows), strict=True))
    Models.embed = staticmethod(vectors.__getitem__)
    os.environ["PROMPTSHED_EMBEDDING_MODEL"] = "openai/encoder"
    os.environ["PROMPTSHED_EMBEDDING_BASE"] = base
    tiers = _params(config)["complexity_router_config"]
    path, where = tiers["classifier_plugin"], str(folder / "config.yaml")
    tiers["classifier_plugin"] = get_instance_fn(path, where)
    router = _router(config)
    chains = _chains(config)
    for text, row in zip(texts, rows, strict=True):
        _expect(router, ROUTER, text, row["model"])
        _expect(router, ROUTER, text, _next(chains, row["model"]), down=row["model"])
    tiers["classifier_plugin"] = get_instance_fn(path, where)
    Models.embed = staticmethod(lambda text: [-number for number in vectors[text]])
    other = _router(config)
    for text in texts:
        _expect(other, ROUTER, text, tiers["fallback_tier"])
    n_models = len({row["model"] for row in rows})
    return (
        f"{len(rows)} conformance rows to their {n_models} models and, with these down, to their "
        "fallbacks; another encoder is refused"
    )


def check_examples(config: dict) -> str:
    """Ask with every example; the server encodes each domain in a direction of its own."""
    routes = json.loads(_params(config)["auto_router_config"])["routes"]
    of_text = {text: i for i, route in enumerate(routes) for text in route["utterances"]}
    Models.embed = staticmethod(lambda text: _direction(of_text.get(text), len(routes)))
    router = _router(config)
    first = _first_models(config)
    for text, i in of_text.items():
        _expect(router, ROUTER, text, first[routes[i]["name"]])
    _expect(router, ROUTER, "like no example", first["unassigned"])
    told = f"{len(of_text)} examples of {len(routes)} domains to their own models"
    return f"{told}, others to unassigned"


def _direction(place: int | None, n_routes: int) -> list[float]:
    own = n_routes if place is None else place
    return [1.0 if i == own else 0.01 / math.sqrt(n_routes) for i in range(n_routes + 1)]


def _router(config: dict) -> object:
    import litellm

    settings = copy.deepcopy(config["router_settings"])  # it changes what it is given
    groups = [{**g, "litellm_params": {**g["litellm_params"]}} for g in config["model_list"]]
    return litellm.Router(model_list=groups, num_retries=0, disable_cooldowns=True, **settings)


def _expect(
    router: object, group: str, text: str, model: str | None, down: str | None = None
) -> None:
    """Ask a group; without a model an error is expected."""
    import litellm

    Models.down = frozenset([down] if down else [])
    chat = [{"role": "user", "content": text}]
    try:
        reply = _LOOP.run_until_complete(router.acompletion(group, chat))
        found = reply.choices[0].message.content
    except litellm.InternalServerError:
        found = None
    if found != model:
        sys.exit(f"{group}, {text[:60]!r}: expected {model}, found {found}, with {down} down")


def _end_tasks() -> None:
    """End LiteLLM's logging worker: Python 3.11.7 may crash at exit while it waits for work."""
    tasks = asyncio.all_tasks(_LOOP)
    for task in tasks:
        task.cancel()
    _LOOP.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    _LOOP.close()


def _params(config: dict) -> dict:
    groups = {group["model_name"]: group["litellm_params"] for group in config["model_list"]}
    return groups[ROUTER]


def _chains(config: dict) -> dict[str, list[str]]:
    fallbacks = config["router_settings"]["fallbacks"]
    return {name: chain for each in fallbacks for name, chain in each.items()}


def _next(chains: dict[str, list[str]], group: str) -> str | None:
    """Return who is asked where a group fails; the default is no one who is not in a chain."""
    return next(iter(chains.get(group, [])), None)


def _first_models(config: dict) -> dict[str, str]:
    """Return the model of each group, as the server is asked for it."""
    return {
        group["model_name"]: group["litellm_params"]["model"].removeprefix("openai/")
        for group in config["model_list"]
    }


def _version() -> str:
    from importlib.metadata import version

    return version("litellm")


_LOOP = asyncio.new_event_loop()

if __name__ == "__main__":
    main()
