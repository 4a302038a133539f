"""What a cluster consists of: its nodes, their addresses, where programs and data are, and its secrets.

Promises: a plan that exists can be built. What is refused says why in terms of what would be lost: two voters, an even
number of them, one data node. A plan is written to one file with its secrets, 0600, and read back equal.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from esteio.cluster._timings import DEFAULT, Timings
from esteio.errors import EsteioError

__all__ = ["Node", "Plan", "PlanInvalid", "Ports", "Programs", "Secrets", "plan_text", "read_plan"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_NODE = re.compile(r"[a-z][a-z0-9-]{0,30}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,200}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,60}")
_TAKEN = ("postgres", "replicator", "rewinder", "backup")
"""Roles with a work of their own in each cluster."""
_HEAD = "# Made by `esteio cluster init`. It holds the secrets of the cluster: keep it as safe as the database.\n"


class PlanInvalid(EsteioError, ValueError):
    """`part` of a plan has `value`; `allowed` is something else, or `why` it cannot work."""

    def __init__(self, part: str, value: object, allowed: str) -> None:
        self.part, self.value, self.allowed = part, value, allowed
        super().__init__(f"the cluster's {part} is {value!r}; {allowed}")


@dataclass(frozen=True, slots=True)
class Node:
    """One machine. A witness votes, in etcd and for Redis, and has no data."""

    name: str
    address: str
    witness: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """The same on each node."""

    postgres: int = 5432
    patroni: int = 8008
    etcd: int = 2379
    etcd_peer: int = 2380
    redis: int = 6379
    sentinel: int = 26379
    service: int = 8000
    """Where the service listens, on its node's address."""
    front: int = 80
    """Where HAProxy listens, on all addresses; with a certificate there is 443 beside it."""
    etcd_health: int = 2381
    """Where etcd says how it is, without TLS and to nobody's harm: health and figures, no data."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where each node has them; what is not named is where Debian puts it."""

    patroni: str = "/usr/bin/patroni"
    postgres: str = "/usr/lib/postgresql/17/bin"
    """A directory; `{node}` in it is the node's name."""
    etcd: str = "/usr/bin/etcd"
    redis: str = "/usr/bin/redis-server"
    haproxy: str = "/usr/sbin/haproxy"
    keepalived: str = "/usr/sbin/keepalived"


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Made once: a plan that is written again keeps them."""

    superuser: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    replication: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    rewind: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    service: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    backup: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    patroni: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    redis: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def __repr__(self) -> str:
        return "Secrets(...)"


@dataclass(frozen=True, slots=True)
class Plan:
    """A cluster of `nodes`; `{node}` in a path or in the environment is the node's name, `{addresses}` those of all.

    In the environment `{certificate}` and `{key}` are the files that the service shows to HAProxy, which asks it by TLS.
    """

    nodes: tuple[Node, ...]
    name: str = "service"
    """Of the cluster, of its database and that database's owner."""
    virtual_ip: str = ""
    """An address with its prefix, such as 10.0.0.9/24, that always leads to a living HAProxy; none: no keepalived."""
    interface: str = "eth0"
    health: str = "/health"
    """The path at which the service says that it is ready."""
    certificate: str = ""
    """A PEM file with certificate and key on each node, for HAProxy; none: plain HTTP, behind something that has one."""
    account: str = "postgres"
    """Under which all but keepalived run."""
    config_dir: str = "/etc/esteio-cluster"
    """With the certificate and the key of the node's programs, which `account` reads."""
    service_dir: str = "/etc/esteio-service"
    """With those of the service, which it asks PostgreSQL and Redis with and shows to HAProxy; `service_account` reads them,
    none else."""
    service_account: str = ""
    """Under which the service runs; none: `account`."""
    data_dir: str = "/var/lib/esteio-cluster"
    watchdog: str = "automatic"
    """Whether Patroni has its machine reset should it hang while it leads: off, automatic (where there is a /dev/watchdog) or
    required (a node without one does not lead)."""
    clients: str = ""
    """Addresses or networks, separated by commas, that may reach the database beside the nodes."""
    archive: bool = True
    """A role for base backups and the log, and a slot that keeps the log until it is received, also through a failover."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """More variables for the service."""
    ports: Ports = Ports()
    programs: Programs = Programs()
    timings: Timings = DEFAULT
    secrets: Secrets = field(default_factory=Secrets)
    place: Path | None = field(default=None, compare=False, repr=False)
    """Where it was read from: the certificate of who asks lies beside it. None: in `config_dir`."""

    def __post_init__(self) -> None:
        _check_votes(self.nodes)
        for each in self.nodes:
            _check("node name", each.name, _NODE, "allowed: a lower-case letter, then letters, digits and -")
            _check_address(each)
        for part in ("name", "address"):
            values = [getattr(each, part) for each in self.nodes]
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise PlanInvalid(f"node {part}", twice[0], "two nodes have it; each needs its own")
        _check("name", self.name, _NAME, "allowed: a lower-case letter, then letters, digits and _")
        if self.name in _TAKEN:
            raise PlanInvalid(
                "name", self.name, f"a role of the cluster is called so; allowed: not {', '.join(_TAKEN)}"
            )
        if self.watchdog not in ("off", "automatic", "required"):
            raise PlanInvalid("watchdog", self.watchdog, "allowed: off, automatic, required")
        if self.virtual_ip:
            _check_virtual(self.virtual_ip, self.nodes)
        _ = self.client_networks  # raises where one is none
        for part, value in asdict(self.secrets).items():
            if not _SECRET.fullmatch(value):  # they stand in files of six languages; the value is not shown
                raise PlanInvalid(f"secret {part}", "***", "allowed: 16 to 200 letters, digits, - and _")
        for name in self.environment:
            _check("variable", name, _VARIABLE, "allowed: upper-case letters, digits and _")

    @property
    def data_nodes(self) -> tuple[Node, ...]:
        """Those with PostgreSQL, Redis and the service."""
        return tuple(each for each in self.nodes if not each.witness)

    @property
    def client_networks(self) -> tuple[str, ...]:
        """`clients`, one by one, each with its prefix."""
        return tuple(_network(each.strip()) for each in self.clients.split(",") if each.strip())

    def node(self, name: str) -> Node:
        """The node of that name."""
        for each in self.nodes:
            if each.name == name:
                return each
        raise PlanInvalid("node", name, f"allowed: {', '.join(each.name for each in self.nodes)}")

    def filled(self, text: str, node: Node) -> str:
        """`text` as it is on `node`."""
        addresses = ",".join(each.address for each in self.nodes)
        for name, value in (("node", node.name), ("address", node.address), ("addresses", addresses)):
            text = text.replace("{" + name + "}", value)
        return text

    @classmethod
    def of(cls, nodes: str, witnesses: str = "", **rest: Any) -> Self:
        """A plan for `a=10.0.0.1,b=10.0.0.2,c=10.0.0.3`, and witnesses in the same form."""
        return cls((*_nodes(nodes, witness=False), *_nodes(witnesses, witness=True)), **rest)


def _nodes(text: str, *, witness: bool) -> list[Node]:
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, separator, address = part.partition("=")
        if not separator:
            raise PlanInvalid("node", part, "allowed: name=address, as in a=10.0.0.1,b=10.0.0.2,c=10.0.0.3")
        found.append(Node(name.strip(), address.strip(), witness))
    return found


def _check_votes(nodes: tuple[Node, ...]) -> None:
    votes, data = len(nodes), sum(not each.witness for each in nodes)
    names = ", ".join(each.name for each in nodes)
    if data < 2:
        raise PlanInvalid(
            "nodes", names, "allowed: at least two with data; one machine alone is no cluster: `esteio serve`"
        )
    if votes == 2:
        raise PlanInvalid(
            "nodes", names,
            "two cannot tell a dead neighbour from a cut cable, so losing either one stops all writes: two machines fail "
            "more often than one. Add a small third one that only votes: --witness c=ADDRESS",
        )  # fmt: skip
    if votes % 2 == 0:
        raise PlanInvalid(
            "nodes", names,
            f"{votes} voters survive the loss of {(votes - 1) // 2}, as {votes - 1} do, and one more can break; "
            f"take {votes - 1}, or {votes + 1} to survive {votes // 2}",
        )  # fmt: skip
    if votes > 7:
        raise PlanInvalid("nodes", names, "allowed: 3, 5 or 7; each vote of etcd waits for more than half of them")


def _check(part: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    if not pattern.fullmatch(value):
        raise PlanInvalid(part, value, allowed)


def _check_address(node: Node) -> None:
    try:
        ipaddress.IPv4Address(node.address)
    except ValueError:
        raise PlanInvalid(
            f"address of {node.name}", node.address, "allowed: an IPv4 address; names would need a DNS that never fails"
        ) from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        raise PlanInvalid("clients", text, "allowed: IPv4 addresses or networks, such as 10.0.0.0/24") from None


def _check_virtual(text: str, nodes: tuple[Node, ...]) -> None:
    try:
        virtual = ipaddress.IPv4Interface(text)
    except ValueError:
        raise PlanInvalid("virtual address", text, "allowed: an address and its prefix, such as 10.0.0.9/24") from None
    for each in nodes:
        address = ipaddress.IPv4Address(each.address)
        if address == virtual.ip:
            raise PlanInvalid("virtual address", text, f"it is that of node {each.name}; take a free one")
        if address not in virtual.network and not each.witness:
            raise PlanInvalid("virtual address", text, f"node {each.name} ({each.address}) is in another network")


def plan_text(plan: Plan) -> str:
    """`plan` as TOML, secrets included."""
    tables: dict[str, Mapping[str, Any]] = {
        "nodes": {each.name: each.address for each in plan.nodes if not each.witness},
        "witnesses": {each.name: each.address for each in plan.nodes if each.witness},
        "environment": plan.environment,
        **{name: asdict(getattr(plan, name)) for name in ("ports", "programs", "timings", "secrets")},
    }
    plain = {each.name: getattr(plan, each.name) for each in fields(plan) if each.name not in (*tables, "place")}
    lines = [_HEAD, *(f"{name} = {json.dumps(value)}" for name, value in plain.items())]
    for name, values in tables.items():
        lines += [f"\n[{name}]", *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def read_plan(path: Path) -> Plan:
    """The plan that was written to `path`; PlanInvalid where it is none."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        nodes = [Node(name, address) for name, address in told.pop("nodes").items()]
        nodes += [Node(name, address, witness=True) for name, address in told.pop("witnesses", {}).items()]
        parts = {"ports": Ports, "programs": Programs, "timings": Timings, "secrets": Secrets}
        made = {name: kind(**told.pop(name)) for name, kind in parts.items() if name in told}
        return Plan(tuple(nodes), **made, **told, place=path.parent)
    except PlanInvalid:
        raise
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanInvalid("file", str(path), f"it cannot be read as a plan: {error}") from None
