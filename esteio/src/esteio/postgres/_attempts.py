"""What `run` does after an error: run the function again, find out what became of its COMMIT, or give up. Pure.

Promises: again only where nothing can have been committed, or where only reading was allowed; never after
a cancellation, never after the deadline, never more often than allowed; our own rejections and the caller's
errors pass at once.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf

import psycopg

from esteio.postgres._backoff import conflict_delay, reconnect_delay
from esteio.postgres._errors import Category, category, is_connection_loss
from esteio.postgres._hosts import Role

__all__ = ["Attempts", "ErrorKind", "classify"]

_READ_ONLY = "25006"
_STALE_PLAN = "0A000"


class ErrorKind(StrEnum):
    """What an error says about the connection it happened on."""

    LOST = "connection lost"
    DEMOTED = "the server only reads"
    OUTDATED = "the schema changed under a prepared statement"
    CONFLICT = "conflict"
    OTHER = "other"

    @property
    def ends_generation(self) -> bool:
        """Whether the other connections to that server are no better."""
        return self in (ErrorKind.LOST, ErrorKind.DEMOTED, ErrorKind.OUTDATED)

    @property
    def before_it_ran(self) -> bool:
        """Whether the server refused the statement, so that it may be sent again whatever it does."""
        return self in (ErrorKind.DEMOTED, ErrorKind.OUTDATED)


def classify(error: BaseException, role: Role = Role.UNKNOWN) -> ErrorKind:
    """The kind of `error`, which came from the driver or from a function of the caller, on a server that is a `role` now.

    A primary that refuses to write was told so by the caller's own statements.
    """
    if not isinstance(error, psycopg.Error):
        return ErrorKind.OTHER  # of another database, or the caller's own
    if error.sqlstate is None and is_connection_loss(error):
        return ErrorKind.LOST  # whatever libpq's words are: the session was open already
    match category(error):
        case Category.CONFLICT:
            return ErrorKind.OUTDATED if error.sqlstate == _STALE_PLAN else ErrorKind.CONFLICT
        case Category.FAILOVER if error.sqlstate != _READ_ONLY:
            return ErrorKind.LOST
        case Category.FAILOVER if role is not Role.PRIMARY:
            return ErrorKind.DEMOTED
    return ErrorKind.OTHER


class Attempts:
    """The attempts of one call; it began at `now` and may begin none at or after `expires`."""

    __slots__ = ("_conflicts", "_expires", "_first_loss", "_losses", "_random", "attempt", "limit")

    def __init__(self, limit: int, expires: float, random: Callable[[], float]) -> None:
        self.limit = limit
        self.attempt = 1
        self._expires = expires
        self._random = random
        self._conflicts = self._losses = 0
        self._first_loss = inf

    def again(self, kind: ErrorKind, now: float) -> float | None:
        """Seconds to wait before the next attempt after one that committed nothing; None: give up."""
        if kind is ErrorKind.OTHER or self.attempt >= self.limit:
            return None
        wait = self._wait(kind, now)
        if now + wait >= self._expires:
            return None
        self.attempt += 1
        return wait

    def _wait(self, kind: ErrorKind, now: float) -> float:
        if kind is ErrorKind.CONFLICT:
            self._conflicts += 1
            return conflict_delay(self._conflicts, random=self._random)
        self._losses += 1
        self._first_loss = min(self._first_loss, now)
        if self._losses == 1:
            return 0.0  # the pool already knows, and lets callers wait for a connection
        return reconnect_delay(self._losses, now - self._first_loss, random=self._random)
