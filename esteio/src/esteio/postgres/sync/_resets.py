# Generated from ../_resets.py by tools/async_to_sync.py: change that file and run the tool.
"""Undoes in a session what its borrower changed, before the next one gets the connection.

Promises: a connection whose reset fails, or takes longer than two seconds, is replaced. Under asyncio the borrower does
not wait for it: a task does it, and has the connection in use until then; a thread does it at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.postgres._errors import first_line
from esteio.postgres.sync._concurrency import TimeLimit, Worker
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._guarded import Guarded

__all__ = ["Resets"]

_logger = logging.getLogger("esteio.postgres")

_SECONDS = 2.0


class Resets:
    """The resets that are under way; `returned` is called with each connection when its own has ended."""

    def __init__(
        self,
        guarded: Guarded,
        refresh: Callable[[SyncConnection], None],
        reset: Callable[[SyncConnection], None] | None,
        bound: Callable[[SyncConnection, float], None],
        returned: Callable[[SyncConnection], None],
    ) -> None:
        self._guarded = guarded
        self._refresh = refresh
        self._reset = reset
        self._bound = bound
        self._returned = returned
        self._running: dict[Worker, SyncConnection] = {}

    def needed(self, conn: SyncConnection) -> bool:
        """Whether `conn`, given back, has to be reset, and is worth it."""
        changed = conn.put_back() or self._reset is not None
        return changed and not self._guarded.closed and self.worth_it(conn)

    def worth_it(self, conn: SyncConnection) -> bool:
        """Whether `conn` could be handed out again."""
        if conn.generation != self._guarded.state.generation or not conn.reusable():
            return False
        if self._guarded.lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001
            conn.drop()  # a finalizer, while the state is being changed: it must not wait for a server now
        return not conn.closed

    def begin(self, conn: SyncConnection) -> None:
        """Reset `conn`, which stays in use until then."""
        worker = Worker(f"pool {self._guarded.name}: reset")
        with self._guarded.lock:
            self._running[worker] = conn
        try:
            worker.run(self._run, conn, worker)
        except RuntimeError:  # no event loop runs any more
            conn.drop()
            self._ended(conn, worker)

    def cancel(self) -> None:
        """End all that are under way, as the pool is closed."""
        with self._guarded.lock:
            running = dict(self._running)
        for worker, conn in running.items():
            worker.cancel()
            if worker.join(_SECONDS) and worker in self._running:  # it was cancelled before it had begun
                conn.drop()
                self._ended(conn, worker)

    def _run(self, conn: SyncConnection, worker: Worker) -> None:
        self._bound(conn, self._guarded.now() + _SECONDS)
        scope = SCOPE.set(OPEN_END)  # the borrower's deadline, which may have passed, has nothing to do with it
        try:
            with TimeLimit(_SECONDS):
                if self._reset is not None:
                    self._reset(conn)
                if conn.put_back():
                    self._refresh(conn)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody gets a session that is not as it was
            name, reason = self._guarded.name, first_line(error)
            _logger.warning("pool %s: a connection could not be reset and is replaced: %s", name, reason)
            conn.drop()
        except BaseException:
            conn.drop()
            raise
        finally:
            leave(scope)
            self._ended(conn, worker)

    def _ended(self, conn: SyncConnection, worker: Worker) -> None:
        with self._guarded.lock:
            self._running.pop(worker, None)
        self._returned(conn)
