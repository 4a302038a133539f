"""One timer against one for each limit, under random traffic: failures, hangs, cancellations, live changes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from esteio import Bulkhead, CircuitBreaker, Deadline, Pipeline, Policy, Retry, RetryBudget, Timeout
from esteio.policy import deadline
from esteio.policy._functions import call_async
from esteio.policy.pipeline._pipeline import guard_async
from esteio.testing import VirtualClock, run_virtual

PARTS: dict[str, Policy] = {
    "deadline": Deadline(6.0),
    "retry": Retry(3, 0.531, idempotent=True, jitter="none", budget=RetryBudget(0.5, 2, 10)),
    "breaker": CircuitBreaker(failures=3, successes=1, open_for=2.017, jitter=0),
    "bulkhead": Bulkhead(2, queue=2, wait=1.013),
    "timeout": Timeout(2.003),
}


@dataclass(frozen=True)
class Call:
    start: int
    attempts: tuple[tuple[int, str], ...]  # duration, end
    cancel_after: int | None


ATTEMPT = st.tuples(st.integers(0, 3000), st.sampled_from(["ok", "ok", "error", "business", "stubborn"]))
CALLS = st.lists(
    st.builds(
        Call,
        start=st.integers(0, 9000),
        attempts=st.lists(ATTEMPT, min_size=1, max_size=3).map(tuple),
        cancel_after=st.none() | st.integers(1, 5000),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda call: call.start,
)


async def work(duration: float, end: str) -> str:
    try:
        await asyncio.sleep(duration)
    except asyncio.CancelledError:
        if end == "stubborn":
            return "stubborn"
        raise
    if end == "error":
        raise OSError("down")
    if end == "business":
        raise LookupError("no such thing")
    return "ok"


def traffic(kinds: list[str], calls: list[Call], own_timers: bool) -> Any:
    made = [0] * len(calls)

    async def main(clock: VirtualClock) -> Any:
        policies = [PARTS[kind] for kind in PARTS if kind in kinds]
        pipe = Pipeline("dep", *policies, clock=clock, random=lambda: 0.5, registry=None)
        through = guard_async(pipe._bounds, call_async, own_timers=own_timers)
        await through(asyncio.sleep, 0)

        async def one(number: int, call: Call) -> tuple[str, float]:
            async def attempt() -> str:
                duration, end = call.attempts[min(made[number], len(call.attempts) - 1)]
                made[number] += 1
                return await work(duration / 1000 + number * 1e-5, end)

            await asyncio.sleep(call.start / 1000 + number * 1e-6)
            try:
                end = str(await through(attempt))
            except asyncio.CancelledError:
                end = "cancelled"
            except Exception as error:  # noqa: BLE001 - compared as text
                end = f"{error!r} {error} {getattr(error, '__notes__', '')}"
            assert deadline.remaining() is None
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == (1 if end == "cancelled" else task.cancelling())
            return end, round(clock.monotonic(), 3)

        tasks = []
        for number, call in enumerate(calls):
            task = asyncio.create_task(one(number, call))
            tasks.append(task)
            if call.cancel_after is not None:
                asyncio.get_running_loop().call_later((call.start + call.cancel_after) / 1000 + 5e-7, task.cancel)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1
        for policy in pipe.snapshot().policies:
            for key in ("running", "taken", "waiting"):
                assert policy.values.get(key, 0) == 0
        return [repr(end) for end in ends], made, pipe.snapshot()

    return run_virtual(main)


@settings(max_examples=150, deadline=None)
@given(kinds=st.lists(st.sampled_from(list(PARTS)), min_size=1, max_size=5, unique=True), calls=CALLS)
def test_one_timer_and_one_for_each_limit_agree_under_random_traffic(kinds: list[str], calls: list[Call]) -> None:
    assert traffic(kinds, calls, own_timers=False) == traffic(kinds, calls, own_timers=True)
