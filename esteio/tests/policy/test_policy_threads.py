"""Threads, forks, and a hundred thousand tasks: no counter lost, no permit leaked, memory given back."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from esteio import Bulkhead, CircuitBreaker, CircuitOpen, Deadline, LoadShedder, Pipeline, Retry, RetryBudget, Timeout
from esteio.testing import ManualClock


@pytest.fixture
def busy_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("busy_switching")
def test_threads_run_at_the_same_time_through_one_breaker() -> None:
    pipe = Pipeline("dep", CircuitBreaker(), registry=None)
    together = threading.Barrier(4, timeout=10)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(pipe.call, together.wait) for _ in range(4)]:
            done.result()


@pytest.mark.usefixtures("busy_switching")
def test_no_result_and_no_permit_is_lost_between_threads() -> None:
    policies = (
        LoadShedder(100),
        Retry(2, 0.0, idempotent=True, budget=RetryBudget(1.0, 1000)),
        CircuitBreaker(failures=10**9),
        Bulkhead(4, queue=100, wait=30),
    )
    pipe = Pipeline("dep", *policies, registry=None)
    running = most = 0
    lock = threading.Lock()

    @pipe
    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            if number % 7 == 0:
                raise OSError(number)
            return number
        finally:
            with lock:
                running -= 1

    def many(start: int) -> int:
        good = 0
        for number in range(start, start + 500):
            try:
                good += work(number) == number
            except OSError:
                continue
        return good

    with ThreadPoolExecutor(8) as pool:
        good = sum(pool.map(many, range(0, 4000, 500)))
    failing = len([number for number in range(4000) if number % 7 == 0])
    states = {policy.kind: policy.values for policy in pipe.snapshot().policies}
    assert good == 4000 - failing
    assert most <= 4
    assert (states["bulkhead"]["taken"], states["bulkhead"]["waiting"]) == (0, 0)
    assert states["shedder"]["running"] == 0
    assert states["breaker"]["passed"] == good
    assert states["breaker"]["failed"] == failing * 2


@pytest.mark.usefixtures("busy_switching")
def test_half_open_admits_one_thread() -> None:
    clock = ManualClock()
    pipe = Pipeline("dep", CircuitBreaker(failures=1), clock=clock, registry=None)
    for _ in range(20):
        pipe.circuit.reset()
        permit = pipe.circuit.permit()
        permit.failure(OSError())
        clock.advance(100)
        together, admitted = threading.Barrier(8, timeout=10), []

        def probe(together: threading.Barrier = together, admitted: list[object] = admitted) -> None:
            together.wait()
            try:
                admitted.append(pipe.circuit.permit())
            except CircuitOpen:
                return

        threads = [threading.Thread(target=probe) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(admitted) == 1


def in_child(check: str, pipe: Pipeline) -> int:
    """Fork, run the check in the child, and return its exit code."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = 1
        signal.alarm(10)  # a child that waits for a lock nobody holds must not wait for ever
        try:
            code = 0 if CHECKS[check](pipe) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def breaker_works(pipe: Pipeline) -> bool:
    for _ in range(5):
        pipe.circuit.permit().failure(OSError())
    return pipe.circuit.state == "open"


def slots_are_free(pipe: Pipeline) -> bool:
    return pipe.call(lambda: True) and pipe.snapshot().policies[-1].values["taken"] == 0


def loops_work(pipe: Pipeline) -> bool:
    async def hang() -> None:
        await asyncio.sleep(10)

    try:
        asyncio.run(pipe.call(hang))
    except TimeoutError:
        return True
    return False


CHECKS = {"breaker": breaker_works, "bulkhead": slots_are_free, "timeout": loops_work}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform can't fork")
def test_a_fork_in_the_middle_of_another_threads_call_leaves_the_child_usable() -> None:
    pipe = Pipeline("dep", CircuitBreaker(), registry=None)
    with pipe.circuit._lock:  # as another thread would hold it at the moment of the fork
        assert in_child("breaker", pipe) == 0
    full = Pipeline("full", Bulkhead(1), registry=None)
    inside, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=full.call, args=(lambda: (inside.set(), end.wait()),))
    thread.start()
    inside.wait()
    assert in_child("bulkhead", full) == 0
    end.set()
    thread.join()
    assert full.snapshot().policies[-1].values["taken"] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform can't fork")
def test_timeouts_work_in_the_child_of_a_process_that_used_them() -> None:
    pipe = Pipeline("dep", Timeout(0.05), registry=None)
    asyncio.run(pipe.call(asyncio.sleep, 0))
    assert in_child("timeout", pipe) == 0


def test_a_hundred_thousand_concurrent_calls_leave_nothing_behind() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    async def main() -> tuple[int, int]:
        pipe = Pipeline(
            "dep",
            Deadline(60),
            Retry(3, idempotent=True),
            CircuitBreaker(),
            Bulkhead(1000, queue=100_000, wait=50),
            Timeout(50),
            registry=None,
        )
        guarded = pipe(work)
        await asyncio.gather(*(guarded() for _ in range(1000)))
        gc.collect()
        before = len(gc.get_objects())
        gc.disable()  # a hundred thousand live coroutines make each collection slow
        try:
            await asyncio.gather(*(guarded() for _ in range(100_000)))
        finally:
            gc.enable()
        await asyncio.sleep(0.01)  # the loop drops its cancelled timers when it runs the next time
        gc.collect()
        after = len(gc.get_objects())
        loop = asyncio.get_running_loop()
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert len(timers) <= 2
        assert len(asyncio.all_tasks()) == 1
        values = pipe.snapshot().policies
        assert (values[3].values["taken"], values[3].values["waiting"], values[3].values["rejected"]) == (0, 0, 0)
        assert values[4].values["running"] == 0
        return before, after

    before, after = asyncio.run(main())
    assert after - before < 1000
