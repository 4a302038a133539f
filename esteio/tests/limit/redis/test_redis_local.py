"""What is decided without Redis: by shares of what was left, owed, and never twice the limit. No Redis, no waiting."""

import random
from typing import Any

import pytest

pytest.importorskip("hiredis")

from esteio.limit import Hit, Limit
from esteio.limit._algorithms import State
from esteio.limit.redis._local import Epoch, Local, Memory
from esteio.limit.redis._membership import Membership
from esteio.limit.redis._script import Mode, Unit

ALGORITHMS = ("window", "counter", "gcra", "fixed")
DAY = 86_400
NOW = 1_000_000_000_000
EPOCH = Epoch()


class Instance:
    """One of several that share a Redis, which here is one state."""

    def __init__(self, most: int = 1000) -> None:
        self.memory = Memory(100)
        self.local = Local(most, self.memory)

    def hear(self, limit: Limit, remaining: int, reset: int, now: int) -> None:
        self.memory.young["k"] = (limit, remaining, reset, now)

    def hit(self, limit: Limit, count: int, now: int, cost: int = 1) -> bool:
        return bool(self.local.decide([Hit("k", limit, cost)], ["k"], True, "gone", count, now, EPOCH)[0])


def charged(state: State, unit: Unit, now: int) -> State:
    """What the script does with a charge."""
    _, limit, cost = unit.hits[0]
    return () if unit.mode == Mode.RESET else limit.rule.charge(state, now, cost, limit, unit.age_us)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", range(25))
def test_no_key_gets_more_than_the_limit_and_the_share_error_and_all_of_it_is_charged(
    algorithm: Any, seed: int
) -> None:
    rnd = random.Random(f"{algorithm} {seed}")
    count = rnd.randint(1, 6)
    limit = Limit(rnd.randint(count, 60), DAY, algorithm=algorithm)
    instances = [Instance() for _ in range(count)]
    left = [limit.rate] * count  # as each instance heard last
    state: State = ()
    now, total = NOW, 0
    for _ in range(rnd.randint(0, limit.rate * 2)):  # Redis decides
        now += rnd.randint(0, 1000)
        mine = rnd.choice(range(rnd.randint(1, count)))  # some have more to do than others
        state, allowed, left[mine], reset, _ = limit.decide(state, now, 1)
        instances[mine].hear(limit, left[mine], reset, now)
        total += allowed
    stale = sum(each - (limit.rate - total) for each in left)
    for _ in range(limit.rate * 4):  # all of them are cut off
        now += rnd.randint(0, 1000)
        total += rnd.choice(instances).hit(limit, count, now)
    rounding = sum(0 < each < count for each in left)  # a part of less than one is one
    assert total <= limit.rate + stale / count + rounding
    assert total <= limit.rate * (1 + (count - 1) / count) + rounding
    if count == 1:
        assert total <= limit.rate
    for each in instances:  # and back
        for charge in each.local.charges(lambda _: True):
            for unit in charge.units(now):
                state = charged(state, unit, now)
        list(each.local.sweep(EPOCH))
        assert len(each.local) == 0
    assert limit.decide(state, now, 0)[2] == max(0, limit.rate - total)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_was_used_is_free_again_when_redis_said(algorithm: Any) -> None:
    limit = Limit(10, 100, algorithm=algorithm)
    state: State = ()
    state, _, remaining, reset, _ = limit.decide(state, NOW, 10)
    instance = Instance()
    instance.hear(limit, remaining, reset, NOW)
    assert not instance.hit(limit, 1, NOW + 1)
    assert not instance.hit(limit, 1, NOW + reset - 1, cost=10)
    assert instance.hit(limit, 1, NOW + reset + 1, cost=10)


def test_a_share_is_at_least_one_and_a_cost_above_it_waits_but_is_not_impossible() -> None:
    limit = Limit(3, DAY)
    local = Local(1000, Memory(10))
    assert local.decide([Hit("a", limit)], ["a"], True, "gone", 8, NOW, EPOCH)[0]
    second = local.decide([Hit("a", limit)], ["a"], True, "gone", 8, NOW, EPOCH)[0]
    assert (bool(second), second.reason, second.degraded) == (False, "gone", True)
    wide = local.decide([Hit("b", limit, 2)], ["b"], True, "gone", 8, NOW, EPOCH)[0]
    assert not wide
    assert not wide.impossible
    assert wide.retry_after
    never = local.decide([Hit("b", limit, 4)], ["b"], True, "gone", 8, NOW, EPOCH)[0]
    assert never.impossible


def test_open_passes_and_is_owed_closed_denies_and_its_group_charges_nothing() -> None:
    opened, closed, local_ = (Limit(5, DAY, name=name, on_failure=name) for name in ("open", "closed", "local"))  # type: ignore[arg-type]
    local = Local(1000, Memory(10))
    for _ in range(9):
        assert local.decide([Hit("k", opened)], ["open"], True, "slow", 1, NOW, EPOCH)[0]
    hits = [Hit("k", opened), Hit("k", local_), Hit("k", closed)]
    assert [bool(each) for each in local.decide(hits, ["open", "local", "closed"], True, "slow", 1, NOW, EPOCH)] == [
        1,
        1,
        0,
    ]
    assert local.decide(hits[2:], ["closed"], True, "slow", 1, NOW, EPOCH)[0].retry_after == 1.0
    charges = {charge.name: charge.cost for charge in local.charges(lambda _: True)}
    assert charges == {"open": 5}  # never more than the limit: it would be denied for longer than it says


def test_a_reset_is_owed_too_and_a_refund_is_owed_less() -> None:
    limit = Limit(5, DAY)
    local = Local(1000, Memory(10))
    hit = Hit("k", limit, 2)
    local.decide([hit], ["k"], True, "gone", 1, NOW, EPOCH)
    local.reset(hit, "k", 1, NOW, EPOCH)
    local.decide([hit], ["k"], True, "gone", 1, NOW, EPOCH)
    local.refund(Hit("k", limit, 1), "k", 1, NOW, EPOCH)
    (charge,) = local.charges(lambda _: True)
    assert [unit.mode for unit in charge.units(NOW)] == [Mode.RESET, Mode.CHARGE]
    assert charge.cost == 1


def test_a_charge_that_redis_was_not_told_is_pending_again_and_counts_here() -> None:
    limit = Limit(5, DAY)
    local = Local(1000, Memory(10))
    local.decide([Hit("k", limit, 3)], ["k"], True, "gone", 1, NOW, EPOCH)
    (charge,) = local.charges(lambda _: True)
    local.take_back(charge, NOW, EPOCH)
    assert not local.decide([Hit("k", limit, 3)], ["k"], True, "gone", 1, NOW, EPOCH)[0]
    assert [each.cost for each in local.charges(lambda _: True)] == [3]


def test_keys_are_bounded_and_what_is_lost_by_that_is_counted() -> None:
    limit = Limit(5, DAY)
    local = Local(128, Memory(10))
    for number in range(1000):
        local.decide([Hit(f"k{number}", limit)], [f"k{number}"], True, "gone", 1, NOW, EPOCH)
    assert len(local) == 128
    assert local.forgotten == 1000 - 128


def test_the_memory_keeps_what_was_asked_for_lately_and_is_bounded() -> None:
    memory = Memory(100)
    limit = Limit(5, DAY)
    for number in range(10_000):
        memory.young[f"k{number}"] = (limit, 1, 1, NOW)
        memory.young["hot"] = (limit, 1, 1, NOW)
        memory.turn()
    assert memory.get("hot") is not None
    assert sum(memory.get(f"k{number}") is not None for number in range(10_000)) <= 110


def test_a_number_of_instances_that_falls_is_believed_only_after_a_while() -> None:
    instances = Membership(4, ttl=3.0)
    assert instances.count == 4
    assert (instances.heard(2, 0.0), instances.count) == (2, 2)  # the first word counts, whatever was assumed
    assert (instances.heard(5, 1.0), instances.count) == (5, 5)
    assert (instances.heard(1, 2.0), instances.count) == (1, 5)
    assert (instances.heard(3, 4.9), instances.count) == (3, 5)
    assert (instances.heard(3, 5.0), instances.count) == (3, 3)
