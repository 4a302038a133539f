"""Timeout and Deadline: two different ends, nothing left behind, honest about plain functions."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from esteio import (
    Bulkhead,
    BulkheadFull,
    CircuitBreaker,
    Deadline,
    DeadlineExceeded,
    Pipeline,
    Policy,
    Retry,
    Timeout,
    TimeoutExceeded,
)
from esteio.policy import CallTimedOut, LateResult, deadline
from esteio.testing import ManualClock, VirtualClock, recorded_events, run_virtual


def pipe_of(clock: VirtualClock | ManualClock, *policies: Policy) -> Pipeline:
    return Pipeline("dep", *policies, clock=clock, registry=None)


async def hang() -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize(
    ("policy", "error"), [(Timeout(2), TimeoutExceeded), (Deadline(2), DeadlineExceeded)], ids=["timeout", "deadline"]
)
def test_a_coroutine_is_really_stopped(policy: Policy, error: type[Exception]) -> None:
    async def main(clock: VirtualClock) -> None:
        with recorded_events() as seen, pytest.raises(error) as caught:
            await pipe_of(clock, policy).call(hang)
        assert clock.monotonic() == pytest.approx(2)
        assert isinstance(caught.value, TimeoutError)
        assert seen == [CallTimedOut("dep", policy.kind, 2)]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtual(main)


@pytest.mark.parametrize("policy", [Timeout(2), Deadline(2)], ids=["timeout", "deadline"])
def test_the_callers_own_cancellation_stays_a_cancellation(policy: Policy) -> None:
    async def main(clock: VirtualClock) -> None:
        task = asyncio.create_task(pipe_of(clock, policy).call(hang))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main)


@pytest.mark.parametrize("policy", [Timeout(2), Deadline(2)], ids=["timeout", "deadline"])
def test_when_both_happen_at_once_cancellation_wins(policy: Policy) -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, policy)
        for start in (0.0, 2.0):
            await pipe.call(asyncio.sleep, 0)  # sets the shared timer up for the next call
            task = asyncio.create_task(pipe.call(hang))
            asyncio.get_running_loop().call_at(start + 2.0, task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task

    run_virtual(main)


def test_a_callers_asyncio_timeout_around_ours_is_the_callers() -> None:
    async def main(clock: VirtualClock) -> None:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(1):
                await pipe_of(clock, Timeout(2)).call(hang)
        assert not isinstance(caught.value, TimeoutExceeded)

    run_virtual(main)


def test_a_coroutine_that_ends_in_spite_of_the_cancellation_keeps_its_result() -> None:
    async def stubborn() -> str:
        try:
            await hang()
        except asyncio.CancelledError:
            return "done all the same"
        return "never"

    async def main(clock: VirtualClock) -> None:
        for policy in (Timeout(2), Deadline(2)):
            assert await pipe_of(clock, policy).call(stubborn) == "done all the same"
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(1)

    run_virtual(main)


def test_nested_limits_blame_the_one_that_was_up() -> None:
    async def main(clock: VirtualClock) -> None:
        outer, inner = pipe_of(clock, Timeout(5)), pipe_of(clock, Timeout(1))
        with pytest.raises(TimeoutExceeded) as caught:
            await outer.acall(inner.call, hang)
        assert caught.value.limit == 1
        with pytest.raises(TimeoutExceeded) as caught:
            await inner.acall(outer.call, hang)
        assert caught.value.limit == 1

    run_virtual(main)


def test_one_limit_may_be_nested_in_itself() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, Timeout(2))

        async def outer() -> str:
            with pytest.raises(TimeoutExceeded):
                await pipe.call(hang)
            return "never"

        with pytest.raises((TimeoutExceeded, asyncio.CancelledError)):
            await pipe.call(outer)

    run_virtual(main)


def test_tasks_that_share_a_limit_do_not_stop_each_other() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, Timeout(2))

        async def work(seconds: float) -> float:
            await asyncio.sleep(seconds)
            return seconds

        async def later(start: float, seconds: float) -> float:
            await asyncio.sleep(start)
            return await pipe.call(work, seconds)

        cases = [(0.0, 1.0), (0.0, 3.0), (0.5, 1.9), (1.0, 2.5), (1.5, 1.5)]
        results = await asyncio.gather(*(later(*case) for case in cases), return_exceptions=True)
        assert [isinstance(result, TimeoutExceeded) for result in results] == [False, True, False, True, False]

    run_virtual(main)


def test_an_attempts_timeout_is_clipped_to_what_the_deadline_leaves_and_the_deadline_is_to_blame() -> None:
    async def main(clock: VirtualClock) -> None:
        retry = Retry(5, 0.5, jitter="none", idempotent=True)
        with pytest.raises((DeadlineExceeded, TimeoutExceeded)) as caught:
            await pipe_of(clock, Deadline(3), retry, Timeout(2)).call(hang)
        assert clock.monotonic() == pytest.approx(3)
        assert isinstance(caught.value, DeadlineExceeded)

    run_virtual(main)


def test_a_deadline_is_seen_below_and_never_extended() -> None:
    async def main(clock: VirtualClock) -> None:
        async def look() -> float | None:
            await asyncio.sleep(1)
            return deadline.remaining()

        assert await pipe_of(clock, Deadline(5)).call(look) == pytest.approx(4)
        assert await pipe_of(clock, Deadline(2)).acall(pipe_of(clock, Deadline(5)).call, look) == pytest.approx(1)
        assert deadline.remaining() is None
        with deadline.within(0.5, clock), pytest.raises(DeadlineExceeded):
            await pipe_of(clock, Deadline(5)).call(look)

    run_virtual(main)


def test_background_work_can_be_detached_from_its_callers_deadline() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, Deadline(1))
        started: list[asyncio.Task[float | None]] = []

        async def later() -> float | None:
            await asyncio.sleep(5)
            return deadline.remaining()

        async def request() -> None:
            started.append(asyncio.create_task(later()))
            with deadline.detached():
                started.append(asyncio.create_task(later()))

        await pipe.call(request)
        assert await asyncio.gather(*started) == [0.0, None]

    run_virtual(main)


def test_no_timer_is_left_behind() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, Deadline(5), Timeout(2))

        async def quick() -> None:
            await asyncio.sleep(0)

        for _ in range(100):
            await asyncio.gather(*(pipe.call(quick) for _ in range(10)))
        loop = asyncio.get_running_loop()
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert len(timers) <= 2  # one for each limit, whatever the number of calls
        await asyncio.sleep(6)
        assert not [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]

    run_virtual(main)


def test_one_pipeline_serves_several_loops() -> None:
    pipe = Pipeline("dep", Timeout(0.05), registry=None)

    async def main() -> int:
        for _ in range(2):
            with pytest.raises(TimeoutExceeded):
                await pipe.call(hang)
        return 1

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(main()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1, 1, 1]


def test_loops_that_ended_are_forgotten() -> None:
    pipe = Pipeline("dep", Timeout(60), registry=None)
    for _ in range(20):
        asyncio.run(pipe.call(asyncio.sleep, 0))
    assert len(pipe._bounds[0].watches.others) <= 1  # type: ignore[attr-defined]


def test_outside_of_a_task_it_says_so() -> None:
    coroutine = Pipeline("dep", Timeout(1), registry=None).call(hang)
    with pytest.raises(RuntimeError, match=r"no running event loop|need an asyncio task"):
        coroutine.send(None)


# -- plain functions


def test_a_plain_function_is_never_stopped_and_its_late_result_is_kept() -> None:
    clock = ManualClock()
    with recorded_events() as seen:
        assert pipe_of(clock, Timeout(2)).call(lambda: clock.advance(3) or "late") == "late"
    assert seen == [LateResult("dep", 2, 3)]


def test_a_plain_function_can_ask_for_its_limit_and_give_up() -> None:
    clock = ManualClock()

    def polite() -> None:
        while True:
            deadline.check()
            clock.advance(0.5)

    with pytest.raises(TimeoutExceeded):
        pipe_of(clock, Timeout(2)).call(polite)
    assert clock.monotonic() == 2
    with deadline.within(1, clock), pytest.raises(DeadlineExceeded):
        pipe_of(clock, Timeout(2)).call(polite)
    with pytest.raises(DeadlineExceeded) as caught:
        pipe_of(clock, Deadline(1)).call(polite)
    assert caught.value.limit == 1


def test_a_plain_function_is_not_begun_when_time_is_up() -> None:
    clock = ManualClock()
    began = []
    for policy in (Timeout(2), Deadline(2)):
        with deadline.within(0, clock), pytest.raises(DeadlineExceeded):
            pipe_of(clock, policy).call(began.append, 1)
    assert began == []


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_abandoning_walks_away_says_so_and_is_bounded(gate: threading.Event) -> None:
    pipe = Pipeline("dep", Timeout(0.02, abandon=True, abandoned_max=2), registry=None)
    for _ in range(2):
        with pytest.raises(TimeoutExceeded, match="its thread still runs") as caught:
            pipe.call(gate.wait)
        assert caught.value.abandoned
    with pytest.raises(BulkheadFull):
        pipe.call(gate.wait)
    gate.set()
    end = time.monotonic() + 5
    while pipe.snapshot().policies[0].values["abandoned"] and time.monotonic() < end:
        threading.Event().wait(0.005)
    assert pipe.snapshot().policies[0].values["abandoned"] == 0
    assert pipe.call(lambda: "quick") == "quick"


def test_abandoned_functions_raise_and_see_the_context() -> None:
    pipe = Pipeline("dep", Timeout(5, abandon=True), registry=None)
    with pytest.raises(ZeroDivisionError):
        pipe.call(lambda: 1 / 0)
    left = pipe.call(deadline.remaining)
    assert left is not None
    assert 0 < left <= 5


def test_abandoning_is_refused_for_coroutines() -> None:
    with pytest.raises(TypeError, match="abandon=True is for plain functions"):
        Pipeline("dep", Timeout(1, abandon=True), registry=None)(hang)


# -- over HTTP


def test_a_deadline_crosses_http_as_what_is_left() -> None:
    clock = ManualClock()
    assert deadline.headers() == {}
    with deadline.within(2.5, clock):
        clock.advance(1)
        sent = deadline.headers()
    assert sent == {"Esteio-Deadline-Ms": "1500"}
    assert deadline.from_headers({"esteio-deadline-ms": "1500"}, limit=10) == 1.5
    assert deadline.from_headers(sent, limit=1) == 1


@pytest.mark.parametrize("garbage", ["", "-1", "1e9", "abc", "٣", "9" * 40, "1.5"])
def test_a_garbled_header_is_ignored(garbage: str) -> None:
    assert deadline.from_headers({"Esteio-Deadline-Ms": garbage}, limit=10) == 10


@pytest.mark.parametrize(
    "policies", [(Timeout(2),), (Deadline(5), Timeout(2)), (Retry(2, idempotent=True), Timeout(2))]
)
def test_what_runs_inside_an_async_timeout_sees_its_limit(policies: tuple[Policy, ...]) -> None:
    async def main(clock: VirtualClock) -> None:
        async def look() -> float | None:
            await asyncio.sleep(0.5)
            return deadline.remaining()

        pipe = pipe_of(clock, *policies)
        assert await pipe.call(look) == pytest.approx(1.5)
        async for attempt in pipe.attempts():
            async with attempt:
                assert await look() == pytest.approx(1.5)
        assert deadline.remaining() is None

    run_virtual(main)


def test_what_stops_by_itself_when_a_timeout_is_over_is_that_timeouts_failure() -> None:
    """A client that asks for `remaining()` raises DeadlineExceeded, which a breaker would not count."""

    async def main(clock: VirtualClock) -> None:
        async def client() -> None:
            await asyncio.sleep((deadline.remaining() or 0.0) - 1e-9)
            clock.sleep(0.1)  # and is a little late, but before the timer is served
            deadline.check("client")

        pipe = pipe_of(clock, CircuitBreaker(failures=1), Timeout(2))
        with pytest.raises(TimeoutExceeded):
            await pipe.call(client)
        assert pipe.circuit.state == "open"
        pipe.circuit.reset()
        with pytest.raises(TimeoutExceeded):  # noqa: PT012
            async for attempt in pipe.attempts():
                async with attempt:
                    await client()
        assert pipe.circuit.state == "open"
        plain = pipe_of(clock, Deadline(2))
        with pytest.raises(DeadlineExceeded) as caught:
            await plain.call(client)
        assert caught.value.limit == 2
        assert plain.snapshot().policies[0].values["exceeded"] == 1

    run_virtual(main)


def test_a_deadline_of_somebody_else_inside_a_timeout_stays_that_deadline() -> None:
    async def main(clock: VirtualClock) -> None:
        async def client() -> None:
            await asyncio.sleep(1)
            raise DeadlineExceeded("other")

        with pytest.raises(DeadlineExceeded) as caught:
            await pipe_of(clock, Timeout(2)).call(client)
        assert caught.value.name == "other"

    run_virtual(main)


def test_a_timeout_reconfigured_while_a_call_runs_blames_no_deadline() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, Timeout(2))
        task = asyncio.create_task(pipe.call(hang))
        await asyncio.sleep(1)
        pipe.reconfigure(Timeout(9))
        with pytest.raises(TimeoutExceeded) as caught:
            await task
        assert caught.value.limit == 2

    run_virtual(main)


def test_a_deadline_around_a_timeout_needs_one_timer_and_still_stops_the_last_attempt() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(clock, Deadline(3), Retry(5, 0.5, jitter="none", idempotent=True), Bulkhead(1), Timeout(2))
        with pytest.raises(DeadlineExceeded) as caught:
            await pipe.call(hang)
        assert caught.value.limit == 3
        assert clock.monotonic() == pytest.approx(3)
        assert pipe.snapshot().policies[0].values["exceeded"] == 1

    run_virtual(main)
