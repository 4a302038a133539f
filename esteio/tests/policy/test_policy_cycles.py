"""What fails leaves nothing for the cycle collector: an outage must not be paid for in pauses of the collector too."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from esteio import Bulkhead, Cache, CircuitBreaker, Deadline, Fallback, Hedge, Pipeline, Policy, Retry, Timeout
from esteio.testing import ManualClock


def fail() -> None:
    raise OSError("down")


async def fail_async() -> None:
    raise OSError("down")


def garbage_of(run: Callable[[], object]) -> int:
    run()  # caches of the interpreter and of asyncio are filled
    gc.collect()
    gc.disable()
    try:
        run()
        return gc.collect()
    finally:
        gc.enable()


POLICIES: list[tuple[Policy, ...]] = [
    (Retry(2, 0.0, idempotent=True),),
    (Retry(2, 0.0, idempotent=True, wrap=True),),
    (Cache(stale=1),),
    (Cache(stale=1, single_flight=True),),
    (Fallback(on=LookupError),),
    (CircuitBreaker(failures=1000),),
    (Bulkhead(1),),
    (Timeout(5),),
    (Deadline(5), Retry(2, 0.0, idempotent=True), CircuitBreaker(failures=1000), Bulkhead(1), Timeout(5)),
]


@pytest.mark.parametrize("policies", POLICIES, ids=lambda policies: policies[-1].kind if len(policies) == 1 else "all")
def test_a_failed_call_of_a_plain_function_leaves_no_cycle(policies: tuple[Policy, ...]) -> None:
    pipe = Pipeline("dep", *policies, clock=ManualClock(), registry=None)
    guarded = pipe(fail)

    def run() -> None:
        try:
            guarded()
        except Exception:  # noqa: BLE001
            return

    assert garbage_of(run) == 0


@pytest.mark.parametrize(
    "policies",
    [*POLICIES, (Hedge(1.0, idempotent=True),)],
    ids=lambda policies: policies[-1].kind if len(policies) == 1 else "all",
)
async def test_a_failed_call_of_a_coroutine_function_leaves_no_cycle(policies: tuple[Policy, ...]) -> None:
    guarded = Pipeline("dep", *policies, registry=None)(fail_async)

    async def run() -> None:
        try:
            await guarded()
        except Exception:  # noqa: BLE001
            return

    assert await garbage_of_async(run) == 0


async def garbage_of_async(run: Callable[[], Awaitable[object]]) -> int:
    await run()
    await asyncio.sleep(0)
    gc.collect()
    gc.disable()
    try:
        await run()
        await asyncio.sleep(0)
        return gc.collect()
    finally:
        gc.enable()


def test_an_outcome_leaves_no_cycle() -> None:
    pipe = Pipeline("dep", Retry(2, 0.0, idempotent=True), registry=None)
    assert garbage_of(lambda: pipe.outcome(fail)) == 0


def test_a_failed_block_leaves_no_cycle() -> None:
    policies: list[Any] = [Deadline(5), Retry(2, 0.0, idempotent=True), CircuitBreaker(failures=1000), Timeout(5)]
    pipe = Pipeline("dep", *policies, registry=None)

    def block() -> None:
        for attempt in pipe.attempts():
            with attempt:
                fail()

    def run() -> None:
        try:
            block()
        except OSError:
            return

    assert garbage_of(run) == 0


def test_an_abandonable_thread_that_fails_leaves_no_cycle() -> None:
    guarded = Pipeline("dep", Timeout(5, abandon=True), registry=None)(fail)

    def run() -> None:
        try:
            guarded()
        except OSError:
            return

    assert garbage_of(run) == 0
