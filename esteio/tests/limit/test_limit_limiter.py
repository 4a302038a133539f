"""What both limiters promise, whichever algorithm decides."""

import pytest

from esteio.limit import Hit, Limit, MemoryStore, RateLimiter, SyncRateLimiter
from esteio.testing import ManualClock

NAMES = ("window", "counter", "gcra", "fixed")


@pytest.fixture(params=NAMES)
def limit(request: pytest.FixtureRequest) -> Limit:
    return Limit(5, 60, algorithm=request.param, name="five")


def test_exactly_the_rate_passes_at_once(limit: Limit) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)))
    decisions = [limiter.hit("key", limit) for _ in range(8)]
    assert [bool(each) for each in decisions] == [True] * 5 + [False] * 3
    assert [each.remaining for each in decisions] == [4, 3, 2, 1, 0, 0, 0, 0]


async def test_the_limiter_for_coroutines_decides_the_same(limit: Limit) -> None:
    limiter = RateLimiter(MemoryStore(clock=ManualClock(100)))
    assert [bool(await limiter.hit("key", limit)) for _ in range(8)] == [True] * 5 + [False] * 3


async def test_a_denied_group_charges_nothing(limit: Limit) -> None:
    limiter = RateLimiter(MemoryStore(clock=ManualClock(100)))
    assert await limiter.hit_all([Hit("a", limit, 2), Hit("b", limit, 5)])
    decisions = await limiter.hit_all([Hit("a", limit), Hit("b", limit)])
    assert not decisions
    assert decisions.tightest.key == "b"
    assert [each.remaining for each in decisions] == [3, 0]
    assert (await limiter.peek("a", limit)).remaining == 3
