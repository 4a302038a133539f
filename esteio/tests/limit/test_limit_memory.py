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


@pytest.mark.timeout(240)
def test_a_million_distinct_keys_stay_within_the_bound() -> None:
    store = MemoryStore(max_keys=10_000)
    for number in range(1_000_000):
        store.hit_now(str(number), FIVE)
        if number % 50_000 == 0:
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
    with store._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if store.hit_now("key", FIVE).remaining == 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("max_keys", [0, -1, 7, 1.5, True, "many"])
def test_a_bound_that_is_none_is_refused(max_keys: object) -> None:
    with pytest.raises(LimitError, match="max_keys"):
        MemoryStore(max_keys)  # type: ignore[arg-type]
