"""The routing table over HTTP, read only, beside the dashboard: what other services fetch."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.artefact import SCHEMA_FILE, Artefact, table_json, table_tensors
from pipeline.config import digest
from pipeline.flows.tables import current_version, require_table
from pipeline.store import Store
from pipeline.table import routing_model
from profiles.errors import NotReadyError, PromptshedError, UsageError
from profiles.tables import BUCKETS, TABLE_ENTRIES

_PREFIX = "/api/routing-table"
_BUSY_WAIT_S, _RETRY_AFTER_S = 3.0, 5
_Endpoint = Callable[[Request], Response]


def routes(store: Store) -> list[Route]:
    """Return the addresses under `/api/routing-table`.

    The current table, one by its version, its tensors as safetensors, and the JSON Schema. Tables
    carry an ETag, so that a service that asks again gets 304 until another one is published. A
    busy store is waited for less long than by a command: a service may ask again.
    """
    store = replace(store, wait_s=_BUSY_WAIT_S)

    def version_of(request: Request) -> int:
        asked = request.path_params.get("version")
        return current_version(store) if asked is None else int(asked)

    def table(request: Request) -> Response:
        artefact = _artefact(store, version_of(request))
        return _tagged(request, artefact, lambda: JSONResponse(table_json(artefact)))

    def tensors(request: Request) -> Response:
        artefact = _artefact(store, version_of(request))
        kind = "application/octet-stream"
        return _tagged(
            request, artefact, lambda: Response(table_tensors(artefact.model), media_type=kind)
        )

    def schema(_request: Request) -> Response:
        return Response(SCHEMA_FILE.read_bytes(), media_type="application/schema+json")

    return [
        Route(f"{_PREFIX}/schema", _answering(schema)),
        Route(f"{_PREFIX}/prototypes.safetensors", _answering(tensors)),
        Route(f"{_PREFIX}/{{version:int}}/prototypes.safetensors", _answering(tensors)),
        Route(f"{_PREFIX}/{{version:int}}", _answering(table)),
        Route(_PREFIX, _answering(table)),
        *(Route(f"/api{rest}", _answering(_nothing)) for rest in ("", "/{rest:path}")),
    ]


def _nothing(request: Request) -> Response:
    """Refuse any other address, where the dashboard would answer with a page."""
    raise UsageError(
        f"There is nothing at {request.url.path}. See {_PREFIX}, {_PREFIX}/VERSION, both with "
        f"/prototypes.safetensors, and {_PREFIX}/schema."
    )


def _artefact(store: Store, version: int) -> Artefact:
    meta = require_table(store, version)
    buckets = store.read(BUCKETS, table_version=version)
    entries = store.read(TABLE_ENTRIES, table_version=version)
    model = routing_model(meta, buckets, entries, None)
    return Artefact(meta=meta, buckets=buckets, entries=entries, model=model)


def _tagged(request: Request, artefact: Artefact, answer: Callable[[], Response]) -> Response:
    """Answer with a tag that changes with the table and its state; or say that nothing changed."""
    meta = artefact.meta
    tag = f'"{digest(*map(str, meta.values()))}"'
    known = {
        part.strip().removeprefix("W/")
        for part in request.headers.get("if-none-match", "").split(",")
    }
    response = Response(status_code=304) if known & {tag, "*"} else answer()
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


def _answering(endpoint: _Endpoint) -> _Endpoint:
    """Turn errors raised on purpose into JSON: 404 for what is not there, 503 otherwise.

    Most often 503 says that another process writes into the store, which takes moments.
    """

    @wraps(endpoint)
    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except (NotReadyError, UsageError) as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        except PromptshedError as error:
            wait = {"Retry-After": str(_RETRY_AFTER_S)}
            return JSONResponse({"error": str(error)}, status_code=503, headers=wait)

    return answer
