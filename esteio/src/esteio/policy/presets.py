"""The original guide's numbers, ready to use.

| preset | retry: attempts, first wait, factor | breaker: failures, successes, open for | timeout |
|---|---|---|---|
| database | 5, 2 s, 2 | 5, 2, 30 s | 5 s |
| external_api | 3, 1 s, 2 | 3, 2, 60 s | 10 s |
| filesystem | 4, 0.5 s, 1.5 | 4, 1, 20 s | 5 s |
| retry_operation | 3, 1 s, 2 | - | - |

Promises: `database`, `external_api` and `filesystem` build pipelines of Retry, CircuitBreaker, Timeout; the
`retry_...` functions call one function at once with the retry alone, for plain and coroutine functions alike.
`idempotent` must be said, as everywhere: see `Retry`. What asks other people's HTTP services neither repeats nor
counts an answer that says that the request is wrong (`transient_http_error`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from esteio.clock import SYSTEM, Clock
from esteio.policy._backoff import Exponential
from esteio.policy._retry import Retry
from esteio.policy._timeout import Timeout
from esteio.policy.breaker import CircuitBreaker
from esteio.policy.pipeline._pipeline import REGISTRY, Pipeline, Registry

__all__ = [
    "database",
    "external_api",
    "filesystem",
    "retry_database",
    "retry_external_api",
    "retry_filesystem",
    "retry_operation",
    "transient_http_error",
]

R = TypeVar("R")

_PASSING = (408, 425, 429)  # Request Timeout, Too Early, Too Many Requests (RFC 9110, 8470, 6585)


def transient_http_error(error: Exception) -> bool:
    """Whether asking again may help, for `when=` of Retry and of CircuitBreaker around an HTTP client.

    An answer from 400 to 499 says that the request is wrong, and will be so again; 408, 425 and 429 pass, and so do 5xx and
    whatever is no answer, such as a refused connection. Reads the status that errors of httpx2, requests, aiohttp and
    urllib carry; let the client raise it (`raise_for_status()`).
    """
    response = getattr(error, "response", None)
    carriers = (getattr(response, "status_code", None), getattr(error, "status", None), getattr(error, "code", None))
    status = next((value for value in carriers if isinstance(value, int)), 0)
    return not 400 <= status <= 499 or status in _PASSING


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A row of the guide's table."""

    retry: tuple[int, float, float]
    breaker: tuple[int, int, float] = (1, 1, 1.0)
    timeout: float = 1.0
    when: Callable[[Exception], bool] | None = None

    def make_retry(self, idempotent: bool) -> Retry:
        attempts, first, factor = self.retry
        return Retry(attempts, Exponential(first, factor), idempotent=idempotent, when=self.when)

    def make_pipeline(self, name: str, idempotent: bool, clock: Clock, registry: Registry | None) -> Pipeline:
        failures, successes, open_for = self.breaker
        breaker = CircuitBreaker(failures=failures, successes=successes, open_for=open_for, when=self.when)
        retry = self.make_retry(idempotent)
        return Pipeline(name, retry, breaker, Timeout(self.timeout), clock=clock, registry=registry)


_GUIDE = {
    "database": _Numbers((5, 2.0, 2.0), (5, 2, 30), 5),
    "external_api": _Numbers((3, 1.0, 2.0), (3, 2, 60), 10, transient_http_error),
    "filesystem": _Numbers((4, 0.5, 1.5), (4, 1, 20), 5),
    "operation": _Numbers((3, 1.0, 2.0)),
}


def database(name: str, *, idempotent: bool, clock: Clock = SYSTEM, registry: Registry | None = REGISTRY) -> Pipeline:
    """For calls to a database."""
    return _GUIDE["database"].make_pipeline(name, idempotent, clock, registry)


def external_api(
    name: str, *, idempotent: bool, clock: Clock = SYSTEM, registry: Registry | None = REGISTRY
) -> Pipeline:
    """For calls to somebody else's HTTP service."""
    return _GUIDE["external_api"].make_pipeline(name, idempotent, clock, registry)


def filesystem(name: str, *, idempotent: bool, clock: Clock = SYSTEM, registry: Registry | None = REGISTRY) -> Pipeline:
    """For files, above all on network file systems."""
    return _GUIDE["filesystem"].make_pipeline(name, idempotent, clock, registry)


@cache
def _only_retry(kind: str, idempotent: bool) -> Pipeline:
    return Pipeline(f"retry_{kind}", _GUIDE[kind].make_retry(idempotent), registry=None)


def retry_operation(fn: Callable[[], R], *, idempotent: bool) -> R:
    """Call `fn` up to 3 times, 1 s and 2 s apart at most; the result of an `async def` is to be awaited."""
    return _only_retry("operation", idempotent).call(fn)


def retry_database(fn: Callable[[], R], *, idempotent: bool) -> R:
    """Call `fn` up to 5 times, 2, 4, 8 and 16 s apart at most."""
    return _only_retry("database", idempotent).call(fn)


def retry_external_api(fn: Callable[[], R], *, idempotent: bool) -> R:
    """Call `fn` up to 3 times, 1 s and 2 s apart at most."""
    return _only_retry("external_api", idempotent).call(fn)


def retry_filesystem(fn: Callable[[], R], *, idempotent: bool) -> R:
    """Call `fn` up to 4 times, 0.5, 0.75 and 1.1 s apart at most."""
    return _only_retry("filesystem", idempotent).call(fn)
