"""What the parts of one pool share, and the lock that guards it.

The discipline of the lock, for `_pool.py`, `_connectors.py`, `_resets.py` and `_sweep.py`:

- Whatever stands in `Guarded`, its state and its queue is read and changed, and their methods are called, with `lock`
  held. Without it are read only `closed`, `state.generation` and whether `state.used` is empty, where a wrong answer
  costs nothing but work. Methods of the parts that want it say "With the lock held".
- With the lock held nobody waits for a server or a caller, emits, or logs (but that there is no thread to be had): that
  is done after it. What happens with it are system calls that do not block: looking at a socket, closing one, starting
  a thread.
- It is reentrant because the garbage collector may run a finalizer that gives a connection back, in any thread at any
  moment, also in one that holds the lock. Such a connection is dropped instead of reset (`Resets.worth_it`).
- `Gate`, `Signal` and `Alarm` have locks of their own, taken after this one and held for one step.
"""

from __future__ import annotations

from collections.abc import Callable

from esteio.postgres._concurrency import Lock
from esteio.postgres._connection import Connection
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted
from esteio.postgres._limits import PoolLimits
from esteio.postgres._state import PoolState
from esteio.postgres._waiting_queue import WaitingQueue

__all__ = ["Guarded"]


class Guarded:
    """The connections of pool `name`, those who wait for one, and whether the server is there."""

    __slots__ = ("closed", "down_since", "last_error", "limits", "lock", "name", "now", "queue", "state")

    def __init__(self, name: str, limits: PoolLimits, now: Callable[[], float]) -> None:
        self.name = name
        self.limits = limits
        self.now = now
        self.closed = "is not open"  # and why; empty while it is open
        self.down_since: float | None = None
        self.last_error: str | None = None
        self.renew()

    def renew(self) -> None:
        """No connections and nobody who waits, and a lock that nobody holds."""
        limits = self.limits
        self.lock = Lock()
        self.state: PoolState[Connection] = PoolState(limits.min_size, limits.max_size, limits.max_idle)
        self.queue = WaitingQueue(limits.max_waiting)

    def offer(self, conn: Connection, now: float) -> None:
        """`conn` is free: for the caller who waits longest, else for whoever comes next."""
        if self.queue.waiters:
            self.state.lend(conn)  # before its caller goes on, who may give it back at once
            self.queue.serve_first(conn, now)
        else:
            conn.idle_since = now
            self.state.idle.append(conn)

    def wanted(self) -> int:
        """Connections to be opened now, those being opened included."""
        return self.state.wanted(len(self.queue.waiters))

    def refusal(self) -> DatabaseUnavailable:
        """The error of a caller who comes while the pool is not open."""
        return DatabaseUnavailable(self.name, f"its pool {self.closed}", retry_after=None, not_sent=True)

    def in_vain(self, waited: float) -> DatabaseUnavailable | PoolExhausted:
        """The error of a caller who got no connection within `waited` seconds."""
        if self.down_since is not None:
            away = self.now() - self.down_since
            reason = f"not reachable for {away:.1f} s ({self.last_error}), no connection within {waited:g} s"
            return DatabaseUnavailable(self.name, reason, not_sent=True)
        return PoolExhausted(
            self.name,
            waited=waited,
            in_use=len(self.state.used),
            size=self.state.size,
            max_size=self.state.max_size,
            waiting=len(self.queue.waiters),
            max_waiting=self.queue.max_waiting,
        )
