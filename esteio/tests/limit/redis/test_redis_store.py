"""Limits in Redis: exact for everybody, batched, and undisturbed by who leaves."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("hiredis")

from redis import Redis

from esteio.limit import Hit, Limit, LimitError, RateLimit, RateLimiter, SyncRateLimiter
from esteio.limit.redis import RedisAddressError, RedisStore, SyncRedisStore
from esteio.limit.redis._address import parse
from esteio.limit.redis._script import SHA
from esteio.policy import Pipeline
from esteio.testing import FlakyProxy
from esteio.testing.redis import RedisServer

ALGORITHMS = ("window", "counter", "gcra", "fixed")
ROUNDS = int(os.environ.get("ESTEIO_LIMIT_ROUNDS", "20"))


def calls(server: RedisServer) -> int:
    with server.client() as client:
        stats: Any = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


def test_of_four_processes_with_eight_tasks_each_exactly_as_many_as_allowed_pass(redis_url: str) -> None:
    racer = Path(__file__).with_name("racer.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, racer, redis_url, "4", str(ROUNDS)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(4)]
    try:
        said = [json.loads(process.communicate(timeout=110)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    totals = {key: sum(each[key] for each in said) for key in said[0]}
    assert len(totals) == 4 * ROUNDS
    assert set(totals.values()) == {50}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_hits_peeks_refunds_and_resets_are_those_of_the_memory_store(
    make: Any, redis_url: str, algorithm: Any
) -> None:
    limiter, memory = RateLimiter(make(redis_url)), RateLimiter()
    limit = Limit(4, 86_400, algorithm=algorithm)

    async def both(name: str, *args: Any) -> Any:
        ours, theirs = [await getattr(each, name)("ana", limit, *args) for each in (limiter, memory)]
        if ours is not None:
            assert (ours.allowed, ours.remaining, ours.impossible) == (
                theirs.allowed,
                theirs.remaining,
                theirs.impossible,
            )
        return ours

    assert (await both("hit", 3)).remaining == 1
    assert not await both("hit", 2)
    assert (await both("peek", 1)).remaining == 1
    await both("refund", 2)
    assert await both("hit", 3)
    assert (await both("hit", 5)).impossible
    await both("reset")
    assert (await both("peek")).remaining == 4


async def test_several_limits_are_charged_together_or_not_at_all(make: Any, redis_url: str) -> None:
    limiter = RateLimiter(make(redis_url), denied=0)
    wide, narrow = Limit(10, 60, name="wide"), Limit(1, 60, name="narrow")
    assert await limiter.hit_all([Hit("ana", wide), Hit("ana", narrow)])
    refused = await limiter.hit_all([Hit("ana", wide, 3), Hit("ana", narrow)])
    assert [bool(each) for each in refused] == [True, False]
    assert (await limiter.peek("ana", wide)).remaining == 9


async def test_what_waits_in_one_turn_is_one_call(make: Any, redis_server: RedisServer, redis_url: str) -> None:
    limiter = RateLimiter(make(redis_url))
    limit = Limit(1000, 60)
    await limiter.hit("warm", limit)
    before = calls(redis_server)
    decisions = await asyncio.gather(*(limiter.hit(f"user {n % 7}", limit) for n in range(200)))
    assert calls(redis_server) - before == 1
    assert all(decisions)
    assert sorted(each.remaining for each in decisions)[0] == 1000 - 29


async def test_a_batch_is_bounded(make: Any, redis_server: RedisServer, redis_url: str) -> None:
    limiter = RateLimiter(store := make(redis_url, batch=16))
    limit = Limit(1000, 60)
    await limiter.hit("warm", limit)
    before = store.snapshot().nodes[0].batches
    await asyncio.gather(*(limiter.hit("ana", limit) for _ in range(100)))
    assert store.snapshot().nodes[0].batches - before == 7
    assert (await limiter.peek("ana", limit)).remaining == 900


@pytest.mark.parametrize("callers", [300, 900])
async def test_a_lasting_backlog_at_a_server_that_answers_degrades_no_decision(
    make: Any, redis_server: RedisServer, callers: int
) -> None:
    with FlakyProxy(("127.0.0.1", redis_server.port)) as proxy:
        host, port = proxy.address
        limiter = RateLimiter(store := make(f"redis://{host}:{port}", batch=50, budget=2.0))
        limit = Limit(10**6, 60, name=f"backlog {callers}")
        await limiter.hit("warm", limit)
        proxy.delay(0.04)  # an answer takes 80 ms and more, so that nobody waits half as long as Redis is given
        end = asyncio.get_running_loop().time() + 1.5 * store.budget  # the queue never runs empty

        async def caller(number: int) -> int:
            degraded = 0
            while asyncio.get_running_loop().time() < end:
                degraded += (await limiter.hit(f"user {number}", limit)).degraded
            return degraded

        assert sum(await asyncio.gather(*(caller(number) for number in range(callers)))) == 0
        assert store.snapshot().nodes[0].outages == 0


async def test_of_more_hits_than_are_decided_in_time_only_those_behind_are_decided_here(
    make: Any, redis_server: RedisServer
) -> None:
    with FlakyProxy(("127.0.0.1", redis_server.port)) as proxy:
        host, port = proxy.address
        limiter = RateLimiter(store := make(f"redis://{host}:{port}", batch=1, budget=1.0))
        limit = Limit(10**6, 60, name="too many")
        await limiter.hit("warm", limit)
        proxy.delay(0.1)
        decisions = await asyncio.gather(*(limiter.hit(f"user {number}", limit) for number in range(200)))
        assert {each.reason for each in decisions} == {"", "busy"}
        assert not decisions[0].degraded
        assert store.snapshot().nodes[0].outages == 0
        proxy.heal()
        assert not (await limiter.hit("user 0", limit)).degraded


async def test_calls_that_are_paced_through_redis_wait_for_their_place_in_order(make: Any, redis_url: str) -> None:
    paced = RateLimit(Limit(2, 0.1, name="paced"), wait=20.0, store=make(redis_url))
    pipe = Pipeline("paced", paced, registry=None)
    order: list[int] = []

    async def work(number: int) -> None:
        order.append(number)

    await asyncio.gather(*(pipe.call(work, number) for number in range(8)))
    assert order[2:] == sorted(order[2:])  # the first two needed not wait
    assert pipe.snapshot().policies[0].values == {"waiting": 0, "rejected": 0}


async def test_a_refund_while_redis_is_away_gives_back_no_more_than_was_let_pass_meanwhile(
    make: Any, redis_server: RedisServer
) -> None:
    with FlakyProxy(("127.0.0.1", redis_server.port)) as proxy:
        host, port = proxy.address
        store = make(f"redis://{host}:{port}", budget=2.0, ttl=0.2, retry_after=0.02, retry_max=0.05)
        limiter, limit = RateLimiter(store, denied=0), Limit(10, 3600, name="given back")
        await limiter.hit("ana", limit, 4)
        proxy.stop()
        while not (await limiter.hit("ana", limit)).degraded:
            pass
        await limiter.refund("ana", limit, 5)
        proxy.start()
        for _ in range(1000):
            if not (decision := await limiter.peek("ana", limit)).degraded:
                break
            await asyncio.sleep(0.01)
        assert not decision.degraded
        assert decision.remaining == 6


async def test_a_server_that_forgot_the_script_is_told_again_and_charges_once(
    make: Any, redis_server: RedisServer, redis_url: str
) -> None:
    limiter = RateLimiter(make(redis_url))
    limit = Limit(100, 60)
    await limiter.hit("ana", limit)
    with redis_server.client() as client:
        client.script_flush()
    await asyncio.gather(*(limiter.hit("ana", limit) for _ in range(9)))
    assert (await limiter.peek("ana", limit)).remaining == 90
    with redis_server.client() as client:
        assert client.script_exists(SHA.decode()) == [True]


async def test_a_caller_that_leaves_does_not_disturb_the_others_and_is_not_charged_before_it_was_sent(
    make: Any, redis_url: str
) -> None:
    limiter = RateLimiter(make(redis_url))
    limit = Limit(100, 60)
    await limiter.hit("ana", limit)
    tasks = [asyncio.create_task(limiter.hit("ana", limit)) for _ in range(10)]
    await asyncio.sleep(0)  # they wait, nothing is sent yet
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(each, asyncio.CancelledError) for each in results) == 5
    assert (await limiter.peek("ana", limit)).remaining == 94
    task = asyncio.create_task(limiter.hit("ana", limit))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # sent
    task.cancel()
    assert await limiter.hit("ben", limit)


async def test_more_hits_than_may_wait_are_decided_here(make: Any, redis_url: str) -> None:
    limiter = RateLimiter(make(redis_url, waiting=5), denied=0)
    decisions = await asyncio.gather(*(limiter.hit("ana", Limit(100, 60)) for _ in range(8)))
    assert [each.reason for each in decisions].count("busy") == 3


def test_one_store_serves_many_event_loops_one_after_another_and_at_once(redis_url: str) -> None:
    store = RedisStore(redis_url, budget=10.0)
    limit = Limit(1000, 60)

    async def some() -> None:
        limiter = RateLimiter(store)
        decisions = await asyncio.gather(*(limiter.hit("ana", limit) for _ in range(10)))
        assert not any(each.degraded for each in decisions)
        await store.close()

    for _ in range(3):
        asyncio.run(some())
    threads = [threading.Thread(target=asyncio.run, args=(some(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def left() -> int:
        found = (await RateLimiter(store).peek("ana", limit)).remaining
        await store.close()
        return found

    assert asyncio.run(left()) == 1000 - 70


async def test_who_waits_at_close_is_answered_and_a_later_hit_connects_anew(make: Any, redis_url: str) -> None:
    limiter = RateLimiter(store := make(redis_url))
    limit = Limit(10, 60)
    await limiter.hit("ana", limit)
    tasks = [asyncio.create_task(limiter.hit("ana", limit)) for _ in range(3)]
    await asyncio.sleep(0)
    await store.close()
    assert {(await task).reason for task in tasks} <= {"", "closed", "gone"}
    assert store.snapshot().nodes == ()
    assert not (await limiter.hit("ana", limit)).degraded


def test_threads_share_a_limit_exactly_and_a_fork_goes_on_by_itself(redis_url: str) -> None:
    store = SyncRedisStore(RedisStore(redis_url, budget=10.0))
    limiter = SyncRateLimiter(store)
    limit = Limit(50, 86_400)
    allowed: list[bool] = []

    def hits() -> None:
        allowed.extend(bool(limiter.hit("ana", limit)) for _ in range(20))

    threads = [threading.Thread(target=hits) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(True) == 50
    child = "".join(
        [
            "import gc, os, sys, warnings\n",
            "from esteio.limit import Limit, SyncRateLimiter\n",
            "from esteio.limit.redis import RedisStore, SyncRedisStore\n",
            "store = SyncRedisStore(RedisStore(sys.argv[1], budget=10.0)); limiter = SyncRateLimiter(store)\n",
            "limit = Limit(50, 86400, name='fork'); limiter.hit('ana', limit)\n",
            "warnings.simplefilter('ignore')\n",
            "pid = os.fork()\n",
            "gc.collect()\n",
            "d = limiter.hit('ana', limit)\n",
            "ok = not d.degraded\n",
            "if pid == 0: os._exit(0 if ok else 1)\n",
            "status = os.waitpid(pid, 0)[1]\n",
            "assert ok and status == 0 and limiter.peek('ana', limit).remaining == 47\n",
            "store.close()\n",
        ]
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", child, redis_url], env=environment, check=True, timeout=50)
    assert limiter.hit_all([Hit("ben", limit), Hit("eva", limit)])
    limiter.refund("ben", limit)
    limiter.reset("eva", limit)
    assert [limiter.peek(key, limit).remaining for key in ("ben", "eva")] == [50, 50]
    store.close()
    assert not limiter.hit("later", limit).degraded
    store.close()


async def test_password_and_unix_socket(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Limit(10, 60)
    with RedisServer(password="s:e@cr/et") as server:
        assert not (await RateLimiter(make(server.url)).hit("ana", limit)).degraded
        assert (await RateLimiter(make(server.unix_url)).hit("ana", limit)).remaining == 8
        plain = f"redis://127.0.0.1:{server.port}"
        assert (await RateLimiter(make(plain)).hit("ana", limit)).reason == "refused"
        monkeypatch.setenv("REDIS_PASSWORD", "s:e@cr/et")
        assert (await RateLimiter(make(plain)).hit("ana", limit)).remaining == 7
        monkeypatch.setenv("REDIS_PASSWORD", "of another Redis")
        assert (await RateLimiter(make(server.url)).hit("ana", limit)).remaining == 6
        assert (await RateLimiter(make(plain, password="s:e@cr/et")).hit("ana", limit)).remaining == 5


async def test_long_and_strange_keys(make: Any, redis_server: RedisServer, redis_url: str) -> None:
    limiter = RateLimiter(make(redis_url))
    limit = Limit(10, 60, name="nome é")
    for key in ("x" * 10_000, "ção 雪 🎈", "a{b}c", "}{", "{", "\ud800 alone", "a\0b\r\n"):
        assert (await limiter.hit(key, limit)).remaining == 9
        assert (await limiter.hit(key, limit)).remaining == 8
    with Redis(port=redis_server.port) as client:
        keys: Any = client.keys("esteio:limit:*")
    assert max(map(len, keys)) < 400
    with pytest.raises(LimitError):
        await limiter.hit("", limit)


def test_an_address_is_read_or_refused_with_the_part_that_is_wrong() -> None:
    found = parse("redis+sentinel://:geheim@a,[::1]:5000/mymaster/2")
    assert (found.nodes, found.service, found.database) == ((("a", 26379), ("::1", 5000)), "mymaster", 2)
    assert "geheim" not in repr(found) + str(found)
    assert parse("unix://u:p@/run/r.sock?db=3").nodes == (("/run/r.sock", 0),)
    assert parse("rediss://h/1").tls
    for url, part in (
        ("http://h", "scheme"),
        ("redis://h:0", "port"),
        ("redis://a,b", "host"),
        ("redis://", "host"),
        ("redis://h/x", "database"),
        ("redis+sentinel://h", "path"),
        ("redis+cluster://h/1", "path"),
        ("unix://", "path"),
    ):
        with pytest.raises(RedisAddressError, match=part):
            parse(url)


@pytest.mark.parametrize(
    "settings",
    [
        *(
            {name: value}
            for name in ("budget", "ttl", "retry_after")
            for value in (0, -1, float("nan"), float("inf"), "1")
        ),
        *({name: value} for name in ("batch", "instances", "waiting") for value in (0, -1, 1.5, True, float("nan"))),
        {"retry_max": 0.1},
        {"connect_timeout": float("nan")},
        {"local_keys": 127},
        {"prefix": "a{b}"},
        {"prefix": None},
    ],
)
def test_a_setting_outside_its_bounds_is_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(LimitError, match=next(iter(settings))):
        RedisStore("redis://127.0.0.1:1", **settings)


async def test_a_user_may_do_with_what_the_page_says(make: Any) -> None:
    page = (Path(__file__).parents[4] / "docs/how-to/limits-with-redis.md").read_text(encoding="utf-8")
    needed = re.findall(r"\+[a-z|]+", page.partition("A user with an ACL needs")[2].partition(" on `~")[0])
    needed = [each for each in needed if each != "+cluster|slots"]
    limit = Limit(10, 60)
    with RedisServer() as server:
        for user, rules in (("full", needed), ("less", [each for each in needed if each not in ("+role", "+info")])):
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", user, "on", ">pw", "~esteio:limit:*", *rules)
            limiter = RateLimiter(store := make(f"redis://{user}:pw@127.0.0.1:{server.port}"))
            assert not (await limiter.hit(user, limit)).degraded
            await limiter.reset(user, limit)
            await store.close()
