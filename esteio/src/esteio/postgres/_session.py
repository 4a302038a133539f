"""What every session is opened with.

Promises: a statement, a wait for a lock and a forgotten transaction end on the server, not only in the
client; a host that is silent is given up after seconds. What the URL says goes before these defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from esteio.postgres._dsn import Dsn, DsnError
from esteio.postgres._hosts import Host, Target

__all__ = ["LIMITS", "session_conninfo", "session_hosts"]

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""The settings that every session has unless the URL says otherwise."""
_LOCK_TIMEOUT_MS = 3000
_IDLE_TRANSACTION_MS = 30_000
_DEFAULTS = {
    "connect_timeout": "3",  # seconds, for each host
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds that sent data may stay unacknowledged
}
_PORT = 5432
_OURS = ("target_session_attrs", "load_balance_hosts")  # decided here, so that every server's role is seen
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def session_hosts(dsn: Dsn, conninfo: str) -> tuple[Target, list[Host]]:
    """The servers of `dsn`, each with the part of `conninfo` that leads to it, and which of them are wanted.

    One server is taken as it is, of several the writable one, unless the URL has `target_session_attrs`.
    DsnError when that is none of libpq's.
    """
    given = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    for name in _OURS:
        given.pop(name, None)
    wanted = dict(dsn.parameters).get("target_session_attrs", "read-write" if len(dsn.hosts) > 1 else "any")
    try:
        target = Target(wanted)
    except ValueError:
        raise DsnError("the parameter target_session_attrs", wanted, ", ".join(Target)) from None
    if len(dsn.hosts) < 2:
        return target, [Host(_address(*(dsn.hosts or (("", None),))[0]), make_conninfo("", **given))]
    addresses = given.pop("hostaddr", "").split(",")
    if len(addresses) not in (1, len(dsn.hosts)):
        raise DsnError("the parameter hostaddr", ",".join(addresses), f"one for each of the {len(dsn.hosts)} hosts")
    if dict(dsn.parameters).get("load_balance_hosts") == "random":
        raise DsnError(
            "the parameter load_balance_hosts", "random", "disable; reads go to replicas with read_only=True"
        )
    hosts = []
    for number, (host, port) in enumerate(dsn.hosts):
        own = {**given, "host": host, "port": str(port or _PORT)}
        if len(addresses) > 1 and addresses[number]:
            own["hostaddr"] = addresses[number]
        hosts.append(Host(_address(host, port), make_conninfo("", **own)))
    return target, hosts


def _address(host: str, port: int | None) -> str:
    return f"{host or 'localhost'}:{port or _PORT}"


def session_conninfo(dsn: Dsn, application_name: str, settings: Mapping[str, str]) -> str:
    """The connection string for a session of `dsn`; ValueError for an impossible name in `settings`."""
    given = {name: str(value) for name, value in conninfo_to_dict(dsn.conninfo).items() if value is not None}
    lock_timeout = min(_LOCK_TIMEOUT_MS, dsn.statement_timeout or _LOCK_TIMEOUT_MS)
    ours = dict(zip(LIMITS, map(str, (dsn.statement_timeout, lock_timeout, _IDLE_TRANSACTION_MS)), strict=True))
    options = " ".join(
        [
            *(_option(name, value) for name, value in ours.items()),
            *([given["options"]] if "options" in given else []),
            *(_option(name, value) for name, value in settings.items()),
        ]
    )
    return make_conninfo("", **{**_DEFAULTS, "application_name": application_name, **given, "options": options})


def _option(name: str, value: str) -> str:
    if not _SETTING.fullmatch(name):
        msg = f"session setting {name!r} is no name of a PostgreSQL setting; allowed: letters, digits, '_' and '.'"
        raise ValueError(msg)
    return f"-c {name}=" + re.sub(r"([\\\s])", r"\\\1", value)
