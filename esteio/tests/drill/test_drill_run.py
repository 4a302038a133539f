"""A drill of a small system in this process: an honest one, and each way in which a dishonest one is found out."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import replace

import pytest

from esteio.drill import Fault, Invalid, Ledger, Route, Timing, WrongAnswer, drill

TIMING = Timing(
    calm=0.3, phase=0.05, proof=0.2, look=0.02, stalled_after=0.4, second=0.2, settled=0.1, longest_calm=0.6
)


class Shop:
    """Stores what it is told, while it is up."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.rows: Counter[str] = Counter()
        self.up = True
        self.forgets = self.doubles = self.lies = False
        self.notice: float | None = None

    def routes(self) -> list[Route]:
        return [Route("read", 100, self.read, 1.0), Route("write", 50, self.write, 1.0, write=True)]

    async def read(self, _: int) -> None:
        self._answer()
        if self.lies:
            raise WrongAnswer("the list of another city")

    async def write(self, _: int) -> None:
        key = self.ledger.begin()
        self._answer()
        if not self.forgets:
            self.rows[key] += 2 if self.doubles else 1
        self.ledger.acknowledge(key)

    def _answer(self) -> None:
        if not self.up:
            raise ConnectionRefusedError("down")

    async def stored(self) -> Counter[str]:
        return self.rows

    async def unwell(self) -> str | None:
        return None if self.up else "down"

    async def told(self, since: float) -> float | None:
        return self.notice if self.notice and self.notice >= since else None

    def down(self) -> Fault[Shop]:
        return Fault("down", "It is down", _down, _is_down, _up, lasts=0.3, patience=8)


async def _down(shop: Shop) -> None:
    shop.up = False
    shop.notice = time.monotonic() + 0.1


async def _up(shop: Shop) -> None:
    shop.up, shop.forgets, shop.doubles, shop.lies = True, False, False, False


async def _is_down(shop: Shop) -> bool:
    return not shop.up


async def _was_told(shop: Shop) -> bool:
    return shop.notice is not None and shop.notice <= time.monotonic()


async def one(shop: Shop, fault: Fault[Shop]):
    (run,) = [each async for each in drill(shop, [fault], rounds=1, timing=TIMING, rng=random.Random(7))]
    return run


async def test_an_outage_is_measured_detected_told_and_its_writes_are_looked_up() -> None:
    shop = Shop()
    run = await one(shop, shop.down())
    assert run.valid, run
    assert run.measured is not None
    assert 20 <= run.measured.lost <= 150
    assert 0 < run.measured.unknown < run.measured.lost
    assert 0.25 < run.measured.mttr < 2.0
    assert run.after_heal == max(0.0, run.measured.mttr - run.healed_after)
    assert run.page_after is not None
    assert run.page_after < 1.0
    assert run.said == "down"
    assert run.alert_after == pytest.approx(0.1, abs=0.05)
    assert run.ledger.holds
    assert run.errors == {"ConnectionRefusedError: down": run.measured.lost}
    assert sum(run.seconds[0].values()) > 100


def _becomes(name: str) -> Fault[Shop]:
    async def inject(shop: Shop) -> None:
        setattr(shop, name, True)

    async def proves(shop: Shop) -> bool:
        return bool(getattr(shop, name))

    return Fault(name, name, inject, proves, _up, lasts=0.3, patience=0.1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("forgets", Invalid.LOST_WRITES), ("doubles", Invalid.DOUBLED_WRITES), ("lies", Invalid.WRONG)],
)
async def test_a_service_that_acknowledges_and_forgets_writes_twice_or_answers_wrong_is_found_out(name, reason) -> None:
    run = await one(Shop(), _becomes(name))
    assert run.invalid == (reason,)
    assert run.why


async def test_a_fault_that_does_not_take_a_stalled_generator_and_a_failed_step_are_invalid_and_healed() -> None:
    async def nothing(_: Shop) -> None:
        pass

    async def stall(_: Shop) -> None:
        time.sleep(1.0)  # noqa: ASYNC251 - the generator's own loop stands still

    async def fails(_: Shop) -> None:
        raise PermissionError("not root")

    async def never(_: Shop) -> bool:
        return False

    async def at_once(_: Shop) -> bool:
        return True

    shop = Shop()
    assert (await one(shop, Fault("none", "none", nothing, never, patience=0.1))).invalid == (Invalid.NO_EFFECT,)
    stalled = await one(shop, Fault("stall", "stall", stall, at_once, patience=0.1))
    assert Invalid.STALLED in stalled.invalid
    shop.up = True
    healed = asyncio.Event()

    async def heal(_: Shop) -> None:
        healed.set()

    failed = await one(shop, Fault("fails", "fails", fails, at_once, heal))
    assert (failed.invalid, failed.why) == ((Invalid.FAILED,), "PermissionError: not root")
    assert healed.is_set()


async def test_an_expensive_fault_has_fewer_rounds_and_a_fault_ends_when_it_is_noticed_and_each_step_says_its_time() -> (
    None
):
    shop = Shop()
    dear = replace(shop.down(), name="dear", rounds=1, lasts=60.0, until=_was_told)
    began = time.monotonic()
    runs = [each async for each in drill(shop, [dear, shop.down()], rounds=2, timing=TIMING, rng=random.Random(7))]
    took = time.monotonic() - began
    assert [run.fault for run in runs] == ["dear", "down", "down"]
    assert all(run.valid for run in runs), runs
    assert set(runs[0].steps) == {"between", "prepare", "calm", "proof", "lasts", "heal", "recovery", "look-up"}
    assert runs[0].steps["lasts"] < 30
    told = sum(sum(run.steps.values()) for run in runs)
    assert told <= took
    assert told > took / 2


async def test_a_round_has_each_fault_once_and_the_same_one_comes_again_only_after_a_while() -> None:
    shop = Shop()
    struck: list[float] = []

    async def strike(broken: Shop) -> None:
        struck.append(time.monotonic())
        await _down(broken)

    one_of_two = replace(shop.down(), name="one", inject=strike)
    timing = replace(TIMING, apart=2.0)
    faults = [one_of_two, shop.down()]
    runs = [each async for each in drill(shop, faults, rounds=2, timing=timing, rng=random.Random(7))]
    assert [run.fault for run in runs] == ["one", "down", "one", "down"]
    assert struck[1] - struck[0] >= 2.0
    alone = [each async for each in drill(shop, [one_of_two], rounds=2, timing=timing, rng=random.Random(7))]
    assert [run.valid for run in alone] == [True, True]
    assert struck[3] - struck[2] >= 2.0


async def test_what_is_broken_already_proves_nothing() -> None:
    shop = Shop()
    shop.up = False
    run = await one(shop, Fault("down", "down", _down, _is_down, patience=0.1))
    assert Invalid.UNWELL_BEFORE in run.invalid
    assert run.why == "ConnectionRefusedError: down"


async def test_interrupted_it_heals_first() -> None:
    shop = Shop()
    broken = asyncio.create_task(one(shop, Fault("down", "down", _down, _is_down, _up, lasts=60)))
    async with asyncio.timeout(20):
        while shop.up:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    broken.cancel()
    with pytest.raises(asyncio.CancelledError):
        await broken
    assert shop.up
