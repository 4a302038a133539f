"""Who has reached a port of a cluster and is none of it: without a certificate, or with one of another authority."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from esteio.cluster import Plan, write_files
from esteio.cluster._client import AUTHORITY, CERTIFICATE, KEY, context_of

__all__ = ["answered_strangers"]

_PATIENCE = 10.0
_WORDS = b"GET / HTTP/1.0\r\n\r\n"  # Redis has an answer to them, too: that it knows no such command


def answered_strangers(plan: Plan, home: Path) -> list[str]:
    """Which ports of which nodes answer whom they should not, or not whom they should; none: all is well.

    PostgreSQL decides by its own words, after the handshake, and is not asked. The service answers who has no certificate,
    and never without TLS. `home` is an empty directory.
    """
    stranger = Plan.of("x=10.0.0.1,y=10.0.0.2,z=10.0.0.3", name=plan.name)
    write_files(stranger, home)
    nameless, foreign, own = _believing(plan), _believing(plan), context_of(plan)
    foreign.load_cert_chain(home / CERTIFICATE, home / KEY)
    ports, wrong = plan.ports, []
    for node in plan.nodes:
        of_all = {"etcd": ports.etcd, "etcd peer": ports.etcd_peer, "sentinel": ports.sentinel}
        of_data = {} if node.witness else {"patroni": ports.patroni, "redis": ports.redis}
        of_people = {} if node.witness else {"service": ports.service}
        for program, port in (of_all | of_data | of_people).items():
            where = (node.address, port)
            if not _answers(where, own):
                wrong.append(f"{program} of {node.name} does not answer the operator")
            if program not in of_people and _answers(where, nameless):
                wrong.append(f"{program} of {node.name} answers who has no certificate")
            if program not in of_people and _answers(where, foreign):
                wrong.append(f"{program} of {node.name} answers who has a certificate of another authority")
            if _answers(where, None):
                wrong.append(f"{program} of {node.name} answers without TLS")
            if _believed(where, home):
                wrong.append(f"{program} of {node.name} is believed by who trusts another authority")
    return wrong


def _believing(plan: Plan) -> ssl.SSLContext:
    place = plan.place or Path(plan.filled(plan.config_dir, plan.nodes[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(place / AUTHORITY)
    return context


def _answers(where: tuple[str, int], context: ssl.SSLContext | None) -> bool:
    """Whether anything but an alert of TLS comes back."""
    try:
        with socket.create_connection(where, timeout=_PATIENCE) as plain:
            if context is None:
                plain.sendall(_WORDS)
                # Go's server says in plain HTTP that it speaks none; that is a refusal.
                said = plain.recv(200)
                return bool(said) and said[:1] != b"\x15" and b" 400 " not in said
            with context.wrap_socket(plain, server_hostname=where[0]) as secured:
                secured.sendall(_WORDS)
                return bool(secured.recv(1))  # with TLS 1.3 a refused certificate is told only now
    except (ssl.SSLError, ConnectionError):
        return False


def _believed(where: tuple[str, int], home: Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(home / AUTHORITY)
    try:
        with socket.create_connection(where, timeout=_PATIENCE) as plain:
            context.wrap_socket(plain, server_hostname=where[0]).close()
    except OSError:  # that its certificate is refused is one
        return False
    return True
