"""The caller's deadline, as the database keeps it.

Promises: time that is up is the caller's own end, `DeadlineExceeded`: it says nothing about the server, no circuit
breaker counts it, and it costs no connection that still answers.
"""

from __future__ import annotations

from math import inf

from esteio.policy import DeadlineExceeded
from esteio.policy._scope import SCOPE

__all__ = ["LATE_SECONDS", "check_limits", "deadline_passed", "time_left"]

LATE_SECONDS = 0.25
"""How long after the deadline a server that lives may take to stop a statement, to roll back or to answer COMMIT."""


def time_left(limit: float | None) -> float:
    """Seconds for a call that may take `limit` (None: any time), within what a deadline around it leaves; 0.0 or more."""
    expires, now, _ = SCOPE.get()
    left = inf if expires == inf else max(0.0, expires - now())
    return left if limit is None else min(limit, left)


def check_limits(deadline: float | None, attempts: int | None) -> None:
    """ValueError for what `run` cannot keep."""
    if deadline is not None and not deadline >= 0.0:
        msg = f"deadline={deadline!r}; allowed: seconds from 0, or None for no limit but the caller's"
        raise ValueError(msg)
    if attempts is not None and attempts < 1:
        msg = f"attempts={attempts!r}; allowed: a number from 1, or None for the default"
        raise ValueError(msg)


def deadline_passed(database: str | None, limit: float | None = None) -> DeadlineExceeded:
    """The error of a caller of `database` whose time, of `limit` seconds, is up."""
    return DeadlineExceeded("a connection" if database is None else f"database {database}", limit)
