"""Who has which connection, and which of them still count. Pure.

Promises: at most `max_size` connections; one that ended while idle (more than a millisecond after its last answer),
that is of an older generation or whose server changed its role is never handed out again. A new generation closes
what is idle at once and what is in use when it comes back. One that its borrower has lost, so that nobody refers to
it, is no longer counted.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Generic, Protocol, TypeVar
from weakref import ref

from esteio.postgres._hosts import Role

__all__ = ["Kept", "PoolState"]


class Kept(Protocol):
    """What the state must know of a connection."""

    generation: int
    expires_at: float
    idle_since: float
    answered_at: float
    role: Role
    is_cut: bool

    def stale(self) -> bool:
        """Whether it ended while idle."""
        ...

    def reusable(self) -> bool:
        """Whether it is open, idle and outside of any transaction."""
        ...

    def role_changed(self) -> bool:
        """Whether its server says that it is something else than when it was opened."""
        ...

    def drop(self) -> None:
        """Close it at once."""
        ...


C = TypeVar("C", bound=Kept)

_READ_ONLY = (Role.READ_ONLY, Role.STANDBY)
_AGAIN_SECONDS = 1.0
# Whose server answered a moment ago need not be looked at. The look is a system call that lets other threads run: with
# more threads than connections, one for each hand-over, under the pool's lock, cost a fifth of the throughput.
_FRESH_SECONDS = 0.001


class PoolState(Generic[C]):
    """The state of one pool; the caller serialises."""

    def __init__(self, min_size: int, max_size: int, max_idle: float) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.max_idle = max_idle
        self.generation = 0
        self.idle: deque[C] = deque()  # the most recently used at the right
        # Weak, so that a connection which its borrower lost is closed by Python like any other object, and its place is
        # free again: whether somebody still has it need not be guessed. A WeakSet would be three times as slow.
        self.used: dict[int, ref[C]] = {}
        self.lost = 0
        self._invalidated_at = -inf

    @property
    def size(self) -> int:
        """Open connections."""
        return len(self.idle) + len(self.used)

    def lend(self, conn: C) -> None:
        """`conn` is in use."""
        self.used[id(conn)] = ref(conn)

    def in_use(self) -> list[C]:
        """The connections that are in use, as far as somebody refers to them."""
        return [conn for each in tuple(self.used.values()) if (conn := each()) is not None]

    def take(self, now: float) -> C | None:
        """An idle connection that can be used, now in use; None when there is none."""
        while self.idle:
            conn = self.idle.pop()
            if now - conn.answered_at < _FRESH_SECONDS or not conn.stale():
                self.used[id(conn)] = ref(conn)
                return conn
            self.lost += 1
            conn.drop()
        return None

    def resize(self, min_size: int, max_size: int) -> None:
        """New limits: idle connections above the maximum end now, those in use when they come back."""
        self.min_size, self.max_size = min_size, max_size
        while self.idle and self.size > max_size:
            self.idle.popleft().drop()

    def wanted(self, waiting: int) -> int:
        """Connections to be opened now for `waiting` callers, those being opened included."""
        size = len(self.idle) + len(self.used)
        return 0 if size >= self.max_size else min(max(self.min_size - size, waiting), self.max_size - size)

    def returned(self, conn: C, now: float, *, wanted: bool) -> bool:
        """`conn` is no longer in use; whether it may go on. If not, it is closed.

        `wanted`: the next caller waits for it already, so it is looked at now and not when it is taken.
        """
        self.used.pop(id(conn), None)
        if conn.generation != self.generation:
            conn.drop()
            return False
        if not conn.reusable() or (wanted and now - conn.answered_at >= _FRESH_SECONDS and conn.stale()):
            self.lost += 1
            conn.drop()
            return False
        if conn.role_changed():
            conn.drop()
            self.invalidate_all()
            return False
        if conn.expires_at <= now or len(self.idle) + len(self.used) >= self.max_size:
            conn.drop()
            return False
        return True

    def invalidate(self, conn: C, now: float, *, silent: bool = False) -> bool:
        """`conn`, in use, has shown that its server is gone or only reads; whether that is a new generation.

        It is none when we have cut `conn` ourselves, unless it was `silent` for longer than a living server is; nor
        more than once a second when the server only read already as `conn` was opened: then who only reads can go on,
        and a changed address is found all the same.
        """
        if (conn.is_cut and not silent) or conn.generation != self.generation:
            return False
        if conn.role in _READ_ONLY and now - self._invalidated_at < _AGAIN_SECONDS:
            return False
        self._invalidated_at = now
        self.lost += 1
        self.invalidate_all()
        return True

    def invalidate_all(self) -> None:
        """The server is not what it was: a new generation."""
        self.generation += 1
        while self.idle:
            conn = self.idle.pop()
            self.lost += conn.stale()
            conn.drop()

    def sweep(self, now: float) -> None:
        """Close idle connections that have ended, are past their time, or have long been superfluous."""
        for key, each in tuple(self.used.items()):  # a finalizer may give a connection back in the middle of this
            if each() is None:
                self.used.pop(key, None)
        for conn in tuple(self.idle):
            if conn.stale():
                self.lost += 1
            elif conn.expires_at > now and not self._superfluous(conn, now):
                continue
            self.idle.remove(conn)
            conn.drop()

    def _superfluous(self, conn: C, now: float) -> bool:
        return now - conn.idle_since > self.max_idle and self.size > self.min_size
