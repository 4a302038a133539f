"""CancelledError at each await point: it comes out as it is, and everything is given back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from esteio import (
    Bulkhead,
    Cache,
    CircuitBreaker,
    Deadline,
    Fallback,
    Hedge,
    LoadShedder,
    Pipeline,
    Policy,
    Retry,
    Timeout,
)
from esteio.policy import deadline
from esteio.testing import VirtualClock, run_virtual

EVERYTHING: tuple[Policy, ...] = (
    LoadShedder(),
    Cache(),
    Fallback("fallback"),
    Deadline(100),
    Retry(3, 1.0, idempotent=True),
    Hedge(0.5, idempotent=True),
    CircuitBreaker(failures=50),
    Bulkhead(3, queue=5, wait=50),
    Timeout(20),
)


async def hanging() -> None:
    await asyncio.sleep(1000)


async def failing() -> None:
    await asyncio.sleep(0.1)
    raise OSError


async def slow_cleanup() -> None:
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0.1)


def at_rest(pipe: Pipeline) -> None:
    for policy in pipe.snapshot().policies:
        for key in ("running", "taken", "waiting", "reaping"):
            assert policy.values.get(key, 0) == 0, (policy.kind, key)
    assert deadline.remaining() is None


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.3, 0.55, 1.05, 1.15, 2.2, 19.9, 20.0, 20.4, 21.5, 100.0])
@pytest.mark.parametrize("work", [hanging, failing, slow_cleanup], ids=lambda work: work.__name__)
def test_cancellation_at_any_moment(moment: float, work: Callable[[], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        for policies in (EVERYTHING, EVERYTHING[3:5] + EVERYTHING[6:]):
            pipe = Pipeline("all", *policies, clock=clock, registry=None)
            before = asyncio.all_tasks()
            task = asyncio.create_task(pipe.acall(work))
            await asyncio.sleep(moment)
            if task.done():
                assert isinstance(task.exception(), OSError | None)
                continue
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            at_rest(pipe)
            assert asyncio.all_tasks() == before
            circuit = pipe.snapshot().policies[-3].values
            assert circuit["state"] == "closed"

    run_virtual(main)


@pytest.mark.parametrize("policy", EVERYTHING, ids=lambda policy: policy.kind)
def test_each_policy_lets_cancellation_through_as_it_is(policy: Policy) -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("one", policy, clock=clock, registry=None)
        task = asyncio.create_task(pipe.call(hanging))
        await asyncio.sleep(0.1)
        task.cancel("by the caller")
        with pytest.raises(asyncio.CancelledError):
            await task
        at_rest(pipe)

    run_virtual(main)


def test_waiting_in_the_queue_and_between_attempts_are_await_points_too() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline(
            "dep",
            Retry(3, 10.0, idempotent=True, jitter="none"),
            Bulkhead(1, queue=5, wait=50),
            clock=clock,
            registry=None,
        )
        waiting_to_retry = asyncio.create_task(pipe.call(failing))
        await asyncio.sleep(1)
        hog = asyncio.create_task(pipe.call(asyncio.sleep, 30))
        await asyncio.sleep(1)
        queued = asyncio.create_task(pipe.call(hanging))
        await asyncio.sleep(1)
        for task in (waiting_to_retry, queued):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await hog
        at_rest(pipe)

    run_virtual(main)


def test_an_abandoned_coroutine_closed_elsewhere_disturbs_nobody() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Deadline(100), Retry(3, idempotent=True), Timeout(20), clock=clock, registry=None)
        loop = asyncio.get_running_loop()

        async def start_only() -> None:
            coroutine = pipe.call(hanging)
            coroutine.send(None)
            coroutines.append(coroutine)

        coroutines: list[object] = []
        await loop.create_task(start_only())
        with deadline.within(50, clock):
            coroutines.pop().close()  # type: ignore[attr-defined]
            left = deadline.remaining()
            assert left == pytest.approx(50)

    run_virtual(main)
