"""A load asks at its rate whatever becomes of the requests, and forgets none."""

from __future__ import annotations

import asyncio

import pytest

from esteio.testing.load import Load


async def test_every_request_is_accounted_for_and_the_shares_are_kept() -> None:
    async def good() -> None:
        await asyncio.sleep(0)

    async def bad() -> None:
        raise KeyError

    async with Load(500, {"good": (0.75, good), "bad": (0.25, bad)}) as load:
        async with asyncio.timeout(20):
            while len(load.answers) < 100:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
    assert load.under_way == 0
    share = len(load.failed) / len(load.answers)
    assert 0.2 <= share <= 0.3
    assert load.errors() == {"KeyError": len(load.failed)}
    assert {answer.kind for answer in load.failed} == {"bad"}


async def test_it_goes_on_asking_while_nothing_is_answered_and_what_is_too_much_fails() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async with Load(1000, {"never": (1.0, never)}, outstanding=10, patience=0.01) as load:
        async with asyncio.timeout(20):
            while len(load.answers) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert load.under_way == 10
    assert load.under_way == 0
    assert load.errors()["OverflowError"] >= 5
    assert load.errors()["CancelledError"] == 10
    assert load.first_success_after(0.0) is None


async def test_the_first_success_after_a_moment_is_told() -> None:
    loop = asyncio.get_running_loop()
    healed = loop.time() + 0.2

    async def request() -> None:
        if loop.time() < healed:
            raise ConnectionError

    async with Load(200, {"request": (1.0, request)}) as load:
        await asyncio.sleep(0.5)
    after = load.first_success_after(load.answers[0].asked)
    assert after is not None
    assert after >= 0.15
    assert load.longest() < 5.0
    assert load.failed[0].took == pytest.approx(0.0, abs=1.0)
