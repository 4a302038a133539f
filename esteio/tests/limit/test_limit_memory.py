"""Limits in memory: bounded, the stale go first, and no thread gets more than another."""

import gc
import os
import threading
import tracemalloc

import pytest
from traffic import NAMES

from esteio.limit import Hit, Limit, LimitError, MemoryStore, SyncRateLimiter
from esteio.testing import ManualClock

FIVE = Limit(5, 60, name="five")


DISTINCT = int(os.environ.get("ESTEIO_LIMIT_KEYS", "200000"))  # `make rounds`: a million


@pytest.mark.timeout(240)
def test_many_more_distinct_keys_than_the_bound_stay_within_it() -> None:
    store = MemoryStore(max_keys=10_000)
    for number in range(DISTINCT):
        store.hit_now(str(number), FIVE)
        if number % 10_000 == 0:
            assert len(store) <= 10_000
    gc.collect()
    tracemalloc.start()
    for number in range(40_000):
        store.hit_now(f"again {number}", FIVE)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 10_000 * 600  # bytes: what took the place of others


def test_a_stale_key_goes_before_one_that_counts() -> None:
    clock = ManualClock(100)
    store = MemoryStore(max_keys=100, clock=clock)
    for number in range(50):
        store.hit_now(f"short {number}", Limit(5, 1))
    for number in range(50):
        store.hit_now(f"long {number}", FIVE)
    clock.advance(2)
    for number in range(25):
        store.hit_now(f"new {number}", FIVE)
    remaining = [store.decide_now([Hit(f"long {n}", FIVE)], charge=False)[0].remaining for n in range(50)]
    assert remaining == [4] * 50


def test_where_all_count_the_soonest_to_be_stale_goes() -> None:
    store = MemoryStore(max_keys=8, clock=ManualClock(100))
    for number in range(7):
        store.hit_now(f"long {number}", FIVE)
    store.hit_now("short", Limit(5, 1))
    store.hit_now("new", FIVE)
    assert all(store.decide_now([Hit(f"long {n}", FIVE)], charge=False)[0].remaining == 4 for n in range(7))


def test_keys_that_are_stale_are_dropped_as_others_come() -> None:
    clock = ManualClock(100)
    store = MemoryStore(max_keys=100_000, clock=clock)
    for number in range(1_000):
        store.hit_now(f"old {number}", Limit(5, 1))
    clock.advance(10)
    for number in range(1_000):
        store.hit_now(f"new {number}", FIVE)
    assert len(store) == 1_000


def test_a_hit_that_is_only_looked_at_takes_no_place() -> None:
    store = MemoryStore()
    store.decide_now([Hit("a", FIVE), Hit("b", FIVE)], charge=False)
    assert len(store) == 0


@pytest.mark.parametrize("name", NAMES)
def test_threads_together_get_exactly_the_limit(name: str) -> None:
    limit = Limit(1_000, 3_600, algorithm=name)
    limiter = SyncRateLimiter()
    admitted = []

    def work() -> None:
        admitted.append(sum(limiter.hit("key", limit).allowed for _ in range(500)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 1_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_a_thread_decides_can_decide() -> None:
    store = MemoryStore()
    store.hit_now("key", FIVE)
    entry = store._ring[0]
    with store._lock:
        entry.pop()  # as another thread would that decides on it
        child = os.fork()
        if child == 0:
            known, new = store.hit_now("key", FIVE), store.hit_now("new", FIVE)
            os._exit(0 if (known.remaining, new.remaining) == (3, 4) else 1)
        entry.append(None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_an_interrupted_thread_held_is_free_again_with_what_was_used_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("esteio.limit._memory._LOST", 0.01)
    store = MemoryStore()
    store.hit_now("key", FIVE)
    store._ring[0].pop()  # a Ctrl-C right behind this
    assert store.hit_now("key", FIVE).remaining == 3
    store._ring[0].pop()
    assert [each.remaining for each in store.decide_now([Hit("key", FIVE), Hit("new", FIVE)], charge=True)] == [2, 4]
    store._ring[0].pop()
    store.refund_now("key", FIVE)
    assert store.decide_now([Hit("key", FIVE)], charge=False)[0].remaining == 3


def test_a_group_of_more_keys_than_there_is_room_for_is_decided_and_the_bound_holds() -> None:
    store = MemoryStore(8)
    decisions = store.decide_now([Hit(f"key {number}", FIVE) for number in range(64)], charge=True)
    assert all(each.remaining == 4 for each in decisions)
    assert len(store) == 8
    assert store.hit_now("another", FIVE).remaining == 4


def test_threads_that_push_each_other_out_lose_no_hit_of_a_key_that_stays_in_use() -> None:
    store, limit, other = MemoryStore(64), Limit(4_000, 3_600, name="stays"), Limit(1, 0.001, name="goes")
    admitted: list[int] = []

    def work(thread: int) -> None:
        count = 0
        for number in range(1_000):
            count += store.hit_now("key", limit).allowed
            store.hit_now(f"{thread} {number}", other)  # unused again after a millisecond
            count += all(store.decide_now([Hit("key", limit), Hit(f"g {number % 7}", limit)], charge=True))
        admitted.append(count)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert sum(admitted) == 4_000
    assert len(store) <= 64
    assert all(entry == [None] for entry in store._ring)


@pytest.mark.parametrize("max_keys", [0, -1, 7, 1.5, True, "many"])
def test_a_bound_that_is_none_is_refused(max_keys: object) -> None:
    with pytest.raises(LimitError, match="max_keys"):
        MemoryStore(max_keys)  # type: ignore[arg-type]
