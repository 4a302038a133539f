"""Claim: a policy around a call that succeeds costs a fraction of a microsecond, 2 to 40 times less than its peers.

Every figure is the cost of one call of a function that returns at once, in nanoseconds. Rounds are short
and take turns between all candidates, so that whatever else the machine does hits all of them alike; the
median of the rounds is shown. Peers that are not installed are left out (benchmarks/requirements.txt).

Run: python benchmarks/policy.py [rounds]
"""

from __future__ import annotations

import asyncio
import json
import logging
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter_ns
from typing import Any

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
class Claim:
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


# -- claims


def breaker_sync() -> Claim:
    claim = Claim("breaker sync", 250, False)
    claim.candidates = {FLOOR: HandWritten().plain, OURS: pipeline(CircuitBreaker())(plain)}
    claim.offer("circuitbreaker", "circuitbreaker", lambda m: m.circuit(plain))
    claim.offer("pybreaker", "pybreaker", lambda m: m.CircuitBreaker()(plain))
    claim.offer("purgatory", "purgatory", lambda m: m.SyncCircuitBreakerFactory()("bench")(plain))
    return claim


def breaker_async() -> Claim:
    claim = Claim("breaker async", 450, True)
    claim.candidates = {FLOOR: HandWritten().coroutine, OURS: pipeline(CircuitBreaker())(coroutine)}
    claim.offer("circuitbreaker", "circuitbreaker", lambda m: m.circuit(coroutine))
    claim.offer("purgatory", "purgatory", lambda m: m.AsyncCircuitBreakerFactory()("bench")(coroutine))
    claim.offer("aiobreaker", "aiobreaker", lambda m: m.CircuitBreaker()(coroutine))
    claim.offer("hyx", "hyx.circuitbreaker", lambda m: m.consecutive_breaker(Exception, 5, 30, 2)(coroutine))
    return claim


def retry_async() -> Claim:
    claim = Claim("retry async", 450, True)
    claim.candidates = {FLOOR: HandWritten().coroutine, OURS: pipeline(Retry(3, idempotent=True))(coroutine)}
    claim.offer("tenacity", "tenacity", lambda m: m.retry(stop=m.stop_after_attempt(3))(coroutine))
    claim.offer("stamina", "stamina", lambda m: m.retry(on=OSError, attempts=3)(coroutine))
    claim.offer("backoff", "backoff", lambda m: m.on_exception(m.expo, OSError, max_tries=3)(coroutine))
    claim.offer("hyx", "hyx.retry", lambda m: m.retry(on=OSError, attempts=3)(coroutine))
    return claim


def _three(retried: Any) -> Any:
    """A retry, purgatory's breaker and asyncio.timeout, as one would put them together."""
    guard = import_module("purgatory").AsyncCircuitBreakerFactory()("bench")

    @guard
    async def limited() -> int:
        async with asyncio.timeout(1):
            return await coroutine()

    return retried(limited)


def pipeline_async() -> Claim:
    claim = Claim("pipeline async", 2500, True)
    policies = (Deadline(10), Retry(3, idempotent=True), CircuitBreaker(), Bulkhead(10), Timeout(1))
    claim.candidates = {FLOOR: HandWritten().coroutine, OURS: pipeline(*policies)(coroutine)}
    claim.offer("stamina+purgatory+asyncio.timeout", "stamina", lambda m: _three(m.retry(on=OSError, attempts=3)))
    claim.offer(
        "tenacity+purgatory+asyncio.timeout", "tenacity", lambda m: _three(m.retry(stop=m.stop_after_attempt(3)))
    )
    claim.offer("hyx+purgatory+asyncio.timeout", "hyx.retry", lambda m: _three(m.retry(on=OSError, attempts=3)))
    return claim


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


def rejected() -> Claim:
    claim = Claim("rejected", 1000, False)
    claim.candidates = {
        FLOOR: _refused(raise_at_once, RuntimeError),
        OURS: _refused(_opened(pipeline(CircuitBreaker())(fail)), CircuitOpen),
    }
    claim.offer("circuitbreaker", "circuitbreaker", lambda m: _refused(_opened(m.circuit(fail)), m.CircuitBreakerError))
    claim.offer("pybreaker", "pybreaker", lambda m: _refused(_opened(m.CircuitBreaker()(fail)), m.CircuitBreakerError))
    claim.offer(
        "purgatory",
        "purgatory",
        lambda m: _refused(
            _opened(m.SyncCircuitBreakerFactory()("bench")(fail)), import_module("purgatory.domain.model").OpenedState
        ),
    )
    return claim


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


async def measure(claims: list[Claim], rounds: int) -> None:
    for number in range(rounds + 3):
        for claim in claims:
            for name, call in claim.candidates.items():
                took = await time_coroutine(call) if claim.asynchronous else time_plain(call)
                if number >= 3:  # the first rounds warm up
                    claim.rounds.setdefault(name, []).append(took)


def report(claim: Claim) -> dict[str, Any]:
    medians = {name: round(statistics.median(rounds), 1) for name, rounds in claim.rounds.items()}
    ours = medians[OURS]
    print(f"\n{claim.name} (ns per call, target {claim.target:g})")
    for name, took in sorted(medians.items(), key=lambda item: item[1]):
        ratio = (
            f"{took / ours:6.2f} x ours"
            if name != OURS
            else f"{'':6} {'(met)' if ours <= claim.target else '(missed)'}"
        )
        print(f"  {name:36} {took:10,.0f}  {ratio}")
    peers = {name: took for name, took in medians.items() if name not in (OURS, FLOOR)}
    return {
        "claim": claim.name,
        "unit": "ns per call",
        "better": "lower",
        "ours": ours,
        "peers": peers,
        "floor": medians[FLOOR],
        "target": claim.target,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    logging.disable(logging.CRITICAL)
    claims = [breaker_sync(), breaker_async(), retry_async(), pipeline_async(), rejected()]
    asyncio.run(measure(claims, rounds))
    results = [report(claim) for claim in claims]
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "python": platform.python_version(),
        "rounds": rounds,
        "versions": {name: found for name in PEERS if (found := _version(name))},
        "results": results,
    }
    place = Path(__file__).parent / "results" / "policy.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    print()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
