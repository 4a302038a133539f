"""The certificates that a cluster's programs show, as they are asked, and having renewed ones taken. No dependency.

Promises: what is told is what a program really shows, which is what a file says only after the program took it. `reload_all`
asks each program whether it took its files; who has to be restarted for it, or takes them by itself, is not asked.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from esteio.cluster._client import context_of, files_for
from esteio.cluster._plan import Node, Plan
from esteio.cluster.operate import ClusterRefused, order

__all__ = ["Reloaded", "Shown", "reload_all", "shown"]

_LOOK = 2.0
_ORDER = 10.0
_DAY = 86_400.0
_ASK_FOR_TLS = struct.pack("!ii", 8, 80877103)  # PostgreSQL's SSLRequest


@dataclass(frozen=True, slots=True)
class Shown:
    """What `program` of `node` shows: valid for `days` more, or the `problem` why that is not known."""

    node: Node
    program: str
    days: float | None = None
    problem: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """`program` of `node` took its files, or the `problem`."""

    node: Node
    program: str
    problem: str = ""


def shown(plan: Plan) -> tuple[Shown, ...]:
    """Ask every program of every node, side by side; CertificateMissing where nothing would be answered."""
    context, ports = context_of(plan), plan.ports
    of_all = {"etcd": ports.etcd, "etcd peer": ports.etcd_peer, "sentinel": ports.sentinel}
    of_data = {"patroni": ports.patroni, "postgres": ports.postgres, "redis": ports.redis, "service": ports.service}
    asked = [
        (node, program, port)
        for node in plan.nodes
        for program, port in (of_all if node.witness else of_all | of_data).items()
    ]
    with ThreadPoolExecutor(max_workers=len(asked)) as threads:
        return tuple(threads.map(lambda each: _shown(context, *each), asked))


def _shown(context: ssl.SSLContext, node: Node, program: str, port: int) -> Shown:
    try:
        with socket.create_connection((node.address, port), timeout=_LOOK) as plain:
            if program == "postgres":
                plain.sendall(_ASK_FOR_TLS)
                if plain.recv(1) != b"S":
                    return Shown(node, program, problem="it speaks no TLS")
            with context.wrap_socket(plain, server_hostname=node.address) as secured:
                certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Shown(node, program, problem=error.verify_message)
    except OSError as error:
        return Shown(node, program, problem=error.strerror or str(error))
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return Shown(node, program, (ends - time.time()) / _DAY, serial=str(certificate["serialNumber"]))


def reload_all(plan: Plan) -> tuple[Reloaded, ...]:
    """Patroni, PostgreSQL with it, and Redis take the files they were given; etcd does for each connection by itself.

    Who still shows a certificate that has ended is asked all the same: it is the one that has to take another.
    """
    context = context_of(plan, ended=True)
    return tuple(
        each
        for node in plan.data_nodes
        for each in (_reload_patroni(plan, context, node), _reload_redis(plan, context, node))
    )


def _reload_patroni(plan: Plan, context: ssl.SSLContext, node: Node) -> Reloaded:
    try:
        order(plan, node, "reload", {}, context)
    except ClusterRefused as error:
        return Reloaded(node, "patroni", error.why)
    return Reloaded(node, "patroni")


def _reload_redis(plan: Plan, context: ssl.SSLContext, node: Node) -> Reloaded:
    """The same paths again: Redis reads the files anew, together, so that certificate and key fit."""
    tls = files_for(plan.filled(plan.config_dir, node))
    files = ("tls-cert-file", tls["certificate"], "tls-key-file", tls["key"], "tls-ca-cert-file", tls["authority"])
    commands = (("AUTH", plan.secrets.redis), ("CONFIG", "SET", *files))
    try:
        with (
            socket.create_connection((node.address, plan.ports.redis), timeout=_ORDER) as plain,
            context.wrap_socket(plain, server_hostname=node.address) as secured,
            secured.makefile("rb") as answers,
        ):
            for each in commands:
                secured.sendall(_command(each))
                if not (said := answers.readline()).startswith(b"+OK"):
                    return Reloaded(node, "redis", said.decode(errors="replace").strip() or "it closed the connection")
    except OSError as error:
        return Reloaded(node, "redis", str(error))
    return Reloaded(node, "redis")


def _command(words: tuple[str, ...]) -> bytes:
    """As Redis reads a command: how many words, and each with its length."""
    parts = [f"*{len(words)}\r\n", *(f"${len(each.encode())}\r\n{each}\r\n" for each in words)]
    return "".join(parts).encode()
