"""Redis: whether limits outlive a restart, full memory and the loss of a server, and whether strangers get in.

Promises: connections of its own, one at a time, given up after seconds; nothing is changed. Behind Sentinels and in a Cluster
every server is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from esteio.extras import needs

with needs("redis"):
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import NoPermissionError, RedisError, ResponseError
    from redis.exceptions import TimeoutError as RedisTimeout
    from redis.retry import Retry

from esteio.doctor import network
from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding
from esteio.limit.redis import RedisAddressError
from esteio.limit.redis._address import Address, Node, parse

__all__ = ["certificates", "redis"]

_TIMEOUT = 2.0  # seconds of each answer, less than the limit of an examination
_MB = 1_000_000
_SLOTS = 16_384
_LEAST_SENTINELS = 3
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
        try:
            yield from _LOOKS[address.kind](address)
        except RedisTimeout as error:
            raise TimeoutError(str(error)) from error
        except RedisError as error:
            yield FindingCode.REDIS_REFUSED.found(address=str(address), reason=str(error))

    return Examination("redis:server", look)


def certificates(url: str) -> Examination:
    """Looks how long certificates of the servers or Sentinels at `url` are valid, where it names an authority of their own."""

    def look() -> Iterator[Finding]:
        try:
            address = parse(url)
        except RedisAddressError:  # `redis` says so
            return
        for host, port in address.nodes if address.authority else ():
            yield from network.certificate(f"https://{host}:{port}", address.context()).look()

    return Examination("redis:certificates", look)


def _of_server(address: Address) -> Iterator[Finding]:
    with _client(address, address.nodes[0]) as client:
        yield from _judged(client, str(address))


def _of_sentinels(address: Address) -> Iterator[Finding]:
    answered, reason = None, ""
    for node in address.nodes:
        try:
            with _client(replace(address, username="", password=""), node) as client:
                master = client.sentinel_master(address.service)
                replicas = client.sentinel_slaves(address.service)
                answered = answered or (master, replicas, _quorum(client, address.service))
        except RedisError as error:
            reason = str(error)
            yield FindingCode.REDIS_NODE_AWAY.found(node=_named(node), address=str(address), reason=reason)
    if answered is None:
        yield FindingCode.REDIS_REFUSED.found(address=str(address), reason=reason)
        return
    master, replicas, problem = answered
    if problem:
        yield FindingCode.REDIS_NO_QUORUM.found(address=str(address), reason=problem)
    if (count := int(master["num-other-sentinels"]) + 1) < _LEAST_SENTINELS:
        yield FindingCode.REDIS_FEW_SENTINELS.found(count=count, service=address.service)
    primary = (str(master["ip"]), int(master["port"]))
    follow = [
        (str(each["ip"]), int(each["port"]))
        for each in replicas
        if not each["is_disconnected"] and not each["is_sdown"]
    ]
    if not follow:
        yield FindingCode.REDIS_NO_REPLICA.found(node=_named(primary))
    yield from _of_each(address, [primary, *follow])


def _quorum(client: Redis, service: str) -> str:
    """Why they could not fail over; empty when they could."""
    try:
        client.sentinel_ckquorum(service)
    except ResponseError as error:
        return str(error)
    return ""


def _of_cluster(address: Address) -> Iterator[Finding]:
    reason = ""
    for node in address.nodes:
        try:
            with _client(address, node) as client:
                info = cast("dict[str, str]", client.cluster("INFO"))
                nodes = cast("dict[str, dict[str, Any]]", client.cluster("NODES"))
        except RedisError as error:
            reason = str(error)
            continue
        yield from _of_nodes(address, info, nodes)
        return
    yield FindingCode.REDIS_REFUSED.found(address=str(address), reason=reason)


def _of_nodes(address: Address, info: Mapping[str, str], nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    if info["cluster_state"] != "ok" or info["cluster_slots_ok"] != str(_SLOTS):
        about = {"state": info["cluster_state"], "slots": info["cluster_slots_ok"]}
        yield FindingCode.REDIS_CLUSTER_DOWN.found(address=str(address), **about)
    flags = {where: str(each["flags"]).split(",") for where, each in nodes.items()}
    alive = [where for where, said in flags.items() if "fail" not in said and "fail?" not in said]
    followed = {nodes[where]["master_id"] for where in alive if "slave" in flags[where]}
    for where in nodes:
        if where not in alive:
            reason = "the cluster says so"
            yield FindingCode.REDIS_NODE_AWAY.found(node=where, address=str(address), reason=reason)
        elif "master" in flags[where] and nodes[where]["slots"] and nodes[where]["node_id"] not in followed:
            yield FindingCode.REDIS_NO_REPLICA.found(node=where)
    yield from _of_each(address, [(where.rpartition(":")[0], int(where.rpartition(":")[2])) for where in alive])


def _of_each(address: Address, nodes: Sequence[Node]) -> Iterator[Finding]:
    """The settings of each server; of several sound ones the first says it for all."""
    sound: list[Finding] = []
    for node in nodes:
        try:
            with _client(address, node) as client:
                for finding in _judged(client, _named(node)):
                    if finding.code is FindingCode.REDIS_SOUND:
                        sound.append(finding)
                    else:
                        yield finding
        except RedisError as error:
            yield FindingCode.REDIS_NODE_AWAY.found(node=_named(node), address=str(address), reason=str(error))
    yield from sound[:1]


def _named(node: Node) -> str:
    return f"{node[0]}:{node[1]}"


_LOOKS: Mapping[str, Callable[[Address], Iterator[Finding]]] = {
    "single": _of_server, "unix": _of_server, "sentinel": _of_sentinels, "cluster": _of_cluster,
}  # fmt: skip


def _client(address: Address, node: Node) -> Redis:
    host, port = node
    where: dict[str, Any] = {"unix_socket_path": host} if address.kind == "unix" else {"host": host, "port": port}
    if address.tls:
        where |= {"ssl": True, "ssl_ca_certs": address.authority or None}
        where |= {"ssl_certfile": address.certificate or None, "ssl_keyfile": address.key or None}
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
