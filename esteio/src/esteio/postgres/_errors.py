"""What can go wrong with the database, in Esteio's own words.

Promises: `translate` is the one place where a driver's error becomes ours; it maps what a caller can
react to - unavailable, too slow, in conflict - and leaves every other error (a constraint, a syntax
error) as the driver raised it.
"""

from __future__ import annotations

import psycopg

from esteio.errors import EsteioError

__all__ = ["DatabaseUnavailable", "PoolExhausted", "SerializationConflict", "StatementTimeout", "translate"]


class DatabaseUnavailable(EsteioError):
    """No usable connection: the server is away, starting, stopping, or cut the connection."""

    def __init__(self, name: str, reason: str, *, sqlstate: str | None = None, retry_after: float | None = 1.0) -> None:
        self.name = name
        self.reason = reason
        self.sqlstate = sqlstate
        self.retry_after = retry_after
        advice = "" if retry_after is None else f"; it reconnects by itself, try again in {retry_after:g} s"
        super().__init__(f"database {name!r} is unavailable: {reason}{advice}")


class PoolExhausted(EsteioError):
    """Every connection is in use, and the wait for one was too long or the queue too full."""

    def __init__(
        self, name: str, *, waited: float, in_use: int, size: int, max_size: int, waiting: int, max_waiting: int
    ) -> None:
        self.name = name
        self.waited = waited
        self.in_use = in_use
        self.size = size
        self.max_size = max_size
        self.waiting = waiting
        self.max_waiting = max_waiting
        self.retry_after = 1.0
        limit = f"none came free within {waited:g} s" if waited else "the queue is full"
        super().__init__(
            f"pool {name!r} is exhausted: {in_use} of at most {max_size} connections in use ({size} open), "
            f"{waiting} of at most {max_waiting} callers waiting, {limit}; "
            "hold connections for a shorter time or raise connection_limit"
        )


class StatementTimeout(EsteioError):
    """The server stopped a statement that ran longer than the session allows."""

    def __init__(self, name: str, detail: str, *, limit_ms: int) -> None:
        self.name = name
        self.detail = detail
        self.limit_ms = limit_ms
        super().__init__(
            f"database {name!r} stopped a statement: {detail} (statement_timeout is {limit_ms} ms); "
            "make the query cheaper or raise statement_timeout"
        )


class SerializationConflict(EsteioError):
    """Two transactions got in each other's way; the whole transaction may be tried again."""

    def __init__(self, name: str, detail: str, *, sqlstate: str) -> None:
        self.name = name
        self.detail = detail
        self.sqlstate = sqlstate
        self.retry_after = 0.0
        super().__init__(
            f"database {name!r} rolled back a transaction: {detail} (SQLSTATE {sqlstate}); "
            "run the whole transaction again"
        )


_CONFLICT = frozenset({"40001", "40P01"})
_AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "53300"})
_CANCELED = "57014"


def is_connection_loss(error: BaseException) -> bool:
    """Whether `error` says that the connection or its server is gone."""
    if not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:  # libpq's own errors carry none
        return isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.PipelineAborted)
    return state.startswith("08") or state in _AWAY


def translate(error: BaseException, name: str, statement_timeout_ms: int) -> EsteioError | None:
    """The Esteio error that `error` of database `name` means, or None where it shall pass unchanged."""
    if not isinstance(error, psycopg.Error):
        return None
    text = first_line(error)
    state = error.sqlstate
    if state in _CONFLICT:
        return SerializationConflict(name, text, sqlstate=str(state))
    if state == _CANCELED and "timeout" in text:  # the same code also tells of a cancel by an administrator
        return StatementTimeout(name, text, limit_ms=statement_timeout_ms)
    if is_connection_loss(error):
        return DatabaseUnavailable(name, text, sqlstate=state)
    return None


def first_line(error: BaseException) -> str:
    """What `error` says, shortened to its first line."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
