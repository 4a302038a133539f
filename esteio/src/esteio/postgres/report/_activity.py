"""Who is connected, who waits for whom.

Promises: statements are shown without their values. A role that may not see other roles' sessions still sees
that they exist and whom they block; such a session is `hidden`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from esteio.postgres._fingerprint import normalised

__all__ = ["LIMIT", "SESSIONS", "Session", "sessions"]

LIMIT = 500
_HIDDEN = "<insufficient privilege>"

SESSIONS = f"""
SELECT pid, coalesce(usename, ''), application_name, coalesce(host(client_addr), ''), coalesce(state, ''),
       coalesce(wait_event_type || ':' || wait_event, ''),
       extract(epoch FROM clock_timestamp() - xact_start)::float8,
       extract(epoch FROM clock_timestamp() - query_start)::float8,
       extract(epoch FROM clock_timestamp() - state_change)::float8,
       CASE WHEN wait_event_type = 'Lock' OR query = '{_HIDDEN}' THEN pg_blocking_pids(pid) ELSE '{{}}' END,
       query
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
   AND coalesce(backend_type, 'client backend') = 'client backend'
 ORDER BY xact_start NULLS LAST, pid
 LIMIT {LIMIT}
"""  # noqa: S608 - our own constants


@dataclass(frozen=True, slots=True)
class Session:
    """One connection of somebody to the database."""

    pid: int
    user: str
    application: str
    client: str
    """Address, or '' for a local socket."""
    state: str
    """As the server says it: `active`, `idle`, `idle in transaction`, ..."""
    waits_for: str
    """`Type:event`, or '' for one that runs."""
    transaction_seconds: float | None
    """Since its transaction began; None outside of one."""
    statement_seconds: float | None
    """Since its present or last statement began."""
    state_seconds: float | None
    """Since it is in its state."""
    blocked_by: tuple[int, ...]
    """Sessions that hold a lock it waits for."""
    blocks: tuple[int, ...]
    """Sessions that wait for one of its locks."""
    statement: str
    """Its present or last statement without values."""
    hidden: bool
    """Whether our role may not see more of it."""

    @property
    def idles_in_transaction(self) -> bool:
        """Whether it holds a transaction open without doing anything."""
        return self.state.startswith("idle in transaction")


def sessions(rows: Sequence[Sequence[Any]]) -> tuple[Session, ...]:
    """The records of the rows of `SESSIONS`."""
    found = tuple(_session(row) for row in rows)
    waiting: dict[int, list[int]] = {}
    for session in found:
        for pid in session.blocked_by:
            waiting.setdefault(pid, []).append(session.pid)
    return tuple(replace(session, blocks=tuple(waiting.get(session.pid, ()))) for session in found)


def _session(row: Sequence[Any]) -> Session:
    *facts, blocked_by, query = row
    hidden = query == _HIDDEN
    statement = "" if hidden else normalised(query or "")
    return Session(*facts, tuple(blocked_by), (), statement, hidden)  # type: ignore[call-arg]
