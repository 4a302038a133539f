"""Sessions that this process found valid a moment ago.

Promises: a bounded number of them, each for a bounded time. What is kept decides nothing alone: limits count by it, and a
request that reads asks the database whether it still holds, in the statement that reads (`http.guarded`).
"""

from __future__ import annotations

import time
from collections import OrderedDict

from sispat.kernel.sessions import Session

__all__ = ["KnownSessions"]

_KEPT_FOR = 60.0  # seconds
_KEPT = 10_000  # sessions


class KnownSessions:
    """By the hash of the token."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()

    def get(self, hashed: bytes) -> Session | None:
        """The session, or None where it has to be looked up."""
        found = self._sessions.get(hashed)
        if found is None:
            return None
        if found[1] < time.monotonic():
            del self._sessions[hashed]
            return None
        return found[0]

    def remember(self, hashed: bytes, session: Session) -> None:
        """It was just found valid."""
        self._sessions[hashed] = session, time.monotonic() + _KEPT_FOR
        if len(self._sessions) > _KEPT:
            self._sessions.popitem(last=False)

    def forget(self, hashed: bytes) -> None:
        """It is not valid, or not as it was."""
        self._sessions.pop(hashed, None)
