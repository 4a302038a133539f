"""Redis slow, gone, empty, read-only, full, loading, hung, cut, lying: every decision comes, says why, and is paid for."""

import asyncio
import contextlib
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("hiredis")

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from esteio.limit import Decision, Hit, Limit, LimitsDegraded, LimitsRestored, RateLimiter, SyncRateLimiter
from esteio.limit.redis import RedisStore, SyncRedisStore
from esteio.limit.redis._script import state_key
from esteio.testing import FlakyProxy, recorded_events
from esteio.testing.redis import RedisCluster, RedisServer, SentinelTrio
from esteio.testing.redis._server import wait_until

pytestmark = pytest.mark.fault

DAY = 86_400
# the budget is five times the default, since a busy machine may stand still for as long as Redis is given; an answer
# that comes too late is charged twice, so where that can happen the checks allow for less, never for more
QUICK = {"budget": 0.25, "ttl": 0.5, "retry_after": 0.05, "retry_max": 0.2}
SOON = 60.0  # seconds that a busy machine may take for what takes half a second


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FlakyProxy]:
    with FlakyProxy(("127.0.0.1", server.port)) as proxy:
        yield proxy


def url(proxy: FlakyProxy) -> str:
    host, port = proxy.address
    return f"redis://{host}:{port}"


async def until(reached: Callable[[], Awaitable[bool]], what: str) -> None:
    end = time.monotonic() + SOON
    while not await reached():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


async def asked(limiter: RateLimiter, limit: Limit) -> None:
    """Return when Redis decides."""

    async def is_asked() -> bool:
        return not (await limiter.peek("somebody", limit)).degraded

    await until(is_asked, "Redis is not asked again")


async def away(limiter: RateLimiter, limit: Limit) -> Decision:
    """The first decision that was not made by Redis."""
    found: list[Decision] = []

    async def is_away() -> bool:
        found.append(await limiter.peek("somebody", limit))
        return found[-1].degraded

    await until(is_away, "Redis is still asked")
    return found[-1]


def used(server: RedisServer, limit: Limit, key: str) -> bool:
    with server.client() as client:
        return bool(client.exists(state_key("esteio:limit:", key, limit)))


@pytest.fixture
async def limiter(make: Any, proxy: FlakyProxy) -> RateLimiter:
    limiter = RateLimiter(make(url(proxy), **QUICK), denied=0)
    await asked(limiter, Limit(10, DAY))
    return limiter


# -- one failure after the other: decided in time, with its reason, and back again


def slow(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.delay(0.5)


def frozen(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.freeze()


def swallowed(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.swallow("down")


def hung(server: RedisServer, proxy: FlakyProxy) -> None:
    server.pause()


def refused(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.stop()


def killed(server: RedisServer, proxy: FlakyProxy) -> None:
    server.kill()


def demoted(server: RedisServer, proxy: FlakyProxy) -> None:
    with server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")


def full(server: RedisServer, proxy: FlakyProxy) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1")


def cut_in_a_reply(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.cut_after(7)


def garbled(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.corrupt(1 << 20)


def garbled_requests(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.corrupt(1 << 20, "up")


def without_its_primary(server: RedisServer, proxy: FlakyProxy) -> None:
    with server.client() as client:
        client.config_set("replica-serve-stale-data", "no")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")


def loading(server: RedisServer, proxy: FlakyProxy) -> None:
    with server.client() as client:
        for number in range(40):
            client.set(f"ballast {number}", os.urandom(1 << 20))  # it looks up from loading every two megabytes
        client.config_set("rdbcompression", "no")
        client.config_set("key-load-delay", "80000")  # microseconds: more than three seconds in all
    threading.Thread(target=reload, args=(server,), daemon=True).start()
    with server.client() as client:
        wait_until(lambda: refuses(client), "the server loads")


def refuses(client: Redis) -> bool:
    try:
        client.exists("ballast 1")
    except BusyLoadingError:
        return True
    return False


def reload(server: RedisServer) -> None:
    with contextlib.suppress(RedisError, OSError), server.client() as client:
        client.execute_command("DEBUG", "RELOAD")


def mended(server: RedisServer, proxy: FlakyProxy) -> None:
    proxy.start()
    proxy.heal()
    server.resume()
    if not server.answers():
        server.restart()
    with server.client() as client:
        client.config_set("key-load-delay", "0")
        with contextlib.suppress(BusyLoadingError):
            wait_until(lambda: not client.info("persistence")["loading"], "the end of loading")
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.config_set("maxmemory", "0")


FAILURES: dict[Callable[[RedisServer, FlakyProxy], None], set[str]] = {
    slow: {"slow", "gone"},
    frozen: {"slow", "gone"},
    swallowed: {"slow", "gone"},
    hung: {"slow", "gone"},
    refused: {"gone"},
    killed: {"gone"},
    demoted: {"readonly"},
    without_its_primary: {"masterdown", "readonly"},
    loading: {"loading", "slow"},
    full: {"full"},
    cut_in_a_reply: {"gone", "slow"},
    garbled: {"corrupt", "gone", "slow", "error"},
    garbled_requests: {"corrupt", "gone", "slow", "error"},
}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
async def test_whatever_redis_does_decisions_come_say_why_and_are_charged_when_it_is_back(
    limiter: RateLimiter, server: RedisServer, proxy: FlakyProxy, failure: Callable[[RedisServer, FlakyProxy], None]
) -> None:
    limit = Limit(10, DAY)
    for _ in range(3):
        assert await limiter.hit("ana", limit)
    with recorded_events() as seen:
        await asyncio.to_thread(failure, server, proxy)
        took, reasons, admitted = [], set(), 0
        for _ in range(20):
            began = time.perf_counter()
            decision = await limiter.hit("ana", limit)
            took.append(time.perf_counter() - began)
            reasons.add(decision.reason)
            admitted += bool(decision)
        assert 5 <= admitted <= 7  # not one more than Redis had left
        closed = await limiter.hit("ben", Limit(10, DAY, name="closed", on_failure="closed"))
        opened = await limiter.hit("ben", Limit(1, DAY, name="open", on_failure="open"))
        assert (bool(closed), bool(opened), closed.degraded, opened.degraded) == (False, True, True, True)
        assert not (await limiter.hit_all([Hit("eva", limit), Hit("eva", Limit(9, DAY, on_failure="closed"))]))
        assert (await limiter.hit("eva", limit)).remaining in (8, 9)  # nothing was charged by the group
        assert reasons <= FAILURES[failure] | {""}
        assert max(took) < 1.0
        assert statistics.median(took) < 0.02  # away, a decision costs microseconds
        await asyncio.to_thread(mended, server, proxy)
        await asked(limiter, limit)
    assert (await limiter.peek("ana", limit)).remaining == 0
    assert (await limiter.peek("eva", limit)).remaining in (8, 9)
    assert not await limiter.hit("ben", Limit(1, DAY, name="open"))
    lost = [each for each in seen if isinstance(each, LimitsDegraded)]
    back = [each for each in seen if isinstance(each, LimitsRestored)]
    assert len(lost) >= len(back) >= 1
    assert lost[0].reason in FAILURES[failure]
    assert sum(each.carried for each in back) >= 2  # eva's and ben's at least


@pytest.mark.parametrize("algorithm", ["window", "counter", "gcra", "fixed"])
async def test_a_server_that_comes_back_empty_is_told_what_it_said(
    limiter: RateLimiter, server: RedisServer, algorithm: Any
) -> None:
    limit = Limit(10, DAY, algorithm=algorithm)
    await limiter.hit("ana", limit, 6)
    await asyncio.to_thread(server.kill)
    await away(limiter, limit)
    assert await limiter.hit("ana", limit, 3)
    await asyncio.to_thread(server.restart)
    await asked(limiter, limit)
    assert (await limiter.peek("ana", limit)).remaining == 1
    await asyncio.to_thread(server.restart)  # once more, with nothing decided here
    await asked(limiter, limit)
    assert (await limiter.peek("ana", limit)).remaining == 1


async def test_a_reset_while_redis_is_away_holds_when_it_is_back(limiter: RateLimiter, proxy: FlakyProxy) -> None:
    limit = Limit(3, DAY)
    await limiter.hit("ana", limit, 3)
    await asyncio.to_thread(proxy.stop)
    await away(limiter, limit)
    assert not await limiter.hit("ana", limit)
    await limiter.reset("ana", limit)
    assert await limiter.hit("ana", limit, 2)
    await limiter.refund("ana", limit)
    proxy.start()
    await asked(limiter, limit)
    assert (await limiter.peek("ana", limit)).remaining == 2


async def test_an_idle_connection_that_ends_is_replaced_and_nobody_notices(
    limiter: RateLimiter, proxy: FlakyProxy, server: RedisServer, make: Any
) -> None:
    patient = RateLimiter(make(url(proxy)))
    limit = Limit(100, DAY)
    await patient.hit("ana", limit)
    for _ in range(5):
        assert await asyncio.to_thread(proxy.cut)
        await asyncio.sleep(0.01)
        assert not (await patient.hit("ana", limit)).degraded
    assert (await patient.peek("ana", limit)).remaining == 94


async def test_one_of_many_waiting_callers_is_enough_to_find_out_and_none_waits_longer_than_the_budget(
    limiter: RateLimiter, proxy: FlakyProxy
) -> None:
    limit = Limit(1000, DAY)
    await asyncio.to_thread(proxy.freeze)
    began = time.perf_counter()
    decisions = await asyncio.gather(*(limiter.hit(f"user {n}", limit) for n in range(600)))  # three batches
    assert time.perf_counter() - began < 1.0
    assert all(each.degraded for each in decisions)
    await asyncio.to_thread(proxy.heal)


def test_threads_are_answered_while_redis_is_away_and_even_when_their_own_thread_is_stuck(server: RedisServer) -> None:
    store = SyncRedisStore(RedisStore(server.url, **QUICK))  # type: ignore[arg-type]
    limiter = SyncRateLimiter(store, denied=0)
    limit = Limit(10, DAY)
    end = time.monotonic() + SOON
    while limiter.hit("warm", Limit(10**6, DAY)).degraded:
        assert time.monotonic() < end
    assert limiter.hit("ana", limit, 4)
    server.kill()
    while not limiter.peek("ana", limit).degraded:
        assert time.monotonic() < end
    assert limiter.hit("ana", limit, 5)
    assert not limiter.hit("ana", limit, 5)
    server.restart()
    while limiter.peek("ana", limit).degraded:
        assert time.monotonic() < end
    assert limiter.peek("ana", limit).remaining == 1
    assert store._engine is not None
    store._patience = 0.05
    store._engine.loop.call_soon_threadsafe(time.sleep, 0.5)
    stuck = limiter.hit("ana", limit)
    assert (bool(stuck), stuck.reason) == (False, "busy")
    limiter.refund("ana", limit)
    limiter.reset("ana", limit)
    store._patience = SOON
    assert limiter.peek("ana", limit).remaining == 10  # what was asked for meanwhile was done
    store.close()


# -- instances


async def test_while_redis_is_away_each_of_three_instances_lets_its_share_pass_and_all_of_it_is_charged(
    make: Any, server: RedisServer, proxy: FlakyProxy
) -> None:
    limit, small = Limit(30, DAY), Limit(2, DAY)
    limiters = [RateLimiter(make(url(proxy), **{**QUICK, "ttl": 2.0}), denied=0) for _ in range(3)]
    stores: list[RedisStore] = [limiter.store for limiter in limiters]  # type: ignore[misc]
    for limiter in limiters:
        await asked(limiter, limit)

    async def all_seen() -> bool:
        for limiter in limiters:
            await limiter.peek("somebody", limit)
        return all(store.snapshot().nodes[0].instances == 3 for store in stores)

    await until(all_seen, "the instances do not see each other")
    await limiters[0].hit("ana", limit, 6)
    for limiter in limiters:
        assert await limiter.hit("ana", limit)  # so that all know what is left: 21, then 22 and 23
    await asyncio.to_thread(proxy.stop)
    passed = dict.fromkeys(("ana", "new", "small"), 0)
    for limiter in limiters:
        await away(limiter, limit)
        for key in passed:
            hits = [await limiter.hit(key, small if key == "small" else limit) for _ in range(30)]
            passed[key] += sum(map(bool, hits))
    assert passed == {"ana": 7 + 7 + 7, "new": 30, "small": 3}  # at least one each, even of two
    proxy.start()
    for limiter in limiters:
        await asked(limiter, limit)
    for limiter in limiters:
        assert (await limiter.peek("ana", limit)).remaining == 0
        assert (await limiter.peek("new", limit)).remaining == 0


async def test_who_is_back_first_waits_for_the_others_so_that_nothing_passes_twice(
    make: Any, server: RedisServer, proxy: FlakyProxy
) -> None:
    limit = Limit(10, DAY)
    settings = {**QUICK, "ttl": 20.0, "budget": 0.2}
    with FlakyProxy(("127.0.0.1", server.port)) as other:
        second, first = (RateLimiter(make(url(each), **settings), denied=0) for each in (other, proxy))
        for limiter in (second, first):  # in this order, so that the first has heard of both
            await asked(limiter, limit)
        await first.peek("ana", limit)
        await second.hit("ana", limit, 8)  # of this the first has not heard
        await asyncio.to_thread(other.stop)
        await asyncio.to_thread(server.kill)
        await away(first, limit)
        await asyncio.to_thread(server.restart)

        async def connected() -> bool:
            with server.client() as client:
                return bool(client.exists("esteio:limit:instances"))

        await until(connected, "the first is back")
        await asyncio.sleep(0.3)
        assert (await first.peek("ana", limit)).degraded  # connected, and waiting
        other.start()
        for limiter in (first, second):
            await asked(limiter, limit)
        assert (await first.peek("ana", limit)).remaining == 2


@pytest.mark.untimed
async def test_who_is_back_first_does_not_wait_for_ever(make: Any, server: RedisServer, proxy: FlakyProxy) -> None:
    limit = Limit(10, DAY)
    with FlakyProxy(("127.0.0.1", server.port)) as other:
        first, second = (RateLimiter(make(url(each), **QUICK), denied=0) for each in (proxy, other))
        for limiter in (first, second):
            await asked(limiter, limit)
        await asyncio.to_thread(other.stop)
        await asyncio.to_thread(server.restart)
        await asked(first, limit)


@pytest.mark.untimed
async def test_an_instance_that_ends_is_not_counted_any_more(make: Any, server: RedisServer) -> None:
    stores = [make(server.url, **{**QUICK, "budget": 5.0}) for _ in range(2)]
    limit = Limit(10, DAY)
    for store in stores:
        await asked(RateLimiter(store), limit)

    async def seen(count: int) -> bool:
        return bool(stores[0].snapshot().nodes[0].instances == count)

    await until(lambda: seen(2), "two instances")
    await stores[1].close()
    await until(lambda: seen(1), "one instance")


async def test_killed_and_returned_under_load_no_key_gets_more_than_the_stated_bound(
    make: Any, server: RedisServer
) -> None:
    limiters = [RateLimiter(make(server.url, **{**QUICK, "budget": 0.05}), denied=0) for _ in range(2)]
    rate, keys = 400, [f"key {n}" for n in range(5)]
    limit = Limit(rate, DAY)
    for limiter in limiters:
        await asked(limiter, limit)
    admitted = dict.fromkeys(keys, 0)
    took: list[float] = []
    end = False

    async def caller(limiter: RateLimiter, number: int) -> None:
        turn = number
        while not end:
            key = keys[turn % len(keys)]
            began = time.perf_counter()
            decision = await limiter.hit(key, limit)
            took.append(time.perf_counter() - began)
            admitted[key] += bool(decision)
            turn += 1
            await asyncio.sleep(0.02)

    callers = [asyncio.create_task(caller(limiter, number)) for limiter in limiters for number in range(8)]
    for _ in range(2):
        await asyncio.sleep(0.4)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(0.4)
        await asyncio.to_thread(server.restart)
        for limiter in limiters:
            await asked(limiter, limit)
    for limiter in limiters:
        for key in keys:
            while decision := await limiter.hit(key, limit):
                admitted[key] += decision.cost
    end = True
    await asyncio.gather(*callers)
    worst = max(admitted.values())
    took.sort()
    print(
        f"\n{len(took)} decisions, p99 {took[int(len(took) * 0.99)] * 1000:.1f} ms, worst {took[-1] * 1000:.1f} ms;"
        f" at most {worst} of {rate} admitted"
    )
    in_flight = len(callers)  # what was on its way when Redis died was decided here and may not have been told
    assert worst <= rate + in_flight * 2
    assert min(admitted.values()) >= rate * 0.5


# -- Sentinel and Cluster


async def test_sentinels_fail_over_and_limits_go_on_with_what_was_used(make: Any) -> None:
    limit = Limit(10, DAY)
    with SentinelTrio(password="secret") as trio:
        limiter = RateLimiter(make(trio.url, password="secret", **QUICK), denied=0)
        await asked(limiter, limit)
        await limiter.hit("ana", limit, 6)
        before = trio.primary
        before.kill()
        await away(limiter, limit)
        assert await limiter.hit("ana", limit, 3)

        async def failed_over() -> bool:
            return await asyncio.to_thread(trio.failed_over, before)

        await until(failed_over, "the failover")
        await asked(limiter, limit)
        assert (await limiter.peek("ana", limit)).remaining == 1
        assert used(trio.primary, limit, "ana")


async def test_a_server_the_sentinels_no_longer_name_is_left_although_it_answers(make: Any) -> None:
    limit = Limit(10, DAY)
    with SentinelTrio() as trio:
        limiter = RateLimiter(store := make(trio.url, **QUICK), denied=0)
        await asked(limiter, limit)
        before = trio.primary
        (session, _) = next(iter(store._sessions.values()))
        with RedisServer() as lonely:  # a primary of its own, as one that was cut off from the Sentinels would be
            session._primary = ("127.0.0.1", lonely.port)
            await away_or_back(session, before)
            assert not (await limiter.hit("ana", limit)).degraded


async def away_or_back(session: Any, primary: RedisServer) -> None:
    async def back() -> bool:
        return bool(session._primary == ("127.0.0.1", primary.port))

    await until(back, "the server the Sentinels name is asked again")


async def test_a_hung_primary_is_left_for_the_one_that_took_over(make: Any) -> None:
    limit = Limit(10, DAY)
    with SentinelTrio() as trio:
        limiter = RateLimiter(make(trio.url, **QUICK), denied=0)
        await asked(limiter, limit)
        await limiter.hit("ana", limit, 4)
        before = trio.primary
        before.pause()
        await away(limiter, limit)

        async def failed_over() -> bool:
            return await asyncio.to_thread(trio.failed_over, before)

        await until(failed_over, "the failover")
        before.resume()  # it still believes to be the primary
        await asked(limiter, limit)
        assert await limiter.hit("ana", limit)
        assert used(trio.primary, limit, "ana")


async def test_a_cluster_decides_by_shard_and_one_dead_shard_degrades_only_its_keys(make: Any) -> None:
    limit = Limit(10, DAY)
    with RedisCluster(password="secret") as cluster:
        limiter = RateLimiter(make(cluster.url, password="secret", **QUICK), denied=0)
        keys = [f"user {n}" for n in range(60)]

        async def all_asked() -> bool:
            return not any([(await limiter.peek(key, limit)).degraded for key in keys])

        await until(all_asked, "the cluster is asked")
        decisions = await asyncio.gather(*(limiter.hit(key, limit) for key in keys * 2))
        assert sorted(each.remaining for each in decisions) == [8] * 60 + [9] * 60
        group = [Hit("ana", limit), Hit("ana", Limit(5, DAY, name="other"))]
        assert await limiter.hit_all(group)  # one key, two limits: one slot
        with pytest.raises(ValueError, match="hash tag"):
            await limiter.hit_all([Hit("ana", limit), Hit("ben", limit)])
        assert await limiter.hit_all([Hit("{ana}:a", limit), Hit("{ana}:b", limit)])
        cluster.servers[0].kill()

        async def one_is_away() -> bool:
            return any([(await limiter.peek(key, limit)).degraded for key in keys])

        await until(one_is_away, "a shard is away")
        degraded = [(await limiter.hit(key, limit)).degraded for key in keys]
        assert 0 < sum(degraded) < 40
        cluster.servers[0].resume()


async def test_a_cluster_that_stands_still_because_a_node_is_down_costs_no_waiting(make: Any) -> None:
    limit = Limit(100, DAY)
    with RedisCluster(whole=True) as cluster:
        limiter = RateLimiter(make(cluster.url, **QUICK), denied=0)
        keys = [f"user {n}" for n in range(30)]

        async def all_asked() -> bool:
            return not any([(await limiter.peek(key, limit)).degraded for key in keys])

        await until(all_asked, "the cluster is asked")
        cluster.servers[1].kill()

        async def all_refused() -> bool:
            return {(await limiter.peek(key, limit)).reason for key in keys} <= {"gone", "masterdown"}

        await until(all_refused, "the cluster stands still")
        took = []
        for key in keys * 4:
            began = time.perf_counter()
            assert (await limiter.hit(key, limit)).degraded
            took.append(time.perf_counter() - began)
        assert statistics.median(took) < 0.005


async def test_a_cluster_that_is_away_from_the_start_costs_no_waiting(make: Any) -> None:
    limiter = RateLimiter(make("redis+cluster://127.0.0.1:1", **QUICK), denied=0)
    limit = Limit(5, DAY)
    await limiter.hit("ana", limit)
    took = []
    for _ in range(50):
        began = time.perf_counter()
        assert (await limiter.hit("ana", limit)).reason == "gone"
        took.append(time.perf_counter() - began)
    assert statistics.median(took) < 0.005


@pytest.mark.untimed
async def test_a_slot_that_moved_is_followed(make: Any) -> None:
    limit = Limit(10, DAY)
    with RedisCluster() as cluster:
        limiter = RateLimiter(make(cluster.url, budget=5.0), denied=0)
        await asked(limiter, limit)
        await limiter.hit("ana", limit, 3)
        name = state_key("esteio:limit:", "ana", limit)
        with cluster.servers[0].client() as client:
            slot = int(client.execute_command("CLUSTER", "KEYSLOT", name))  # type: ignore[arg-type]
        source = cluster.servers[slot * 3 // 16_384 if slot < 16_383 else 2]
        target = next(server for server in cluster.servers if server is not source)
        with source.client() as client, target.client() as other:
            here, there = (str(each.execute_command("CLUSTER", "MYID")) for each in (client, other))
            other.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", here)
            client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", there)
            client.execute_command("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
            for each in (other, client):
                each.execute_command("CLUSTER", "SETSLOT", slot, "NODE", there)

        async def followed() -> bool:
            decision = await limiter.peek("ana", limit)
            return not decision.degraded and decision.remaining == 7

        await until(followed, "the slot is followed")
        assert (await limiter.hit("ana", limit)).remaining == 6
