"""Claims: hits that pass, counted in the process's memory, cost a third of what they cost in the best library.

One claim for each algorithm, beside the peers that have it. Each round is 50 hits on each of 40 new keys, limit 100 a
minute: all of them pass. Candidates take turns; the median of the rounds is shown. The target is three times the best
peer. Awaited, our exact window stands beside that of limits.
"""

from __future__ import annotations

import gc
import statistics
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from time import perf_counter, sleep
from typing import Any

from benchmarks.report import Claim

from esteio.limit import Limit, RateLimiter, SyncRateLimiter

PEERS = ("limits", "pyrate-limiter", "throttled-py")
KEYS, HITS, RATE = 40, 50, 100
OURS, THEIRS = "esteio window", "limits moving window"
SAME = {
    "window": (THEIRS, "pyrate-limiter"),
    "counter": ("limits sliding counter", "throttled-py sliding"),
    "gcra": ("throttled-py gcra",),
    "fixed": ("limits fixed window", "throttled-py fixed"),
}
"""The peers that have our algorithm."""

Run = Callable[[list[str]], object]
"""Hits each of the keys once."""

RunAwaited = Callable[[list[str]], Awaitable[object]]


def ours(algorithm: Any) -> Run:
    limiter, limit = SyncRateLimiter(), Limit(RATE, 60, algorithm=algorithm)

    def run(keys: list[str]) -> None:
        for key in keys:
            limiter.hit(key, limit)

    return run


def limits(module: Any, strategy: str) -> Run:
    limiter = getattr(import_module("limits.strategies"), strategy)(import_module("limits.storage").MemoryStorage())
    item = module.parse(f"{RATE}/minute")

    def run(keys: list[str]) -> None:
        for key in keys:
            limiter.hit(item, key)

    return run


def throttled(module: Any, using: str) -> Run:
    limiter = module.Throttled(using=using, quota=module.per_min(RATE), store=module.MemoryStore({"MAX_SIZE": 100_000}))

    def run(keys: list[str]) -> None:
        for key in keys:
            limiter.limit(key)

    return run


def pyrate(module: Any) -> Run:
    rates = [module.Rate(RATE, module.Duration.MINUTE)]

    class Buckets(module.BucketFactory):  # type: ignore[misc]
        """A bucket for each name, as its manual says."""

        def __init__(self) -> None:
            self.clock = module.MonotonicClock()
            self.buckets: dict[str, Any] = {}

        def wrap_item(self, name: str, weight: int = 1) -> Any:
            return module.RateItem(name, self.clock.now(), weight=weight)

        def get(self, item: Any) -> Any:
            if item.name not in self.buckets:
                self.buckets[item.name] = module.InMemoryBucket(rates)
            return self.buckets[item.name]

    limiter = module.Limiter(Buckets())

    def run(keys: list[str]) -> None:
        for key in keys:
            limiter.try_acquire(key, blocking=False)

    return run


def ours_awaited() -> RunAwaited:
    limiter, limit = RateLimiter(), Limit(RATE, 60)

    async def run(keys: list[str]) -> None:
        for key in keys:
            await limiter.hit(key, limit)

    return run


def limits_awaited(module: Any) -> RunAwaited:
    storage = import_module("limits.aio.storage").MemoryStorage()
    limiter = import_module("limits.aio.strategies").MovingWindowRateLimiter(storage)
    item = module.parse(f"{RATE}/minute")

    async def run(keys: list[str]) -> None:
        for key in keys:
            await limiter.hit(item, key)

    return run


def candidates() -> dict[str, Run]:
    """Ours, and those of the peers that are installed."""
    found = {f"esteio {name}": ours(name) for name in ("window", "counter", "gcra", "fixed")}
    offers: dict[str, tuple[str, Callable[[Any], Run]]] = {
        THEIRS: ("limits", lambda m: limits(m, "MovingWindowRateLimiter")),
        "limits sliding counter": ("limits", lambda m: limits(m, "SlidingWindowCounterRateLimiter")),
        "limits fixed window": ("limits", lambda m: limits(m, "FixedWindowRateLimiter")),
        "pyrate-limiter": ("pyrate_limiter", pyrate),
        "throttled-py sliding": ("throttled", lambda m: throttled(m, "sliding_window")),
        "throttled-py fixed": ("throttled", lambda m: throttled(m, "fixed_window")),
        "throttled-py gcra": ("throttled", lambda m: throttled(m, "gcra")),
    }
    for name, (module, make) in offers.items():
        try:
            found[name] = make(import_module(module))
        except ImportError:
            continue
    return found


def awaited() -> dict[str, RunAwaited]:
    """The same for coroutines."""
    found = {OURS: ours_awaited()}
    with suppress(ImportError):
        found[THEIRS] = limits_awaited(import_module("limits"))
    return found


def fresh(number: int) -> list[str]:
    """Keys no round before had."""
    return [f"192.0.2.{each} in round {number}" for each in range(KEYS)]


def time_round(run: Run, keys: list[str]) -> float:
    """Hits a second."""
    began = perf_counter()
    for _ in range(HITS):
        run(keys)
    return KEYS * HITS / (perf_counter() - began)


async def time_awaited(run: RunAwaited, keys: list[str]) -> float:
    """Hits a second."""
    began = perf_counter()
    for _ in range(HITS):
        await run(keys)
    return KEYS * HITS / (perf_counter() - began)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without what a candidate before left behind: its timers run out first, its garbage is collected afterwards."""
    until = perf_counter() + 0.5
    while threading.active_count() > 1 and perf_counter() < until:
        sleep(0.001)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def measure(rounds: int) -> list[Claim]:
    """The claims `memory, ALGORITHM`, and the exact window awaited."""
    plain, coroutines = candidates(), awaited()
    figures: dict[str, list[float]] = {name: [] for name in plain}
    awaited_figures: dict[str, list[float]] = {name: [] for name in coroutines}
    for number in range(rounds + 2):
        for name, run in plain.items():
            with undisturbed():
                figures[name].append(time_round(run, fresh(number)))
        for name, coroutine in coroutines.items():
            with undisturbed():
                awaited_figures[name].append(await time_awaited(coroutine, fresh(number)))
        gc.collect()
    plain_claims = [published(f"memory, {name}", f"esteio {name}", peers, figures) for name, peers in SAME.items()]
    return [*plain_claims, published("memory, awaited", OURS, (THEIRS,), awaited_figures)]


def published(claim: str, ours: str, peers: tuple[str, ...], figures: dict[str, list[float]]) -> Claim:
    """The medians, without the two rounds that warm up."""
    medians = {name: round(statistics.median(each[2:]), 1) for name, each in figures.items()}
    beside = {name: medians[name] for name in peers if name in medians}
    target = 3 * max(beside.values()) if beside else None
    return Claim(claim, "hits/s", "higher", medians[ours], beside, target=target)
