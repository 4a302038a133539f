"""Redis: whether limits outlive a restart and full memory, and whether strangers get in.

Promises: one connection of its own, given up after seconds; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from esteio.extras import needs

with needs("redis"):
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import NoPermissionError, RedisError, ResponseError
    from redis.exceptions import TimeoutError as RedisTimeout
    from redis.retry import Retry

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding
from esteio.limit.redis import RedisAddressError
from esteio.limit.redis._address import Address, parse

__all__ = ["redis"]

_TIMEOUT = 2.0  # seconds of each answer, less than the limit of an examination
_MB = 1_000_000
_LOCAL = frozenset({"127.0.0.1", "::1", "-::1", "localhost"})


def redis(url: str, password: str | None = None) -> Examination:
    """Looks at the server at `url`; `password` takes the place of one in it."""

    def look() -> Iterator[Finding]:
        try:
            address = parse(url, password)
        except RedisAddressError as error:
            about = {"part": error.part, "value": error.value, "allowed": error.allowed}
            yield FindingCode.ADDRESS_INVALID.found(name="REDIS_URL", **about)
            return
        if address.kind not in ("single", "unix"):
            yield FindingCode.REDIS_KIND.found(address=str(address))
            return
        try:
            with _client(address) as client:
                yield from _judged(client, str(address))
        except RedisTimeout as error:
            raise TimeoutError(str(error)) from error
        except RedisError as error:
            yield FindingCode.REDIS_REFUSED.found(address=str(address), reason=str(error))

    return Examination("redis:server", look)


def _client(address: Address) -> Redis:
    host, port = address.nodes[0]
    where: dict[str, Any] = {"unix_socket_path": host} if address.kind == "unix" else {"host": host, "port": port}
    if address.tls:
        where["ssl"] = True
    return Redis(
        **where,
        username=address.username or None,
        password=address.password or None,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )


def _judged(client: Redis, address: str) -> Iterator[Finding]:
    client.ping()
    try:
        info: Mapping[str, Any] = client.info()
        settings: Mapping[str, str] = cast("dict[str, str]", client.config_get("*"))
        user = cast("dict[str, Any]", client.acl_getuser("default"))
    except (NoPermissionError, ResponseError) as error:
        yield FindingCode.REDIS_HIDDEN.found(address=address, reason=str(error))
        return
    found = [*_memory(settings), *_disk(info, settings), *_door(settings, without_password="nopass" in user["flags"])]
    yield from found
    if not found:
        policy, version = settings["maxmemory-policy"], info["redis_version"]
        yield FindingCode.REDIS_SOUND.found(version=version, address=address, policy=policy)


def _memory(settings: Mapping[str, str]) -> Iterator[Finding]:
    # volatile-* evicts as well: every counter has an end of its own.
    bound, policy = int(settings["maxmemory"]), settings["maxmemory-policy"]
    if bound and policy != "noeviction":
        yield FindingCode.REDIS_EVICTS.found(policy=policy, memory=bound / _MB)


def _disk(info: Mapping[str, Any], settings: Mapping[str, str]) -> Iterator[Finding]:
    appending, saving = settings["appendonly"] == "yes", bool(settings["save"])
    if not appending and not saving:
        yield FindingCode.REDIS_NOT_KEPT.found()
        return
    states = {"BGSAVE": info.get("rdb_last_bgsave_status", "ok")} if saving else {}
    if appending:
        states["AOF"] = info.get("aof_last_write_status", "ok")
    if failed := [f"{name} {state}" for name, state in states.items() if state != "ok"]:
        yield FindingCode.REDIS_NOT_WRITTEN.found(last=", ".join(failed))


def _door(settings: Mapping[str, str], *, without_password: bool) -> Iterator[Finding]:
    bound = set(settings["bind"].split())
    open_to_others = not bound or not bound <= _LOCAL
    if open_to_others and settings["protected-mode"] == "no" and without_password:
        yield FindingCode.REDIS_OPEN.found(addresses=settings["bind"] or "*")
