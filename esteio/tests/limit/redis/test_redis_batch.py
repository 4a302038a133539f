"""Batches on their way: whose time it is that passes."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("hiredis")

from esteio.limit import Hit, Limit
from esteio.limit.redis._batch import FULL_IN_FLIGHT, Batches
from esteio.limit.redis._connection import answered
from esteio.limit.redis._errors import RedisFailure
from esteio.limit.redis._local import Memory
from esteio.limit.redis._script import Unit

WAIT = 0.3
BOUND = 30.0  # seconds that a busy machine may take


class Unanswered:
    """A connection to a server that says nothing."""

    def send(self, payload: bytes, receive: Callable[[Any], None]) -> None:
        pass


def unit(number: int) -> Unit:
    made = Unit((Hit(f"user {number}", Limit(10, 60), 1),), (f"name {number}",))
    made.future = asyncio.get_running_loop().create_future()
    return made


async def test_time_for_which_the_loop_did_not_run_is_neither_redis_nor_the_queues() -> None:
    lost: list[RedisFailure] = []
    late: list[Unit] = []
    failed = asyncio.Event()

    def on_failure(failure: RedisFailure) -> None:
        lost.append(failure)
        batches.drain()
        failed.set()

    batches = Batches(
        Memory(10), lambda: 0, on_failure, lambda units: None, late.append, most=1, wait=WAIT, declared=True
    )
    batches.connection = Unanswered()  # type: ignore[assignment]
    for number in range(FULL_IN_FLIGHT + 2):  # two have to wait behind the others
        batches.add(unit(number))
    await asyncio.sleep(0)
    assert len(batches) == 2
    time.sleep(1.5 * WAIT)  # noqa: ASYNC251 - this is the loop standing still
    for _ in range(4):  # of each turn at most an eighth of the time is counted, however slow the machine is
        await asyncio.sleep(0)
    assert (lost, late) == ([], [])
    async with asyncio.timeout(BOUND):
        await failed.wait()
    assert [each.reason for each in lost] == ["slow"]


async def test_a_look_that_raises_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()
    calls: list[RedisFailure] = []

    def on_failure(failure: RedisFailure) -> None:
        calls.append(failure)
        if len(calls) == 1:
            raise LookupError("a defect")
        batches.drain()
        failed.set()

    batches = Batches(
        Memory(10), lambda: 0, on_failure, lambda units: None, lambda unit: None, most=1, wait=0.02, declared=True
    )
    batches.connection = Unanswered()  # type: ignore[assignment]
    batches.add(unit(1))
    async with asyncio.timeout(BOUND):
        await failed.wait()
    assert "a defect" in caplog.text


async def test_an_answer_that_came_while_the_loop_stood_still_is_in_time() -> None:
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    loop.call_soon(time.sleep, 2 * WAIT)
    loop.call_later(WAIT / 2, answer.set_result, b"PONG")
    assert await answered(answer, WAIT) == b"PONG"
    with pytest.raises(TimeoutError, match="no answer within 1 ms"):
        await answered(loop.create_future(), 0.001)
