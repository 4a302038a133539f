"""One connection that knows whether it is still worth handing out.

Promises: `stale` costs microseconds and never blocks: an idle PostgreSQL session has nothing to say,
so a socket that is readable or closed belongs to a session that ended. A connection that died without
a word (a cut cable) is found by TCP keepalives, not here.
"""

from __future__ import annotations

import select
import sys
from typing import Any

from psycopg import AsyncConnection
from psycopg.pq import ConnStatus, TransactionStatus

__all__ = ["Connection"]


class Connection(AsyncConnection[Any]):
    """A psycopg connection with what its pool remembers about it."""

    expires_at: float = 0.0
    """Monotonic seconds after which the pool replaces it."""
    idle_since: float = 0.0
    _watched: Any = None

    def stale(self) -> bool:
        """Whether this idle connection can no longer be used."""
        watched = self._watched
        if watched is None:
            watched = self._watched = _watch(self.pgconn.socket)
        return bool(watched(0)) or self.pgconn.status != ConnStatus.OK

    def reusable(self) -> bool:
        """Whether it is open, idle and outside of any transaction."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE and self._pipeline is None

    def drop(self) -> None:
        """Close at once, without waiting for anybody."""
        self.pgconn.finish()


if sys.platform == "win32":

    def _watch(fd: int) -> Any:
        return lambda seconds: select.select([fd], [], [], seconds)[0]

else:

    def _watch(fd: int) -> Any:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return poller.poll
