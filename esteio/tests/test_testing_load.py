"""A load asks at its rate whatever becomes of the requests, and forgets none."""

from __future__ import annotations

import asyncio

from esteio.testing.load import Load


async def test_every_request_is_accounted_for() -> None:
    async def request(number: int) -> None:
        await asyncio.sleep(0)
        if number % 4 == 0:
            raise KeyError(number)

    async with Load(request, 500) as load:
        async with asyncio.timeout(20):
            while len(load.answers) < 100:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
    assert load.under_way == 0
    assert sorted(answer.number for answer in load.answers) == list(range(load.sent))
    assert sorted(error.args[0] for error in load.failures) == list(range(0, load.sent, 4))
    assert load.errors() == {"KeyError": len(load.failures)}


async def test_it_goes_on_asking_while_nothing_is_answered_and_what_is_too_much_fails() -> None:
    async def never(_: int) -> None:
        await asyncio.Event().wait()

    async with Load(never, 1000, outstanding=10, patience=0.01) as load:
        async with asyncio.timeout(20):
            while len(load.answers) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert load.under_way == 10
    assert load.under_way == 0
    assert load.errors()["OverflowError"] >= 5
    assert load.errors()["CancelledError"] == 10
    assert load.first_success_after(0.0) == float("inf")


async def test_the_first_success_after_a_moment_is_told() -> None:
    loop = asyncio.get_running_loop()
    healed = loop.time() + 0.2

    async def request(_: int) -> None:
        if loop.time() < healed:
            raise ConnectionError

    async with Load(request, 200) as load:
        async with asyncio.timeout(20):
            while load.first_success_after(0.0) == float("inf"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    began = load.answers[0].asked
    assert load.first_success_after(began) >= 0.15
    assert load.first_success_after(began, among=lambda _: False) == float("inf")
    assert load.slowest >= 0.0
