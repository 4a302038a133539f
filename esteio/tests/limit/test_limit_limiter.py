"""What both limiters promise, whichever algorithm decides."""

import copy
import pickle
from dataclasses import replace

import pytest

from esteio.limit import Hit, Limit, LimitDenied, LimitError, MemoryStore, RateLimiter, SyncRateLimiter
from esteio.testing import ManualClock, recorded_events

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


def test_a_cost_above_the_limit_is_denied_for_ever_and_said_so(limit: Limit) -> None:
    decision = SyncRateLimiter().hit("key", limit, 6)
    assert (decision.allowed, decision.impossible, decision.retry_after, decision.remaining) == (False, True, None, 5)


def test_a_burst_may_be_above_the_rate() -> None:
    limit = Limit(5, 60, algorithm="gcra", burst=8)
    decision = SyncRateLimiter(MemoryStore(clock=ManualClock(100))).hit("key", limit, 8)
    assert (decision.allowed, decision.remaining, decision.reset_after) == (True, 0, 96.0)


@pytest.mark.parametrize("key", ["é", "日本語", "\U0001f512" * 40, "\ud800", "\x00", " ", "k" * 10_240, "ç" * 10_240])
def test_any_text_is_a_key_of_its_own(limit: Limit, key: str) -> None:
    limiter = SyncRateLimiter()
    assert limiter.hit(key, limit).remaining == 4
    decision = limiter.hit(key, limit)
    assert (decision.remaining, decision.key) == (3, key)
    assert limiter.hit(key + "+", limit).remaining == 4
    limiter.refund(key, limit)
    limiter.reset(key, limit)
    assert limiter.peek(key, limit).remaining == 5


def test_a_long_key_takes_no_more_memory_than_a_short_one(limit: Limit) -> None:
    store = MemoryStore()
    store.hit_now("k" * 10_240, limit)
    store.hit_now("k" * 10_241, limit)
    assert [len(entry.key) for entry in store._ring] == [33, 33]


@pytest.mark.parametrize(
    ("key", "cost"), [("", 1), (b"key", 1), (None, 1), ("k", 0), ("k", -1), ("k", 1.0), ("k", True)]
)
async def test_a_key_or_cost_that_can_not_be_is_refused_by_every_method(limit: Limit, key: str, cost: int) -> None:
    limiter, coroutines = SyncRateLimiter(), RateLimiter()
    for method in (limiter.hit, limiter.peek, limiter.refund):
        with pytest.raises(LimitError):
            method(key, limit, cost)
    for each in (coroutines.hit, coroutines.peek, coroutines.refund):
        with pytest.raises(LimitError):
            await each(key, limit, cost)
    with pytest.raises(LimitError):
        limiter.hit_all([Hit("fine", limit), Hit(key, limit, cost)])
    assert limiter.peek("fine", limit).remaining == 5


@pytest.mark.parametrize("count", [0, 65])
def test_a_group_of_none_or_too_many_is_refused(limit: Limit, count: int) -> None:
    with pytest.raises(LimitError, match=r"hits='?.* hits'? can't be used; pass 1 to 64"):
        SyncRateLimiter().hit_all([Hit("key", limit)] * count)


def test_a_key_that_occurs_twice_in_a_group_is_charged_twice(limit: Limit) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)))
    assert limiter.hit_all([Hit("key", limit, 2), Hit("key", limit, 3)])
    limiter.reset("key", limit)
    assert not limiter.hit_all([Hit("key", limit, 3), Hit("key", limit, 3)])
    assert limiter.peek("key", limit).remaining == 5


def test_peek_says_what_a_hit_would_and_charges_nothing(limit: Limit) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)))
    limiter.hit("key", limit, 4)
    assert [limiter.peek("key", limit).remaining for _ in range(3)] == [1, 1, 1]
    assert not limiter.peek("key", limit, 2)
    assert limiter.hit("key", limit).allowed


def test_a_refund_never_leads_below_no_use(limit: Limit) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)))
    limiter.refund("key", limit)
    limiter.hit("key", limit)
    limiter.refund("key", limit, 5)
    assert limiter.peek("key", limit).remaining == 5


def test_limits_of_one_name_share_what_was_consumed_whatever_their_rate(limit: Limit) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)))
    for _ in range(4):
        limiter.hit("key", limit)
    assert limiter.hit("key", replace(limit, rate=8)).remaining == 3
    assert not limiter.hit("key", replace(limit, rate=3))
    assert limiter.hit("key", replace(limit, name="another")).remaining == 4


def test_in_shadow_mode_everything_is_counted_and_nothing_denied(limit: Limit) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)), shadow=True)
    decisions = [limiter.hit("key", limit) for _ in range(6)]
    assert [(each.allowed, each.shadow) for each in decisions] == [(True, False)] * 5 + [(True, True)]
    assert decisions[-1].retry_after
    group = limiter.hit_all([Hit("key", limit), Hit("other", limit)])
    assert (group.allowed, [each.shadow for each in group]) == (True, [True, False])
    assert group.tightest.shadow


def test_a_denial_is_told_without_its_key(limit: Limit) -> None:
    limiter = SyncRateLimiter()
    with recorded_events() as events:
        for _ in range(6):
            limiter.hit("192.0.2.1", limit)
    (event,) = events
    assert isinstance(event, LimitDenied)
    assert (event.name, event.cost, event.degraded, event.shadow) == ("five", 1, False, False)
    assert "192.0.2.1" not in repr(event)


def test_the_tightest_of_a_group_is_the_denial_that_lasts_longest() -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock(100)))
    short, long = Limit(1, 5), Limit(1, 50)
    limiter.hit_all([Hit("a", short), Hit("a", long)])
    assert limiter.hit_all([Hit("a", long), Hit("a", short), Hit("b", short)]).tightest.limit is long
    assert limiter.hit_all([Hit("a", long), Hit("a", short, 2)]).tightest.impossible
    assert limiter.hit_all([Hit("c", Limit(9, 5)), Hit("d", Limit(3, 5))]).tightest.limit.rate == 3


def test_a_decision_can_not_be_changed_and_says_all_it_knows(limit: Limit) -> None:
    decision = SyncRateLimiter().hit("key", limit).because("redis is away")
    with pytest.raises(AttributeError):
        decision.allowed = False  # type: ignore[misc]
    assert decision.degraded
    assert repr(decision).startswith("<Decision allowed: key='key' limit='five' cost=1 remaining=4 reset_after=")
    assert "degraded: redis is away" in repr(decision)
    assert (decision.retry_us, decision.reset_us) == (0, round(decision.reset_after * 1_000_000))


def test_decisions_that_say_the_same_are_equal_and_survive_pickling_and_copying(limit: Limit) -> None:
    clock = ManualClock()
    one, two = (SyncRateLimiter(MemoryStore(clock=clock)) for _ in range(2))
    first, second = one.hit("key", limit), two.hit("key", limit)
    assert first == second
    assert hash(first) == hash(second)
    assert first != two.hit("key", limit)
    assert first != first.because("away")
    assert first != "key"
    denial = [one.hit("key", limit, 9), one.hit("key", limit, 9).in_shadow(), first.because("redis is away")]
    for decision in (first, *denial):
        for again in (pickle.loads(pickle.dumps(decision)), copy.deepcopy(decision)):
            assert (again, repr(again), again.shadow, again.reason) == (
                decision,
                repr(decision),
                decision.shadow,
                decision.reason,
            )
