"""A connection pooler, such as PgBouncer, between us and the server: what it takes to keep our limits behind it.

Promises: a pooler that refuses or ignores the settings of a session is noticed with the first connection, and not taken
for an outage. Where it lends whole sessions (its session mode) every setting is set by a statement instead. Where it
lends transactions, each transaction of `transaction()` and `run()` sets them for itself, in its first message, and
prepared statements are off; what then is not in force for single statements is said once, with what to do; a setting of
the caller's own that would not be in force is an error. Nothing is sent from here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

__all__ = ["Demands", "Pooler", "comparison", "for_the_session", "pooler_of", "refuses_options"]

_logger = logging.getLogger("esteio.postgres")

UNLIMITED = (
    "database %s: it is behind a connection pooler, so %s cannot be set for single statements: only transaction() and run()"
    " have them, and we give up on a statement a second after its limit. Set them by ALTER ROLE ... SET, or, where the"
    " pooler is in session mode, pass pooler='session'"
)
_OPTION = re.compile(r"(?:-c\s*|--)(?P<name>[^=\s]+)=(?P<value>(?:\\.|[^\\\s])*)")


class Pooler(StrEnum):
    """What a connection pooler lends to its clients, and for how long."""

    SESSION = "session"
    TRANSACTION = "transaction"


class PooledSession(Protocol):
    """What is noted of a connection."""

    pid: int
    lent: Pooler | None
    limits: bytes
    prepare_threshold: int | None


def pooler_of(value: str | None) -> Pooler | None:
    """The parameter `pooler`; ValueError when it is none of those allowed."""
    if value is None or value in tuple(Pooler):
        return None if value is None else Pooler(value)
    msg = f"pooler={value!r}; allowed: None (found out), {', '.join(map(repr, map(str, Pooler)))}"
    raise ValueError(msg)


def refuses_options(error: Exception) -> bool:
    """Whether a pooler refused to begin a session with settings of ours."""
    return "unsupported startup parameter" in str(error)


def settings_of(conninfo: str) -> dict[str, str]:
    """The settings that a session of `conninfo` begins with."""
    options = str(conninfo_to_dict(conninfo).get("options") or "")
    return {
        found["name"].replace("-", "_"): re.sub(r"\\(.)", r"\1", found["value"]) for found in _OPTION.finditer(options)
    }


def comparison(settings: Mapping[str, str]) -> sql.Composed:
    """Each setting as it is and, in the server's own spelling, as it should be, for one row; changes nothing."""
    pairs = [
        sql.SQL("pg_catalog.current_setting({name}, true), pg_catalog.set_config({name}, {value}, true)").format(
            name=sql.Literal(name), value=sql.Literal(value)
        )
        for name, value in settings.items()
    ]
    return sql.SQL("SELECT pg_catalog.pg_backend_pid(), {}").format(sql.SQL(", ").join(pairs))


def not_in_force(settings: Mapping[str, str], row: Sequence[Any]) -> list[str]:
    """The names of those that `row`, the answer to `comparison` without its first column, shows to be something else."""
    return [name for name, now, wanted in zip(settings, row[::2], row[1::2], strict=True) if now != wanted]


def for_the_session(settings: Mapping[str, str]) -> sql.Composed:
    """A statement that sets them until the session ends."""
    return sql.SQL("SELECT {}").format(_calls(settings, local=False))


def for_each_transaction(settings: Mapping[str, str]) -> bytes:
    """SQL that goes behind a BEGIN, in the same message, and sets them until the transaction ends."""
    return sql.SQL("; SELECT {}").format(_calls(settings, local=True)).as_bytes() if settings else b""


def _calls(settings: Mapping[str, str], *, local: bool) -> sql.Composed:
    # Not SET: a list such as search_path would be taken for one name.
    each = "pg_catalog.set_config({}, {}, true)" if local else "pg_catalog.set_config({}, {}, false)"
    return sql.SQL(", ").join(sql.SQL(each).format(*map(sql.Literal, pair)) for pair in settings.items())


class Demands:
    """What a database wants of each of its sessions: `settings`, of which `limits` may be missing between transactions."""

    def __init__(self, name: str, conninfo: str, limits: Collection[str], pooler: Pooler | None) -> None:
        self.settings = settings_of(conninfo)
        self.pooler = pooler
        self._name = name
        self._limits = limits
        self._said = False

    def apply(self, conn: PooledSession, row: Sequence[Any], takes_options: bool) -> str | None:
        """Take note on `conn` of what the answer to `comparison` shows; a reason why it cannot be used, or None."""
        if self.pooler is None and takes_options and row[0] == conn.pid:
            return None
        conn.lent = self.pooler or Pooler.TRANSACTION
        if conn.lent is Pooler.SESSION:
            return None
        conn.prepare_threshold = None  # the next statement may be for another server's session
        missing = not_in_force(self.settings, row[1:])
        conn.limits = for_each_transaction({name: self.settings[name] for name in missing})
        own = [name for name in missing if name not in self._limits]
        if own:
            return (
                f"a connection pooler lends transactions there, so {', '.join(own)} would not be in force for single"
                " statements; set it by ALTER ROLE or ALTER DATABASE, or use the pooler's session mode and"
                " pooler='session'"
            )
        if missing and not self._said:
            self._said = True
            _logger.warning(UNLIMITED, self._name, ", ".join(missing))
        return None
