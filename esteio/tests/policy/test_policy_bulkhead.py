"""Bulkhead: never more than the limit, a bounded queue in order, no slot lost."""

import asyncio
import threading

import pytest

from esteio import Bulkhead, BulkheadFull, Deadline, DeadlineExceeded, Pipeline
from esteio.policy import AIMD, Gradient, LimitChanged
from esteio.testing import ManualClock, VirtualClock, recorded_events, run_virtual


def values(pipe: Pipeline) -> dict[str, object]:
    return dict(pipe.snapshot().policies[-1].values)


def free(pipe: Pipeline, limit: int) -> bool:
    return values(pipe) | {"rejected": 0} == {"limit": limit, "taken": 0, "waiting": 0, "rejected": 0}


def test_more_than_limit_and_queue_is_refused_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Bulkhead(2, queue=1, wait=5), clock=clock, registry=None)
        tasks = [asyncio.create_task(pipe.call(asyncio.sleep, 1)) for _ in range(4)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), type(None), type(None), BulkheadFull]
        assert clock.monotonic() == pytest.approx(2)
        assert "2 calls at once is the limit, queue of 1 full" in str(results[3])
        assert free(pipe, 2)

    run_virtual(main)


def test_the_wait_in_the_queue_is_bounded_and_clipped_by_the_deadline() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Bulkhead(1, queue=5, wait=3), clock=clock, registry=None)
        hog = asyncio.create_task(pipe.call(asyncio.sleep, 10))
        await asyncio.sleep(0)
        with pytest.raises(BulkheadFull, match=r"waited 3\.000 s"):
            await pipe.call(asyncio.sleep, 0)
        short = Pipeline("short", Deadline(1), registry=None, clock=clock)
        with pytest.raises(DeadlineExceeded):
            await short.acall(pipe.call, asyncio.sleep, 0)
        assert clock.monotonic() == pytest.approx(4)
        await hog
        assert free(pipe, 1)

    run_virtual(main)


def test_waiters_are_served_in_order_and_newcomers_do_not_overtake() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Bulkhead(1, queue=10, wait=60), clock=clock, registry=None)
        order: list[int] = []

        async def work(number: int) -> None:
            order.append(number)
            await asyncio.sleep(1)

        await asyncio.gather(*(pipe.call(work, number) for number in range(8)))
        assert order == list(range(8))

    run_virtual(main)


@pytest.mark.parametrize("granted_already", [False, True])
def test_a_cancelled_waiter_leaves_neither_ticket_nor_slot_behind(granted_already: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Bulkhead(1, queue=5, wait=60), clock=clock, registry=None)
        hold = asyncio.Event()
        hog = asyncio.create_task(pipe.call(hold.wait))
        await asyncio.sleep(0)
        waiter = asyncio.create_task(pipe.call(asyncio.sleep, 0))
        await asyncio.sleep(0)
        if granted_already:
            hold.set()
            for _ in range(10):  # until the slot is handed over and its new owner has not run yet
                if values(pipe)["waiting"] == 0:
                    break
                await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        hold.set()
        await hog
        assert free(pipe, 1)
        assert await pipe.call(asyncio.sleep, 0, "through") == "through"

    run_virtual(main)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_slot_comes_back_whatever_ends_the_call(error: type[BaseException]) -> None:
    pipe = Pipeline("dep", Bulkhead(1), registry=None)

    def plain() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    with pytest.raises(error):
        pipe.call(plain)
    with pytest.raises(error):
        await pipe.call(coroutine)
    assert free(pipe, 1)


def test_threads_and_tasks_stand_in_one_line() -> None:
    pipe = Pipeline("dep", Bulkhead(1, queue=50, wait=30), registry=None)
    running, most, lock = 0, 0, threading.Lock()

    def enter() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)

    def leave() -> None:
        nonlocal running
        with lock:
            running -= 1

    def plain() -> None:
        enter()
        threading.Event().wait(0.001)
        leave()

    async def coroutine() -> None:
        enter()
        await asyncio.sleep(0.001)
        leave()

    async def tasks() -> None:
        await asyncio.gather(*(pipe.call(coroutine) for _ in range(10)))

    threads = [threading.Thread(target=pipe.call, args=(plain,)) for _ in range(10)]
    threads.append(threading.Thread(target=lambda: asyncio.run(tasks())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert free(pipe, 1)


def test_the_limit_can_be_moved_while_calls_run() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Bulkhead(3, queue=10, wait=60), clock=clock, registry=None)
        tasks = [asyncio.create_task(pipe.call(asyncio.sleep, 1)) for _ in range(3)]
        await asyncio.sleep(0)
        pipe.reconfigure(Bulkhead(1, queue=10, wait=60))
        tasks += [asyncio.create_task(pipe.call(asyncio.sleep, 1)) for _ in range(2)]
        await asyncio.gather(*tasks)
        assert clock.monotonic() == pytest.approx(3)
        pipe.reconfigure(Bulkhead(4, queue=10, wait=60))
        await asyncio.gather(*(pipe.call(asyncio.sleep, 1) for _ in range(4)))
        assert clock.monotonic() == pytest.approx(4)
        assert free(pipe, 4)

    run_virtual(main)


def test_aimd_grows_by_one_per_window_and_shrinks_by_its_share() -> None:
    state = AIMD(slow_after=1, initial=10, decrease=0.5).start()
    for _ in range(10):
        state.sample(0.1, 10, False)
    assert state.limit == 11
    assert state.sample(2.0, 10, False) == 5
    assert state.sample(0.1, 10, True) == 2
    for _ in range(100):
        state.sample(0.1, 0, False)
    assert state.limit == 2  # an unused limit proves nothing


def test_the_gradient_shrinks_when_latency_rises_and_recovers() -> None:
    state = Gradient(initial=50, maximum=100).start()
    for _ in range(300):
        state.sample(0.01, 100, False)
    grown = state.limit
    assert grown > 50
    for _ in range(50):
        state.sample(0.1, 100, False)
    assert state.limit < grown / 2
    for _ in range(600):
        state.sample(0.01, 100, False)
    assert state.limit > 50


def test_an_adaptive_bulkhead_learns_from_time_limits_but_not_from_the_calls_own_errors() -> None:
    clock = ManualClock()
    pipe = Pipeline("dep", Bulkhead(AIMD(slow_after=1, initial=10, decrease=0.5)), clock=clock, registry=None)

    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(KeyError):
        pipe.call(fail, KeyError())
    assert values(pipe)["limit"] == 10
    with recorded_events() as seen, pytest.raises(TimeoutError):
        pipe.call(fail, TimeoutError())
    assert seen == [LimitChanged("dep", 10, 5)]
    assert free(pipe, 5)


@pytest.mark.parametrize(
    "limit", [AIMD(slow_after=1, initial=10, decrease=0.5), Gradient(initial=10)], ids=["aimd", "gradient"]
)
@pytest.mark.parametrize("block", [False, True])
def test_calls_cut_by_an_outer_deadline_teach_an_adaptive_limit(limit: AIMD | Gradient, block: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Deadline(5), Bulkhead(limit), clock=clock, registry=None)

        async def call(seconds: float) -> None:
            if not block:
                await pipe.call(asyncio.sleep, seconds)
                return
            async for attempt in pipe.attempts():
                async with attempt:
                    await asyncio.sleep(seconds)

        await call(0.1)
        with pytest.raises(DeadlineExceeded):
            await call(3600)
        assert values(pipe)["limit"] < 10  # type: ignore[operator]
        assert values(pipe)["taken"] == 0

    run_virtual(main)


def test_a_short_deadline_a_cancellation_and_a_rejection_teach_nothing() -> None:
    async def main(clock: VirtualClock) -> None:
        limit = AIMD(slow_after=1, initial=10, decrease=0.5)
        pipe = Pipeline("dep", Bulkhead(limit), clock=clock, registry=None)
        short = Pipeline("short", Deadline(0.5), clock=clock, registry=None)
        with pytest.raises(DeadlineExceeded):
            await short.acall(pipe.call, asyncio.sleep, 3600)
        task = asyncio.create_task(pipe.call(asyncio.sleep, 3600))
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.wait([task])

        async def rejected() -> None:
            raise BulkheadFull("inner", 1, 0, 0.0)

        with pytest.raises(BulkheadFull):
            await pipe.call(rejected)
        assert values(pipe)["limit"] == 10

    run_virtual(main)


def test_another_wait_leaves_an_adaptive_limit_where_it_is() -> None:
    limit = AIMD(slow_after=1, initial=10, decrease=0.5)
    pipe = Pipeline("dep", Bulkhead(limit), clock=ManualClock(), registry=None)
    pipe._bounds[0].learn(2.0, None)  # type: ignore[attr-defined]
    pipe.reconfigure(Bulkhead(limit, wait=3))
    assert values(pipe)["limit"] == 5


def test_the_time_of_calls_that_did_not_come_back_is_not_the_usual_time() -> None:
    state = Gradient(initial=50, maximum=100).start()
    for _ in range(100):
        state.sample(0.01, 100, False)
    for _ in range(20):
        state.cut(5.0, 100)
    assert state.limit < 15
    assert state.cut(0.01, 100) == state.limit  # it might have been in time
