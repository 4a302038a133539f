"""The table of the peers' cases names tests that exist; and cases of theirs that no other file holds."""

import asyncio
import re
import threading
from itertools import islice
from pathlib import Path

import pytest

from esteio import CircuitBreaker, Fallback, Hedge, Pipeline, Retry, Timeout
from esteio.policy import Exponential
from esteio.testing import VirtualClock, flaky, run_virtual

HERE = Path(__file__).parent
TABLE = (HERE.parents[2] / "docs/explanation/policy-peers.md").read_text(encoding="utf-8")


def test_every_row_names_tests_that_exist() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    defined = set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))
    rows = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith("| rule ")]
    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.split("|")[-2])
        assert named, row
        assert set(named) <= defined, set(named) - defined


def test_exponential_waits_do_not_overflow_after_thousands_of_attempts() -> None:
    assert next(islice(Exponential(0.1, 10, cap=5), 5000, None)) == 5


def test_one_retry_serves_many_threads_at_once() -> None:
    pipe = Pipeline("dep", Retry(3, 0.0, idempotent=True, budget=None), registry=None)
    together = threading.Barrier(8)
    results: list[object] = []

    def work() -> None:
        dep = flaky(OSError, OSError, threading.get_ident())
        guarded = pipe(dep)
        together.wait(30)
        results.append((guarded() == threading.get_ident(), dep.calls))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [(True, 3)] * 8


def test_a_timeout_around_a_retry_is_not_spent_on_a_wait_that_it_would_cut() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Timeout(1), Retry(3, 5.0, jitter="none", idempotent=True), clock=clock, registry=None)
        with pytest.raises(OSError, match="why"):
            await pipe.call(flaky(OSError("why")).asynchronous)
        assert clock.monotonic() == 0

    run_virtual(main)


def test_an_answer_in_time_starts_no_copy() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", Hedge(1.0, idempotent=True), clock=clock, registry=None)
        await pipe.call(asyncio.sleep, 0.9)
        assert pipe.snapshot().policies[0].values["started"] == 0

    run_virtual(main)


async def test_a_fallback_does_not_answer_a_cancellation() -> None:
    pipe = Pipeline("dep", Fallback("answer"), registry=None)
    task = asyncio.create_task(pipe.call(asyncio.sleep, 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(KeyboardInterrupt):
        pipe.call(flaky(KeyboardInterrupt))


def test_a_breaker_around_a_fallback_sees_its_answers() -> None:
    pipe = Pipeline("dep", CircuitBreaker(failures=1), Fallback("answer"), registry=None)
    assert pipe.call(flaky(OSError)) == "answer"
    assert pipe.circuit.state == "closed"
