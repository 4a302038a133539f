"""Cache(single_flight=True): one call for all who ask the same, and nobody stranded by how it ends."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from esteio import Cache, Deadline, DeadlineExceeded, Pipeline, Policy
from esteio.policy import deadline
from esteio.testing import VirtualClock, run_virtual


def pipe_of(*policies: Policy, clock: VirtualClock | None = None) -> Pipeline:
    more = {} if clock is None else {"clock": clock}
    return Pipeline("dep", *policies, registry=None, **more)  # type: ignore[arg-type]


def shared(pipe: Pipeline) -> object:
    return pipe.snapshot().policies[-1].values["shared"]


def test_callers_of_one_key_share_one_call_and_others_do_not() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(Cache(fresh=10, single_flight=True), clock=clock)
        calls: list[str] = []

        @pipe
        async def look_up(key: str) -> str:
            calls.append(key)
            await asyncio.sleep(1)
            return key.upper()

        assert await asyncio.gather(*(look_up(key) for key in "aabab")) == ["A", "A", "B", "A", "B"]
        assert sorted(calls) == ["a", "b"]
        assert shared(pipe) == 3
        assert clock.monotonic() == pytest.approx(1)

    run_virtual(main)


def test_without_a_fresh_answer_later_callers_make_a_call_of_their_own() -> None:
    async def main(clock: VirtualClock) -> None:
        calls = 0

        @pipe_of(Cache(single_flight=True), clock=clock)
        async def count() -> int:
            nonlocal calls
            calls += 1
            await asyncio.sleep(1)
            return calls

        assert await asyncio.gather(count(), count()) == [1, 1]
        assert await count() == 2

    run_virtual(main)


def test_the_leaders_error_is_everybodys_error() -> None:
    async def main(clock: VirtualClock) -> None:
        error = OSError("down")
        calls = 0

        @pipe_of(Cache(single_flight=True), clock=clock)
        async def fail() -> None:
            nonlocal calls
            calls += 1
            await asyncio.sleep(1)
            raise error

        assert await asyncio.gather(*(fail() for _ in range(4)), return_exceptions=True) == [error] * 4
        assert calls == 1

    run_virtual(main)


def test_followers_of_a_failed_leader_get_a_stale_answer_too() -> None:
    async def main(clock: VirtualClock) -> None:
        broken = False

        @pipe_of(Cache(stale=60, single_flight=True), clock=clock)
        async def look_up() -> str:
            await asyncio.sleep(1)
            if broken:
                raise OSError("down")
            return "kept"

        await look_up()
        broken = True
        assert await asyncio.gather(look_up(), look_up()) == ["kept", "kept"]

    run_virtual(main)


def test_a_cancelled_leader_leaves_the_call_to_one_of_those_who_wait() -> None:
    async def main(clock: VirtualClock) -> None:
        calls = 0

        @pipe_of(Cache(single_flight=True), clock=clock)
        async def count() -> int:
            nonlocal calls
            calls += 1
            await asyncio.sleep(2)
            return calls

        leader, *followers = [asyncio.create_task(count()) for _ in range(4)]
        await asyncio.sleep(1)
        leader.cancel()
        assert await asyncio.gather(*followers) == [2, 2, 2]
        assert leader.cancelled()
        assert clock.monotonic() == pytest.approx(3)

    run_virtual(main)


def test_a_leader_out_of_its_own_time_says_nothing_about_the_others() -> None:
    async def main(clock: VirtualClock) -> None:
        cached = pipe_of(Cache(single_flight=True), clock=clock)
        short = pipe_of(Deadline(1), clock=clock)

        @cached
        async def slow() -> str:
            await asyncio.sleep(0.5)
            if deadline.remaining() is not None:
                await asyncio.sleep(0.5)
                raise DeadlineExceeded("the leader's")
            return "answer"

        leader = asyncio.create_task(short.call(slow))
        await asyncio.sleep(0.1)
        assert await slow() == "answer"
        with pytest.raises(DeadlineExceeded):
            await leader

    run_virtual(main)


def test_a_follower_waits_no_longer_than_its_own_deadline_and_leaves_nothing() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = pipe_of(Cache(single_flight=True), clock=clock)

        @pipe
        async def slow() -> str:
            await asyncio.sleep(5)
            return "answer"

        leader = asyncio.create_task(slow())
        await asyncio.sleep(0)
        with deadline.within(1, clock), pytest.raises(DeadlineExceeded):
            await slow()
        follower = asyncio.create_task(slow())
        await asyncio.sleep(1)
        follower.cancel()
        assert await leader == "answer"
        assert pipe._bounds[0]._flights._flights == {}  # type: ignore[attr-defined]
        assert clock.monotonic() == pytest.approx(5)

    run_virtual(main)


def test_a_function_that_asks_for_its_own_answer_does_not_wait_for_itself() -> None:
    async def main(clock: VirtualClock) -> None:
        depth = 0

        @pipe_of(Cache(single_flight=True), clock=clock)
        async def again() -> str:
            nonlocal depth
            depth += 1
            return "end" if depth == 3 else await again()

        assert await again() == "end"

    run_virtual(main)


def run_in_threads(number: int, work: Callable[[], object]) -> list[object]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(5000):
        if condition():
            return
        waiting.wait(0.002)
    pytest.fail("the condition did not come true in 10 s")


def test_threads_share_one_call_too() -> None:
    pipe = pipe_of(Cache(fresh=60, single_flight=True))
    calls = 0

    @pipe
    def look_up() -> int:
        nonlocal calls
        calls += 1
        flights = pipe._bounds[0]._flights._flights  # type: ignore[attr-defined]
        until(lambda: len(next(iter(flights.values())).waiting) == 3)
        return calls

    assert run_in_threads(4, look_up) == [1, 1, 1, 1]
    assert shared(pipe) == 3


def test_a_thread_that_leads_and_is_interrupted_leaves_the_call_to_another() -> None:
    pipe = pipe_of(Cache(single_flight=True))
    calls = 0

    @pipe
    def look_up() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            flights = pipe._bounds[0]._flights._flights  # type: ignore[attr-defined]
            until(lambda: len(next(iter(flights.values())).waiting) == 1)
            raise KeyboardInterrupt
        return calls

    results = run_in_threads(2, look_up)
    assert sorted(map(repr, results)) == ["2", "KeyboardInterrupt()"]


def test_event_loops_in_several_threads_share_one_call() -> None:
    pipe = pipe_of(Cache(fresh=60, single_flight=True))
    calls = 0

    @pipe
    async def look_up() -> int:
        nonlocal calls
        calls += 1
        flights = pipe._bounds[0]._flights._flights  # type: ignore[attr-defined]
        until(lambda: len(next(iter(flights.values())).waiting) == 2)
        return calls

    assert run_in_threads(3, lambda: asyncio.run(look_up())) == [1, 1, 1]  # type: ignore[arg-type]
