"""Call an OpenAI-compatible endpoint, with patience: the only module that knows its client.

The key is handed to the client and is neither logged nor stored.
"""

import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module, util
from typing import Any

from pipeline.requests import Message, Template, openai_body
from pipeline.results import Result, completion
from profiles.errors import UsageError

_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """One model asked once, with all tries."""

    result: Result
    latency_s: float
    """Of the try that was answered, or of the last one."""
    n_lost: int = 0
    """Tries without an answer that may have been billed all the same."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Where to ask, and how patiently."""

    base_url: str
    api_key: str = field(repr=False)
    timeout_s: float = 60.0
    n_tries: int = 5
    pause_s: float = 1.0
    """Before the second try; doubles with each, and is drawn between half of that and that. An
    answer's Retry-After counts instead."""
    wait: Callable[[float], object] = time.sleep

    def client(self) -> Any:  # noqa: ANN401 - of an extra that need not be there
        """Return the client.

        Raises
        ------
        UsageError
            If the extra is not installed.
        """
        if util.find_spec("openai") is None:
            raise UsageError("Calling models needs an extra: pip install 'promptshed[run]'.")
        return import_module("openai").OpenAI(
            base_url=self.base_url, api_key=self.api_key, max_retries=0, timeout=self.timeout_s
        )

    def ask(
        self,
        client: Any,  # noqa: ANN401
        wanted: str,
        model: str,
        chat: Sequence[Message],
        template: Template,
    ) -> Call:
        """Ask one model; what fails for good is a result with an error."""
        errors: Any = import_module("openai")
        plain = replace(template, extra={})  # the client refuses fields that it does not know
        body, n_lost, error, started = openai_body(chat, model, plain), 0, "", 0.0
        for number in range(self.n_tries):
            started, after = time.monotonic(), None
            try:
                raw = client.chat.completions.with_raw_response.create(
                    **body, extra_body=template.extra
                )
                return Call(
                    result=completion(wanted, _object(raw.http_response.json())),
                    latency_s=time.monotonic() - started,
                    n_lost=n_lost,
                )
            except errors.APITimeoutError:
                n_lost, error = n_lost + 1, "no answer in time"
            except errors.APIConnectionError as failure:
                n_lost += not _never_arrived(failure)
                error = f"no connection: {failure.__cause__ or failure}"
            except errors.APIStatusError as failure:
                error = f"status {failure.status_code}: {failure.message}"[:300]
                after = failure.response.headers.get("retry-after")
                n_lost += failure.status_code >= 500
                if failure.status_code not in _TRY_AGAIN:
                    break
            except (
                errors.OpenAIError,
                ValueError,
                LookupError,
                TypeError,
                AttributeError,
            ) as failure:
                n_lost, error = n_lost + 1, f"not the form of an answer: {failure!r}"[:300]
            if number + 1 < self.n_tries:
                self.wait(self._pause(number, after))
        spent = time.monotonic() - started
        return Call(result=Result(id=wanted, error=error), latency_s=spent, n_lost=n_lost)

    def _pause(self, number: int, retry_after: str | None) -> float:
        if retry_after is not None and retry_after.replace(".", "", 1).isdecimal():
            return min(float(retry_after), _LONGEST_PAUSE_S)
        longest = min(self.pause_s * 2.0**number, _LONGEST_PAUSE_S)
        return random.uniform(longest / 2.0, longest)  # noqa: S311 - only spreads the tries


def _never_arrived(error: BaseException) -> bool:
    """Tell whether there was no connection at all, so that nothing can be billed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | socket.gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {type(value).__name__}")
    return value
