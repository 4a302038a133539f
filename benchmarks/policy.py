"""Claim: a policy around a call that succeeds costs a fraction of a microsecond, 2 to 40 times less than its peers.

Every figure is the cost of one call of a function that returns at once, in nanoseconds; `inline` makes the retry
for this one call, too. `import` is the time that a program waits for the first name it uses, in milliseconds, each
in a fresh interpreter whose files are cached. Rounds are short and take turns between all candidates, so that
whatever else the machine does hits all of them alike; the median of the rounds is shown. Peers that are not
installed are left out (benchmarks/requirements.txt).

Run: python -m benchmarks.policy [rounds]
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from benchmarks.report import Claim, publish

from esteio import Bulkhead, CircuitBreaker, CircuitOpen, Deadline, Pipeline, Retry, Timeout

CALLS = 400
OURS, FLOOR = "esteio", "floor"
PEERS = ("aiobreaker", "backoff", "circuitbreaker", "hyx", "purgatory", "pybreaker", "stamina", "tenacity")

Plain = Callable[[], object]
Coroutine = Callable[[], Awaitable[object]]


def plain() -> int:
    return 1


async def coroutine() -> int:
    return 1


@dataclass
class Row:
    """Candidates for one row; `asynchronous` says how they are called."""

    name: str
    target: float
    asynchronous: bool
    candidates: dict[str, Any] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def offer(self, name: str, module: str, make: Callable[[Any], Any]) -> None:
        """Add a peer if its module is installed."""
        try:
            self.candidates[name] = make(import_module(module))
        except ImportError:
            return


def pipeline(*policies: Any) -> Pipeline:
    return Pipeline("bench", *policies, registry=None)


# -- the floor: what anybody would write by hand


class HandWritten:
    def __init__(self) -> None:
        self.open = False
        self.failures = 0

    def plain(self) -> int:
        if self.open:
            raise RuntimeError
        try:
            result = plain()
        except Exception:
            self.failures += 1
            raise
        if self.failures:
            self.failures = 0
        return result

    async def coroutine(self) -> int:
        if self.open:
            raise RuntimeError
        try:
            result = await coroutine()
        except Exception:
            self.failures += 1
            raise
        if self.failures:
            self.failures = 0
        return result


# -- rows


def breaker_sync() -> Row:
    row = Row("breaker sync", 250, False)
    row.candidates = {FLOOR: HandWritten().plain, OURS: pipeline(CircuitBreaker())(plain)}
    row.offer("circuitbreaker", "circuitbreaker", lambda m: m.circuit(plain))
    row.offer("pybreaker", "pybreaker", lambda m: m.CircuitBreaker()(plain))
    row.offer("purgatory", "purgatory", lambda m: m.SyncCircuitBreakerFactory()("bench")(plain))
    return row


def breaker_async() -> Row:
    row = Row("breaker async", 450, True)
    row.candidates = {FLOOR: HandWritten().coroutine, OURS: pipeline(CircuitBreaker())(coroutine)}
    row.offer("circuitbreaker", "circuitbreaker", lambda m: m.circuit(coroutine))
    row.offer("purgatory", "purgatory", lambda m: m.AsyncCircuitBreakerFactory()("bench")(coroutine))
    row.offer("aiobreaker", "aiobreaker", lambda m: m.CircuitBreaker()(coroutine))
    row.offer("hyx", "hyx.circuitbreaker", lambda m: m.consecutive_breaker(Exception, 5, 30, 2)(coroutine))
    return row


def retry_async() -> Row:
    row = Row("retry async", 450, True)
    row.candidates = {FLOOR: HandWritten().coroutine, OURS: pipeline(Retry(3, idempotent=True))(coroutine)}
    row.offer("tenacity", "tenacity", lambda m: m.retry(stop=m.stop_after_attempt(3))(coroutine))
    row.offer("stamina", "stamina", lambda m: m.retry(on=OSError, attempts=3)(coroutine))
    row.offer("backoff", "backoff", lambda m: m.on_exception(m.expo, OSError, max_tries=3)(coroutine))
    row.offer("hyx", "hyx.retry", lambda m: m.retry(on=OSError, attempts=3)(coroutine))
    return row


def inline() -> Row:
    row = Row("inline", 15_000, False)
    row.candidates = {FLOOR: plain, OURS: lambda: Retry(3, idempotent=True)(plain)()}  # noqa: PLW0108 - made each time
    row.offer("tenacity", "tenacity", lambda m: lambda: m.Retrying(stop=m.stop_after_attempt(3))(plain))
    row.offer("stamina", "stamina", lambda m: lambda: m.RetryingCaller(attempts=3).on(OSError)(plain))
    row.offer("backoff", "backoff", lambda m: lambda: m.on_exception(m.expo, OSError, max_tries=3)(plain)())  # noqa: PLW0108
    return row


def _three(retried: Any) -> Any:
    """A retry, purgatory's breaker and asyncio.timeout, as one would put them together."""
    guard = import_module("purgatory").AsyncCircuitBreakerFactory()("bench")

    @guard
    async def limited() -> int:
        async with asyncio.timeout(1):
            return await coroutine()

    return retried(limited)


def pipeline_async() -> Row:
    row = Row("pipeline async", 2500, True)
    policies = (Deadline(10), Retry(3, idempotent=True), CircuitBreaker(), Bulkhead(10), Timeout(1))
    row.candidates = {FLOOR: HandWritten().coroutine, OURS: pipeline(*policies)(coroutine)}
    row.offer("stamina+purgatory+asyncio.timeout", "stamina", lambda m: _three(m.retry(on=OSError, attempts=3)))
    row.offer("tenacity+purgatory+asyncio.timeout", "tenacity", lambda m: _three(m.retry(stop=m.stop_after_attempt(3))))
    row.offer("hyx+purgatory+asyncio.timeout", "hyx.retry", lambda m: _three(m.retry(on=OSError, attempts=3)))
    return row


def _refused(call: Plain, error: type[BaseException]) -> Plain:
    def attempt() -> None:
        try:
            call()
        except error:
            return

    return attempt


def _opened(guarded: Plain) -> Plain:
    """Call until it is open."""
    for _ in range(20):
        try:
            guarded()
        except Exception:  # noqa: BLE001 - each peer has its own
            continue
    return guarded


def fail() -> None:
    raise OSError


def raise_at_once() -> None:
    raise RuntimeError


def rejected() -> Row:
    row = Row("rejected", 1000, False)
    row.candidates = {
        FLOOR: _refused(raise_at_once, RuntimeError),
        OURS: _refused(_opened(pipeline(CircuitBreaker())(fail)), CircuitOpen),
    }
    row.offer("circuitbreaker", "circuitbreaker", lambda m: _refused(_opened(m.circuit(fail)), m.CircuitBreakerError))
    row.offer("pybreaker", "pybreaker", lambda m: _refused(_opened(m.CircuitBreaker()(fail)), m.CircuitBreakerError))
    row.offer(
        "purgatory",
        "purgatory",
        lambda m: _refused(
            _opened(m.SyncCircuitBreakerFactory()("bench")(fail)), import_module("purgatory.domain.model").OpenedState
        ),
    )
    return row


# -- measuring


def time_plain(call: Plain) -> float:
    began = perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (perf_counter_ns() - began) / CALLS


async def time_coroutine(call: Coroutine) -> float:
    began = perf_counter_ns()
    for _ in range(CALLS):
        await call()
    return (perf_counter_ns() - began) / CALLS


async def measure(rows: list[Row], rounds: int) -> None:
    for number in range(rounds + 3):
        for row in rows:
            for name, call in row.candidates.items():
                took = await time_coroutine(call) if row.asynchronous else time_plain(call)
                if number >= 3:  # the first rounds warm up
                    row.rounds.setdefault(name, []).append(took)


IMPORTS = {
    "import": {
        OURS: "import esteio",
        f"{OURS} (a Retry)": "from esteio import Retry",
        "stamina": "import stamina",
        "tenacity": "import tenacity",
    },
    "import postgres": {
        OURS: "import esteio.postgres",
        f"{OURS} (a Database)": "from esteio.postgres import Database",
        "psycopg_pool": "import psycopg_pool",
    },
}


def time_import(statement: str) -> float | None:
    """Milliseconds in a fresh interpreter; None when it can't be imported."""
    code = f"import time; began = time.perf_counter(); {statement}; print((time.perf_counter() - began) * 1e3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def measure_imports(rounds: int) -> list[Claim]:
    claims = []
    for name, statements in IMPORTS.items():
        times: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            for candidate, statement in statements.items():
                took = time_import(statement)
                if number and took is not None:  # the first round fills the caches of the file system
                    times.setdefault(candidate, []).append(took)
        medians = {candidate: round(statistics.median(found), 2) for candidate, found in times.items()}
        peers = {candidate: took for candidate, took in medians.items() if candidate != OURS}
        claims.append(Claim(name, "ms", "lower", medians[OURS], peers, floor=None, target=None))
    return claims


def published(row: Row) -> Claim:
    """A row as its medians."""
    medians = {name: round(statistics.median(rounds), 1) for name, rounds in row.rounds.items()}
    peers = {name: took for name, took in medians.items() if name not in (OURS, FLOOR)}
    return Claim(row.name, "ns per call", "lower", medians[OURS], peers, floor=medians[FLOOR], target=row.target)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    logging.disable(logging.CRITICAL)
    rows = [breaker_sync(), breaker_async(), retry_async(), pipeline_async(), rejected(), inline()]
    asyncio.run(measure(rows, rounds))
    publish("policy", [*(published(row) for row in rows), *measure_imports(max(1, rounds // 10))], PEERS)


if __name__ == "__main__":
    main()
