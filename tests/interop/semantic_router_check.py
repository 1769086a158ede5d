"""Load an exported routes file into aurelio's semantic-router, without its encoder's weights.

    python3 -m venv check && check/bin/pip install semantic-router==1.1.1
    promptshed export --to semantic-router --exemplars redacted -o table/
    check/bin/python tests/interop/semantic_router_check.py table/

Its own loader must accept the file, and every example must be routed to its own route by an
encoder that gives each route a direction. Needs nothing of this project.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import yaml


def main() -> None:
    """Check the folder named on the command line."""
    from semantic_router import IndexedRouter
    from semantic_router.config import _parse, _routes

    told = yaml.safe_load((Path(sys.argv[1]) / "routes.yaml").read_text(encoding="utf-8"))
    config = _parse(told)
    routes = told["routes"]
    places = {text: i for i, route in enumerate(routes) for text in route["utterances"]}
    router = IndexedRouter(
        encoder=_directions(places),
        routes=_routes(config),
        top_k=told["top_k"],
        aggregation=told["aggregation"],
    )
    for text, i in places.items():
        found = router(text).name
        if found != routes[i]["name"]:
            sys.exit(f"{text[:60]!r}: expected {routes[i]['name']}, found {found}")
    if router("like no example").name is not None:
        sys.exit("a text like no example was routed")
    sys.stdout.write(
        f"{len(places)} examples of {len(routes)} routes to their own, another text to none, in "
        f"semantic-router {version('semantic-router')}\n"
    )


def _directions(places: dict[str, int]) -> object:
    """Return an encoder that gives an example the direction of its route, other texts their own."""
    from semantic_router.encoders import DenseEncoder

    n = max(places.values()) + 2

    class Directions(DenseEncoder):
        name: str = "directions"
        type: str = "directions"

        def __call__(self, docs: list[str]) -> list[list[float]]:
            return [[float(i == places.get(doc, n - 1)) for i in range(n)] for doc in docs]

    return Directions()


if __name__ == "__main__":
    main()
