"""What every session is opened with.

Promises: a statement, a wait for a lock and a forgotten transaction end on the server, not only in the
client; a host that is silent is given up after seconds. What the URL says goes before these defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from esteio.postgres._dsn import Dsn

__all__ = ["session_conninfo"]

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
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def session_conninfo(dsn: Dsn, application_name: str, settings: Mapping[str, str]) -> str:
    """The connection string for a session of `dsn`; ValueError for an impossible name in `settings`."""
    given = {name: str(value) for name, value in conninfo_to_dict(dsn.conninfo).items() if value is not None}
    ours = {
        "statement_timeout": str(dsn.statement_timeout),
        "lock_timeout": str(min(_LOCK_TIMEOUT_MS, dsn.statement_timeout or _LOCK_TIMEOUT_MS)),
        "idle_in_transaction_session_timeout": str(_IDLE_TRANSACTION_MS),
    }
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
