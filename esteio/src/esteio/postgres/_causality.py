"""Reading one's own writes from replicas.

Promises: inside of `with database.session():` a read with `read_only=True` sees every write that the session
made before; the token carries that over to the next request, on whatever process. Without a session such a
read sees what its replica has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

from esteio.postgres._replication import Replication, format_lsn, parse_lsn

__all__ = ["CURRENT", "Session", "session"]


class Session:
    """What one reader has seen of the write-ahead log."""

    __slots__ = ("_lsn", "_written")

    def __init__(self, token: str | None = None) -> None:
        self._lsn = 0 if token is None else parse_lsn(token)
        self._written = -inf  # when it last wrote without learning where; -inf: never

    @property
    def token(self) -> str | None:
        """The position to hand to `session(token)` later; None when nothing was written.

        After a write outside of `run` and `transaction` it may lack that write until it is measured.
        """
        return format_lsn(self._lsn) if self._lsn else None

    def wrote(self, lsn: int | None, now: float) -> None:
        """A write was committed, at or before `lsn` when that is known."""
        if lsn is None:
            self._written = now
        else:
            self._lsn = max(self._lsn, lsn)

    def needed(self, replication: Replication) -> int | None:
        """The position that a replica must have replayed; None: only the primary will do."""
        if self._written > -inf:
            passed = replication.passed(self._written)
            if passed is None:
                return None
            self._lsn, self._written = max(self._lsn, passed), -inf
        return self._lsn


CURRENT: ContextVar[Session | None] = ContextVar("esteio.postgres.session", default=None)


@contextmanager
def session(token: str | None = None) -> Iterator[Session]:
    """A session that has seen what `token` says; ValueError when it is malformed."""
    own = Session(token)
    before = CURRENT.set(own)
    try:
        yield own
    finally:
        CURRENT.reset(before)
