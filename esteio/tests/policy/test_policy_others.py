"""Fallback, Cache, LoadShedder, Hedge: each documented rule."""

import asyncio
from typing import Any

import pytest

from esteio import Cache, Fallback, Hedge, LoadShed, LoadShedder, Pipeline, Policy, Priority, Retry, RetryBudget
from esteio.policy import FallbackUsed, Hedged, StaleServed, priority
from esteio.testing import ManualClock, VirtualClock, flaky, recorded_events, run_virtual


def pipe_of(policy: Policy, clock: Any = None) -> Pipeline:
    return Pipeline("dep", policy, clock=clock or ManualClock(), registry=None)


# -- fallback


async def test_a_fallback_answers_named_errors_and_no_others() -> None:
    error = OSError()
    pipe = pipe_of(Fallback("plan b", on=OSError))
    with recorded_events() as seen:
        assert pipe.call(flaky(error)) == "plan b"
    assert seen == [FallbackUsed("dep", error)]
    assert await pipe.call(flaky(error).asynchronous) == "plan b"
    for other in (ValueError, asyncio.CancelledError, KeyboardInterrupt):
        with pytest.raises(other):
            pipe.call(flaky(other))


async def test_a_fallback_function_gets_the_error_and_may_be_async_around_async_only() -> None:
    async def later(error: Exception) -> str:
        return f"async {error}"

    assert pipe_of(Fallback(using=lambda error: str(error))).call(flaky(OSError("a"))) == "a"
    assert await pipe_of(Fallback(using=later)).call(flaky(OSError("a")).asynchronous) == "async a"
    with pytest.raises(TypeError, match="is async but the function is not"):
        pipe_of(Fallback(using=later)).call(flaky(1))
    with pytest.raises(ValueError, match="two things"):
        Fallback("value", using=str)


def test_a_failing_fallback_raises_its_own_error_in_the_context_of_the_first() -> None:
    def broken(_error: Exception) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        pipe_of(Fallback(using=broken)).call(flaky(OSError("first")))
    assert isinstance(caught.value.__context__, OSError)


# -- cache


async def test_the_last_good_answer_is_given_while_the_call_fails_and_not_longer_than_stale() -> None:
    clock = ManualClock()
    pipe = pipe_of(Cache(stale=60), clock)
    error = OSError()
    dep = flaky("answer", error)
    guarded = pipe(dep.asynchronous)
    assert await guarded("k") == "answer"
    clock.advance(60)
    with recorded_events() as seen:
        assert await guarded("k") == "answer"
    assert seen == [StaleServed("dep", 60, error)]
    with pytest.raises(OSError):  # noqa: PT011
        await guarded("other")
    clock.advance(1)
    with pytest.raises(OSError):  # noqa: PT011
        await guarded("k")


def test_a_fresh_answer_needs_no_call_and_the_cache_is_bounded() -> None:
    clock = ManualClock()
    pipe = pipe_of(Cache(stale=60, fresh=10, size=2), clock)
    dep = flaky(1, 2, 3, 4, 5)
    guarded = pipe(dep)
    assert [guarded("a"), guarded("a"), guarded("b"), guarded("c"), guarded("a")] == [1, 1, 2, 3, 4]
    clock.advance(11)
    assert guarded("c") == 5
    assert pipe.snapshot().policies[0].values["kept"] == 2


def test_functions_and_arguments_do_not_mix_and_keys_can_be_chosen() -> None:
    pipe = pipe_of(Cache(fresh=10))
    one, two = pipe(flaky("one")), pipe(flaky("two"))
    assert (one(1), two(1)) == ("one", "two")
    by_key = pipe_of(Cache(fresh=10, key=lambda _client, cep: cep))(flaky(1, 2))
    assert (by_key(object(), "x"), by_key(object(), "x")) == (1, 1)
    unhashable = pipe_of(Cache(fresh=10))(flaky(1, 2))
    assert (unhashable([]), unhashable([])) == (1, 2)


# -- load shedder


def test_the_less_important_is_refused_first() -> None:
    load = 0.0
    pipe = pipe_of(LoadShedder(signal=lambda: load))

    def passes(level: Priority) -> bool:
        with priority(level):
            try:
                return bool(pipe.call(lambda: True))
            except LoadShed:
                return False

    served = {}
    for load in (0.4, 0.6, 0.9, 0.97, 1.0):
        served[load] = [level.name for level in Priority if passes(level)]
    assert served == {
        0.4: ["BACKGROUND", "NORMAL", "HIGH", "CRITICAL"],
        0.6: ["NORMAL", "HIGH", "CRITICAL"],
        0.9: ["HIGH", "CRITICAL"],
        0.97: ["CRITICAL"],
        1.0: [],
    }


async def test_calls_under_way_are_load() -> None:
    pipe = pipe_of(LoadShedder(10))
    tasks = [asyncio.create_task(pipe.call(asyncio.sleep, 0.01)) for _ in range(10)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, LoadShed) for result in results] == [False] * 8 + [True] * 2
    assert "limit 0.80 of priority normal" in str(results[-1])
    assert pipe.snapshot().policies[0].values == {"running": 0, "shed": 2}


# -- hedge


def test_a_slow_call_gets_a_second_copy_and_the_first_answer_wins() -> None:
    async def main(clock: VirtualClock) -> None:
        ended = []

        async def work(number: int) -> int:
            try:
                await asyncio.sleep(10 if number == 1 else 0.5)
            finally:
                ended.append(number)
            return number

        numbers = iter([1, 2, 3])
        pipe = pipe_of(Hedge(1.0, extra=2, idempotent=True), clock)
        with recorded_events() as seen:
            assert await pipe.acall(lambda: work(next(numbers))) == 2
        assert clock.monotonic() == pytest.approx(1.5)
        assert sorted(ended) == [1, 2]  # the loser was cancelled and waited for
        assert seen == [Hedged("dep", 2)]

    run_virtual(main)


def test_a_failing_copy_leaves_the_answer_to_the_others_and_the_first_error_is_raised_when_all_fail() -> None:
    async def main(clock: VirtualClock) -> None:
        async def work(seconds: float, error: Exception | None) -> str:
            await asyncio.sleep(seconds)
            if error:
                raise error
            return "ok"

        pipe = pipe_of(Hedge(1.0, idempotent=True), clock)
        copies = iter([(3.0, None), (0.5, OSError("second"))])
        assert await pipe.acall(lambda: work(*next(copies))) == "ok"
        copies = iter([(3.0, OSError("first")), (1.0, OSError("second"))])
        with pytest.raises(OSError, match="first"):
            await pipe.acall(lambda: work(*next(copies)))

    run_virtual(main)


def test_hedges_are_paid_from_the_retry_budget() -> None:
    async def main(clock: VirtualClock) -> None:
        budget = RetryBudget(0.01, 0.2, 10)
        pipe = Pipeline(
            "dep",
            Retry(3, 0.1, idempotent=True, budget=budget),
            Hedge(1.0, idempotent=True, budget=budget),
            clock=clock,
            registry=None,
        )
        await asyncio.gather(*(pipe.call(asyncio.sleep, 5) for _ in range(10)))
        assert pipe.snapshot().policies[1].values["started"] == 2

    run_virtual(main)


def test_a_loser_that_ignores_its_cancellation_is_watched_to_its_end() -> None:
    async def main(clock: VirtualClock) -> None:
        async def stubborn(first: bool) -> str:
            try:
                await asyncio.sleep(10 if first else 0.1)
            except asyncio.CancelledError:
                await asyncio.sleep(20)
                raise OSError("nobody wants to know") from None
            return "ok"

        copies = iter([True, False])
        pipe = pipe_of(Hedge(1.0, idempotent=True, reap=2.0), clock)
        assert await pipe.acall(lambda: stubborn(next(copies))) == "ok"
        assert clock.monotonic() == pytest.approx(3.1)
        assert pipe.snapshot().policies[0].values["reaping"] == 1
        await asyncio.sleep(30)
        assert pipe.snapshot().policies[0].values["reaping"] == 0

    run_virtual(main)


def test_hedging_is_refused_for_plain_functions_and_for_what_may_not_run_twice() -> None:
    with pytest.raises(TypeError, match="coroutine functions only"):
        pipe_of(Hedge(1.0, idempotent=True))(lambda: 1)
    with pytest.raises(ValueError, match="never hedged"):
        Hedge(1.0, idempotent=False)
