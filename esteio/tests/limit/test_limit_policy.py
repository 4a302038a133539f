"""RateLimit: calls start no faster than the limit, in the order they came, and nobody waits in vain or for ever."""

import asyncio
import pickle
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from esteio.limit import Limit, LimitError, MemoryStore, RateLimit, RateLimited, SyncRateLimiter
from esteio.limit._store import Answered
from esteio.policy import (
    CallRejected,
    CircuitBreaker,
    Deadline,
    DeadlineExceeded,
    Pipeline,
    Registry,
    Retry,
    deadline,
)
from esteio.testing import ManualClock, VirtualClock, recorded_events, run_virtual

PER_SECOND = Limit(1, 1, name="per second")


class Remote(Answered):
    """A store that has to be awaited, and takes its time."""

    remote = True

    def __init__(self, clock: VirtualClock, takes: float) -> None:
        super().__init__(MemoryStore(clock=clock))
        self.takes = takes

    async def decide(self, hits: Any, *, charge: bool) -> Any:
        await asyncio.sleep(self.takes)
        return await super().decide(hits, charge=charge)


def waiting(pipe: Pipeline) -> object:
    return pipe.snapshot().policies[-1].values["waiting"]


def test_a_call_without_room_is_not_made_and_says_when_it_could_be() -> None:
    clock, calls = ManualClock(), list[int]()
    pipe = Pipeline("mail", RateLimit(Limit(2, 60)), clock=clock, registry=None)
    pipe.call(calls.append, 1)
    clock.advance(10)
    pipe.call(calls.append, 2)
    with (
        recorded_events() as seen,
        pytest.raises(RateLimited, match=r"rate limit 'mail': 2 per 60 s is used up") as told,
    ):
        pipe.call(calls.append, 3)
    assert (told.value.retry_after, told.value.waited, calls) == (50, 0, [1, 2])
    assert CallRejected("mail", "ratelimit") in seen
    clock.advance(50)
    pipe.call(calls.append, 4)
    assert (calls, pipe.snapshot().policies[0].values) == ([1, 2, 4], {"waiting": 0, "rejected": 1})


def test_a_call_waits_for_its_place_and_is_charged_once() -> None:
    clock = ManualClock()
    pipe = Pipeline("mail", RateLimit(PER_SECOND, wait=5), clock=clock, registry=None)
    for _ in range(4):
        pipe.call(lambda: None)
    assert clock.slept == [1, 1, 1]


def test_a_wait_that_could_not_end_in_time_is_refused_at_once() -> None:
    clock = ManualClock()
    pipe = Pipeline("mail", RateLimit(Limit(1, 60), wait=30), clock=clock, registry=None)
    pipe.call(lambda: None)
    with pytest.raises(RateLimited) as told:
        pipe.call(lambda: None)
    clock.advance(31)
    with deadline.within(10, clock), pytest.raises(RateLimited):
        pipe.call(lambda: None)  # 29 s are within the wait, but not within the deadline
    assert (told.value.retry_after, clock.slept) == (60, [])
    with deadline.within(0, clock), pytest.raises(DeadlineExceeded):
        pipe.call(lambda: None)
    pipe.call(lambda: None)
    assert clock.slept == [29]


def test_a_cost_that_can_never_pass_is_refused_for_good() -> None:
    pipe = Pipeline("mail", RateLimit(Limit(5, 1), wait=60, cost=len), clock=ManualClock(), registry=None)

    @pipe
    def send(letters: str) -> str:
        return letters

    assert send("abc") == "abc"
    with pytest.raises(RateLimited, match="can never pass") as told:
        send("abcdef")
    assert told.value.retry_after is None


def test_waiters_are_served_in_order_and_newcomers_do_not_overtake() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("mail", RateLimit(PER_SECOND, wait=60), clock=clock, registry=None)
        order: list[tuple[float, int]] = []

        async def work(number: int) -> None:
            order.append((round(clock.monotonic(), 6), number))

        async def later(number: int) -> None:
            await asyncio.sleep(2 + number / 100)
            await pipe.call(work, number)

        await asyncio.gather(*(pipe.call(work, number) for number in range(5)), *(later(n) for n in (5, 6)))
        assert order == [(float(n), n) for n in range(5)] + [(5.0, 5), (6.0, 6)]
        assert waiting(pipe) == 0

    run_virtual(main)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_waiter_that_is_cancelled_leaves_its_place_to_the_next_and_was_not_charged(place: int) -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("mail", RateLimit(PER_SECOND, wait=60), clock=clock, registry=None)
        done: list[int] = []

        async def work(number: int) -> None:
            done.append(number)

        await pipe.call(work, -1)
        tasks = [asyncio.create_task(_as_coroutine(pipe.call(work, number))) for number in range(3)]
        await asyncio.sleep(0.5)
        tasks[place].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[place], asyncio.CancelledError)
        assert done == [-1, *(number for number in range(3) if number != place)]
        assert clock.monotonic() == pytest.approx(2)
        assert waiting(pipe) == 0

    run_virtual(main)


async def _as_coroutine(awaitable: Coroutine[Any, Any, Any]) -> Any:
    return await awaitable


def test_no_more_than_the_queue_wait_and_those_behind_wait_no_longer_than_they_may() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("mail", RateLimit(PER_SECOND, wait=2.5, queue=4), clock=clock, registry=None)
        calls = [asyncio.create_task(_as_coroutine(pipe.call(asyncio.sleep, 0))) for _ in range(7)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [type(None)] * 3 + [RateLimited] * 4
        assert [each.waited for each in results[3:]] == [pytest.approx(2)] * 2 + [0.0] * 2  # type: ignore[union-attr]
        assert clock.monotonic() == pytest.approx(2)  # a second more would be too late
        assert waiting(pipe) == 0

    run_virtual(main)


def test_a_deadline_that_passes_in_line_ends_the_wait() -> None:
    async def main(clock: VirtualClock) -> None:
        inner = Pipeline("mail", RateLimit(PER_SECOND, wait=60), clock=clock, registry=None)
        first = [asyncio.create_task(_as_coroutine(inner.call(asyncio.sleep, 0))) for _ in range(4)]
        await asyncio.sleep(0.1)
        with deadline.within(1.5, clock), pytest.raises(DeadlineExceeded):
            await inner.call(asyncio.sleep, 0)
        assert clock.monotonic() == pytest.approx(1.6)
        await asyncio.gather(*first)
        assert waiting(inner) == 0

    run_virtual(main)


def test_each_key_has_its_own_allowance_and_line() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("mail", RateLimit(PER_SECOND, wait=60, key=lambda who: who), clock=clock, registry=None)

        @pipe
        async def work(who: str) -> float:
            return clock.monotonic()

        times = await asyncio.gather(*(work(who) for who in "aabba"))
        assert times == [pytest.approx(each) for each in (0, 1, 0, 1, 2)]

    run_virtual(main)


def test_several_limits_are_charged_together_or_not_at_all() -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    burst, total = Limit(2, 1, name="burst"), Limit(3, 60, name="total")
    pipe = Pipeline("mail", RateLimit((burst, total), wait=5, store=store), clock=clock, registry=None)
    for _ in range(3):
        pipe.call(lambda: None)
    assert clock.slept == [1]
    with pytest.raises(RateLimited) as told:
        pipe.call(lambda: None)
    assert told.value.limit == total
    clock.advance(1)
    assert SyncRateLimiter(store, clock=clock).peek("mail", burst).remaining == 2


def test_a_store_that_is_awaited_keeps_the_order_and_is_asked_by_the_first_alone() -> None:
    async def main(clock: VirtualClock) -> None:
        store = Remote(clock, takes=0.01)
        pipe = Pipeline("mail", RateLimit(PER_SECOND, wait=60, store=store), clock=clock, registry=None)
        order: list[int] = []

        async def work(number: int) -> None:
            order.append(number)

        async def call(number: int) -> None:
            await asyncio.sleep(number / 10)
            await pipe.call(work, number)

        await asyncio.gather(*(call(number) for number in range(5)))
        assert order == list(range(5))
        with pytest.raises(LimitError, match="answers at once"):
            pipe(lambda: None)

    run_virtual(main)


def test_threads_and_tasks_wait_in_one_line() -> None:
    limit = Limit(10, 0.1)
    pipe = Pipeline("mail", RateLimit(limit, wait=60), registry=None)
    passed: list[str] = []

    def in_threads(number: int) -> None:
        for _ in range(5):
            pipe.call(passed.append, f"thread {number}")

    async def in_tasks() -> None:
        async def work() -> None:
            passed.append("task")

        await asyncio.gather(*(pipe.call(work) for _ in range(20)))

    threads = [threading.Thread(target=in_threads, args=(number,)) for number in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    asyncio.run(in_tasks())
    for thread in threads:
        thread.join(30)
    assert sorted(passed) == sorted(["task"] * 20 + [f"thread {n}" for n in range(4) for _ in range(5)])
    assert time.monotonic() - began >= 0.3  # 40 calls, 10 in any tenth of a second
    assert waiting(pipe) == 0


def test_in_a_pipeline_a_refusal_is_no_failure_and_is_tried_again_when_it_may_be() -> None:
    clock = ManualClock()
    pipe = Pipeline(
        "mail",
        Deadline(10),
        Retry(attempts=3, idempotent=True),
        CircuitBreaker(failures=1),
        RateLimit(Limit(1, 2)),
        clock=clock,
        registry=None,
    )
    assert [pipe.call(lambda: "sent") for _ in range(2)] == ["sent", "sent"]
    assert clock.monotonic() >= 2
    assert pipe.circuit.state.value == "closed"


def test_limits_are_changed_live_and_shared_by_name() -> None:
    clock, registry = ManualClock(), Registry()
    one = Pipeline("one", RateLimit(Limit(1, 60, name="q"), name="quota"), clock=clock, registry=registry)
    two = Pipeline("two", RateLimit(Limit(1, 60, name="q"), name="quota"), clock=clock, registry=registry)
    one.call(lambda: None)
    with pytest.raises(RateLimited):
        two.call(lambda: None)
    two.reconfigure(RateLimit(Limit(3, 60, name="q"), name="quota"))
    one.call(lambda: None)
    assert "RateLimit" in one.explain()
    with pytest.raises(ValueError, match="can't be replaced"):
        two.reconfigure(RateLimit(Limit(3, 60, name="q"), name="quota", store=MemoryStore()))


def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(RateLimited("mail", Limit(1, 60), 3.0, 0.5)))
    assert (error.name, error.limit, error.retry_after, error.waited) == ("mail", Limit(1, 60), 3.0, 0.5)
    assert str(error) == "rate limit 'mail': 1 per 60 s is used up, waited 0.500 s, not called; try in 3.000 s"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limit": 5}, "limit=5"),
        ({"limit": ()}, r"limit=\(\)"),
        ({"wait": -1}, "wait=-1"),
        ({"wait": float("nan")}, "wait=nan"),
        ({"queue": -1}, "queue=-1"),
        ({"key": ""}, "key=''"),
        ({"key": 7}, "key=7"),
        ({"cost": 0}, "cost=0"),
        ({"cost": 1.5}, "cost=1.5"),
    ],
)
def test_a_parameter_that_cannot_work_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        RateLimit(**{"limit": Limit(1, 1), **settings})
