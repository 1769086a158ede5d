"""Ask an OpenAI-compatible endpoint: an edge, off by default.

What comes back is untrusted text. Redirects are refused, for they could carry the key to another
host.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from profiles.errors import EndpointError, UsageError

_LONGEST_PROMPT = 4_000  # characters
_LONGEST_ANSWER = 1 << 16  # bytes
_N_TRIES = 3
_N_AT_ONCE = 4
_TRY_AGAIN = (429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where to ask."""

    url: str
    """Base address, such as http://127.0.0.1:8000/v1."""
    model: str
    api_key: str = field(default="", repr=False)
    """Sent as a bearer token if there is one."""
    timeout_s: float = 30.0
    pause_s: float = 0.5
    """Before the second try; doubles with each."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"An endpoint starts with http:// or https://, found {self.url!r}.")


def endpoint_of(url: str, model: str) -> Endpoint:
    """Return an endpoint with the key in `PROMPTSHED_API_KEY`, if there is one."""
    return Endpoint(url=url, model=model, api_key=os.environ.get("PROMPTSHED_API_KEY", ""))


def answers(
    endpoint: Endpoint, instruction: str, texts: Sequence[str], *, n_tokens: int
) -> Iterator[str]:
    """Ask about each text, several at once, and yield the answers in order.

    Raises
    ------
    EndpointError
        If the endpoint cannot be reached, refuses, or answers something else than a completion.
    """
    with ThreadPoolExecutor(_N_AT_ONCE) as pool:
        yield from pool.map(lambda text: _ask(endpoint, instruction, text, n_tokens), texts)


def _ask(endpoint: Endpoint, instruction: str, text: str, n_tokens: int) -> str:
    for attempt in range(_N_TRIES):
        try:
            return _content(_post(endpoint, instruction, text, n_tokens), endpoint)
        except HTTPError as error:
            if error.code not in _TRY_AGAIN or attempt == _N_TRIES - 1:
                raise EndpointError(
                    f"{endpoint.url} answered {error.code}. Check the address, the model's name "
                    "and the key in PROMPTSHED_API_KEY."
                ) from error
        except (URLError, TimeoutError, HTTPException, ConnectionError) as error:
            if attempt == _N_TRIES - 1:
                raise EndpointError(
                    f"{endpoint.url} cannot be reached ({error}). Is the server running?"
                ) from error
        time.sleep(endpoint.pause_s * 2**attempt)
    raise AssertionError("unreachable")


def _post(endpoint: Endpoint, instruction: str, text: str, n_tokens: int) -> bytes:
    body = {
        "model": endpoint.model,
        "temperature": 0,
        "max_tokens": n_tokens,
        "messages": [
            {"role": "system", "content": instruction},
            {"role": "user", "content": text[:_LONGEST_PROMPT]},
        ],
    }
    headers = {"Content-Type": "application/json"}
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    request = Request(  # noqa: S310 - http and https only, checked by Endpoint
        f"{endpoint.url.rstrip('/')}/chat/completions",
        data=json.dumps(body).encode(),
        headers=headers,
    )
    with build_opener(_StayThere).open(request, timeout=endpoint.timeout_s) as response:
        return response.read(_LONGEST_ANSWER)


class _StayThere(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Follow no redirect; urllib then raises the answer as an HTTPError."""


def _content(answer: bytes, endpoint: Endpoint) -> str:
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as error:
        raise EndpointError(
            f"{endpoint.url} did not answer with a chat completion. Does it speak the OpenAI API?"
        ) from error
    return content if isinstance(content, str) else ""
