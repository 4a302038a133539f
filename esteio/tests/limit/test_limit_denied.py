"""Denials of a remote store are repeated from memory while they hold, and only those."""

import asyncio
from collections.abc import Sequence

import pytest

from esteio.limit import Decision, Hit, Limit, LimitError, MemoryStore, RateLimiter, SyncRateLimiter
from esteio.limit._decision import noted
from esteio.testing import ManualClock

TWO = Limit(2, 10, name="two")
MANY = Limit(100, 10, name="many")


class Remote:
    """A store one has to wait for, that counts how often it is asked."""

    remote = True

    def __init__(self, clock: ManualClock) -> None:
        self.store = MemoryStore(clock=clock)
        self.asked = 0
        self.late: asyncio.Event | None = None  # answers leave when it is set
        self.done: asyncio.Event | None = None  # what was given back is acknowledged when it is set

    async def decide(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        self.asked += 1
        decisions = self.store.decide_now(hits, charge=charge)
        if self.late is not None:
            await self.late.wait()
        return decisions

    async def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        self.store.refund_now(key, limit, cost)
        if self.done is not None:
            await self.done.wait()

    async def reset(self, key: str, limit: Limit) -> None:
        self.store.reset_now(key, limit)
        if self.done is not None:
            await self.done.wait()


class RemoteNow(MemoryStore):
    """The same for threads."""

    remote = True  # type: ignore[misc]
    asked = 0

    def hit_now(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        self.asked += 1
        return super().hit_now(key, limit, cost)


class House:
    def __init__(self, denied: int = 1_000) -> None:
        self.clock = ManualClock(100)
        self.remote = Remote(self.clock)
        self.limiter = RateLimiter(self.remote, denied=denied, clock=self.clock)

    async def asks(self, key: str, limit: Limit = TWO, cost: int = 1) -> bool:
        before = self.remote.asked
        await self.limiter.hit(key, limit, cost)
        return self.remote.asked > before


@pytest.fixture
def house() -> House:
    return House()


async def test_a_known_denial_is_not_asked_again_until_it_ends(house: House) -> None:
    assert [await house.asks("key") for _ in range(5)] == [True, True, True, False, False]
    house.clock.advance(9.9)
    decision = await house.limiter.hit("key", TWO)
    assert decision.retry_after == pytest.approx(0.1)
    assert decision.reset_after == pytest.approx(0.1)
    house.clock.advance(0.2)
    assert await house.asks("key")


async def test_a_denial_of_a_large_cost_says_nothing_about_a_small_one(house: House) -> None:
    await house.limiter.hit("key", MANY, 99)
    assert not await house.limiter.hit("key", MANY, 5)
    assert not await house.asks("key", MANY, 5)
    assert await house.asks("key", MANY, 1)
    assert (await house.limiter.peek("key", MANY)).remaining == 0


async def test_a_denial_of_another_key_or_limit_says_nothing(house: House) -> None:
    for _ in range(3):
        await house.limiter.hit("key", TWO)
    assert await house.asks("other", TWO)
    assert await house.asks("key", MANY)


async def test_a_limit_whose_rate_was_raised_is_asked_at_once(house: House) -> None:
    for _ in range(4):
        await house.limiter.hit("key", TWO)
    assert (await house.limiter.hit("key", Limit(3, 10, name="two"))).allowed


async def test_a_refund_and_a_reset_end_a_denial(house: House) -> None:
    for _ in range(3):
        await house.limiter.hit("key", TWO)
    await house.limiter.refund("key", TWO)
    assert (await house.limiter.hit("key", TWO)).allowed
    assert not await house.limiter.hit("key", TWO)
    await house.limiter.reset("key", TWO)
    assert (await house.limiter.hit("key", TWO)).allowed


@pytest.mark.parametrize("give_back", ["refund", "reset"])
async def test_who_is_cancelled_while_giving_back_leaves_no_denial_behind(house: House, give_back: str) -> None:
    for _ in range(3):
        await house.limiter.hit("key", TWO)
    house.remote.done = asyncio.Event()
    task = asyncio.create_task(getattr(house.limiter, give_back)("key", TWO))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await house.limiter.hit("key", TWO)  # the store had done it


async def test_a_denial_that_arrives_after_a_reset_is_not_repeated(house: House) -> None:
    for _ in range(2):
        await house.limiter.hit("key", TWO)
    house.remote.late = asyncio.Event()
    hit = asyncio.create_task(house.limiter.hit("key", TWO))
    group = asyncio.create_task(house.limiter.hit_all([Hit("key", TWO)]))
    for _ in range(2):
        await asyncio.sleep(0)
    assert house.remote.asked == 4
    await house.limiter.reset("key", TWO)
    house.remote.late.set()
    assert not await hit
    assert not await group
    assert await house.limiter.hit("key", TWO)
    assert await house.limiter.hit_all([Hit("key", TWO)])


async def test_what_can_never_pass_is_said_by_the_store(house: House) -> None:
    decision = await house.limiter.hit("key", TWO, 3)
    assert (decision.allowed, decision.impossible, decision.retry_after) == (False, True, None)
    assert await house.asks("key", TWO, 3)


async def test_a_denied_group_is_not_asked_again_until_it_ends(house: House) -> None:
    group = [Hit("key", TWO), Hit("all", MANY)]
    for _ in range(2):
        assert await house.limiter.hit_all(group)
    denied = await house.limiter.hit_all(group)
    house.clock.advance(4)
    again = await house.limiter.hit_all(group)
    assert house.remote.asked == 3
    assert (again.allowed, again.tightest.key) == (False, "key")
    assert again.tightest.retry_after == pytest.approx(6)
    assert [each.allowed for each in again] == [each.allowed for each in denied] == [False, True]
    await house.limiter.reset("key", TWO)
    assert await house.limiter.hit_all(group)


async def test_a_group_with_a_limit_that_was_raised_is_asked_at_once(house: House) -> None:
    for _ in range(3):
        await house.limiter.hit_all([Hit("key", TWO), Hit("all", MANY)])
    assert await house.limiter.hit_all([Hit("key", Limit(9, 10, name="two")), Hit("all", MANY)])


async def test_a_group_with_two_denials_stays_denied_until_the_last_ends(house: House) -> None:
    group = [Hit("a", Limit(1, 5)), Hit("b", Limit(1, 9))]
    await house.limiter.hit_all(group)
    await house.limiter.hit_all(group)
    house.clock.advance(6)
    again = await house.limiter.hit_all(group)
    assert [each.allowed for each in again] == [True, False]
    assert house.remote.asked == 2


async def test_the_number_of_denials_is_bounded() -> None:
    house = House(denied=10)
    for number in range(100):
        for _ in range(3):
            await house.limiter.hit(f"key {number}", TWO)
            await house.limiter.hit_all([Hit(f"group {number}", TWO)])
    assert len(house.limiter._denied) == 20
    assert not await house.asks("key 99")
    assert await house.asks("key 0")


async def test_none_are_kept_where_none_are_wanted() -> None:
    house = House(denied=0)
    assert [await house.asks("key") for _ in range(5)] == [True] * 5


async def test_a_long_key_is_known_by_its_hash(house: House) -> None:
    for _ in range(3):
        await house.limiter.hit("k" * 10_000, TWO)
    assert not await house.asks("k" * 10_000)
    assert await house.asks("k" * 10_001)
    assert max(len(key) for _, key in house.limiter._denied._known) < 40


@pytest.mark.parametrize(("key", "cost"), [("", 1), (b"key", 1), ("key", 0), ("key", 1.0), ("key", True)])
async def test_what_can_not_be_is_refused_before_the_store_is_asked(house: House, key: str, cost: int) -> None:
    with pytest.raises(LimitError):
        await house.limiter.hit(key, TWO, cost)
    assert house.remote.asked == 0


async def test_a_degraded_denial_is_not_repeated(house: House) -> None:
    denial = noted(((), False, 0, 10**7, 10**7), TWO, "key", 1, "redis is away")
    house.limiter._denied.note(denial, 0)
    house.limiter._denied.note_group([Hit("key", TWO)], [denial], 0)
    assert len(house.limiter._denied) == 0


def test_threads_are_spared_the_round_trip_too() -> None:
    clock = ManualClock(100)
    store = RemoteNow(clock=clock)
    limiter = SyncRateLimiter(store, clock=clock)
    assert [limiter.hit("key", TWO).allowed for _ in range(6)] == [True, True, False, False, False, False]
    assert store.asked == 3


@pytest.mark.parametrize("denied", [-1, 1.5, True])
def test_a_number_of_denials_that_is_none_is_refused(denied: int) -> None:
    with pytest.raises(LimitError, match="denied"):
        RateLimiter(denied=denied)


def test_a_store_that_has_to_be_awaited_is_refused_for_threads() -> None:
    with pytest.raises(LimitError, match=r"store=.*RateLimiter takes"):
        SyncRateLimiter(Remote(ManualClock()))  # type: ignore[arg-type]


@pytest.mark.parametrize("store", [RemoteNow(), object()], ids=["blocks", "is none"])
def test_a_store_that_would_block_the_loop_is_refused_for_coroutines(store: object) -> None:
    with pytest.raises(LimitError, match=r"store=.*SyncRateLimiter takes"):
        RateLimiter(store)  # type: ignore[arg-type]
