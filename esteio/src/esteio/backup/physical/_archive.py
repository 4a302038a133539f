"""The continuous archive: every byte of the write-ahead log, received as it is written.

Promises: a service for `esteio.serve` (name, start, is_alive, stop). What pg_receivewal has received is synchronised
before the server is told so, and lies in a directory of its own: a crash of everything loses what was on its way, less
than a second. The slot keeps the log on the server while we are away. A heartbeat commits now and then, so that the
archive knows that it is alive, and a quiet database can be restored to any second too. Nothing is dropped silently: log
that is missing is a gap in `status()`.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg

from esteio import events
from esteio.backup._errors import BackupError
from esteio.backup._session import Connection, connect, one
from esteio.backup.packing import Packing
from esteio.backup.physical._events import WalGap, WalNotShipped
from esteio.backup.physical._inventory import RECEIVED, inventory
from esteio.backup.physical._segments import Segment, gaps
from esteio.backup.physical._shipping import PARTIAL, Shipping, fill_up
from esteio.backup.physical._status import WalStatus
from esteio.backup.store import AllStoresFailed, Stores
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["ArchiveFailed", "WalArchive"]

_POLL = 0.1


class ArchiveFailed(BackupError):
    """The log is not being received."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        self.retry_after = 5.0
        super().__init__(f"{name}: the log is not being received: {reason}; it is tried again")


class WalArchive:
    """Receives the log of the server at `dsn()` below `directory`, and ships it to `stores`.

    `slot` is the replication slot; `heartbeat`, `ship_every` and `partial_every` are seconds, `start_timeout` those
    that `start` waits for the first byte.
    """

    name = "wal archive"

    def __init__(
        self,
        dsn: Callable[[], Dsn],
        directory: Path,
        stores: Stores,
        toolbox: Toolbox,
        packing: Packing,
        *,
        slot: str = "esteio_wal",
        heartbeat: float = 10.0,
        ship_every: float = 1.0,
        partial_every: float = 60.0,
        start_timeout: float = 30.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self.directory = directory / RECEIVED
        self._dsn = dsn
        self._stores = stores
        self._toolbox = toolbox
        self._slot = slot
        self._heartbeat = heartbeat
        self._ship_every = ship_every
        self._partial_every = partial_every
        self._start_timeout = start_timeout
        self._clock = clock
        self._shipping = Shipping(self.name, self.directory, stores, packing, clock)
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failure = ""
        self._ship_error = ""
        self._beat_at = float("-inf")

    # As a service

    def start(self) -> None:
        """Receive; returns when the log flows, ArchiveFailed when it does not within the start timeout.

        AllStoresFailed when the slot is new and what was received from another can't be shipped before.
        """
        self.stop(0.0)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with connect(self._dsn()) as conn:
            self._prepare(conn)
            self._ending.clear()
            self._failure = ""
            for run in (self._receive, self._work):
                thread = threading.Thread(target=run, name=f"esteio {self.name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._await_flow(conn)

    def is_alive(self) -> bool:
        """Whether pg_receivewal runs."""
        return bool(self._threads) and self._threads[0].is_alive()

    def stop(self, timeout: float) -> None:
        """End it, then ship what is complete, unless `timeout` is 0."""
        self._ending.set()
        for thread in self._threads:
            thread.join(max(timeout, 10.0))
        if self._threads and timeout > 0:
            self._ship()
        self._threads = []

    # Looking at it

    def status(self, since: str | None = None) -> WalStatus:
        """How it is; gaps count from the segment named `since` on: the newest base backup's first."""
        size, slot, lag = self._ask_server()
        waiting = self._shipping.waiting()
        now = self._clock.time()
        received = self._shipping.written(self.directory.iterdir())
        missing, error = self._missing(since, size)
        return WalStatus(
            at=now,
            receiving=self.is_alive(),
            lag=lag,
            received_at=max(received, default=None),
            waiting=len(waiting),
            waited=max((now - written for written in self._shipping.written(waiting)), default=0.0),
            gaps=missing,
            free=shutil.disk_usage(self.directory).free,
            slot=slot,
            error=self._ship_error or error,
        )

    def _missing(self, since: str | None, size: int) -> tuple[tuple[tuple[Segment, Segment], ...], str]:
        """The gaps, and why they can't be known."""
        try:
            known = [wal.segment for wal in inventory(self._stores, self.directory, size)]
        except AllStoresFailed as error:
            return (), str(error)
        return gaps(known, Segment.parse(since, size) if since else None), ""

    def _ask_server(self) -> tuple[int, str, int | None]:
        try:
            with connect(self._dsn()) as conn:
                size = one(conn, "SELECT bytes_per_wal_segment FROM pg_catalog.pg_control_init()")
                row = conn.execute(
                    "SELECT wal_status, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), restart_lsn)::int8"
                    " FROM pg_catalog.pg_replication_slots WHERE slot_name = %s",
                    [self._slot],
                ).fetchone()
        except DatabaseUnavailable:
            return 1 << 24, "unknown", None
        return (size, row[0] or "unknown", row[1]) if row else (size, "missing", None)

    # At work

    def _prepare(self, conn: Connection) -> None:
        """A slot that holds the log from now on, unless there is one that does already."""
        found = one(conn, "SELECT wal_status FROM pg_catalog.pg_replication_slots WHERE slot_name = %s", [self._slot])
        if found == "lost":
            events.emit(WalGap(self.name, self._slot))
            conn.execute("SELECT pg_catalog.pg_drop_replication_slot(%s)", [self._slot])
        size = one(conn, "SELECT bytes_per_wal_segment FROM pg_catalog.pg_control_init()")
        for path in self.directory.glob("*" + PARTIAL):
            fill_up(path, size)
        if found is None or found == "lost":
            # Another slot begins elsewhere, perhaps on another timeline; pg_receivewal goes on from what lies here.
            self._shipping.set_aside()
            conn.execute("SELECT pg_catalog.pg_create_physical_replication_slot(%s, true)", [self._slot])

    def _receive(self) -> None:
        arguments = [f"--directory={self.directory}", f"--slot={self._slot}", "--synchronous", "--no-loop"]
        arguments += ["--no-password", "--status-interval=1"]
        try:
            with self._toolbox.start("pg_receivewal", arguments, dsn=self._dsn()) as running:
                while running.is_alive() and not self._ending.wait(_POLL):
                    pass
                if self._ending.is_set():
                    running.stop()
        except (BackupError, OSError) as error:
            if not self._ending.is_set():
                self._failure = str(error)

    def _work(self) -> None:
        receiver = self._threads[0]
        while receiver.is_alive() and not self._ending.wait(self._ship_every):
            self._ship()
            self._beat()

    def _ship(self) -> None:
        try:
            self._shipping.ship()
            self._shipping.ship_partial(every=self._partial_every)
        except Exception as error:  # noqa: BLE001 - whatever it is, the log goes on being received, and it is told
            if not self._ship_error:
                events.emit(WalNotShipped(self.name, error))
            self._ship_error = str(error)
        else:
            self._ship_error = ""

    def _beat(self) -> None:
        if self._clock.monotonic() - self._beat_at < self._heartbeat:
            return
        self._beat_at = self._clock.monotonic()
        with suppress(DatabaseUnavailable, psycopg.Error), connect(self._dsn()) as conn:
            conn.execute("SELECT pg_catalog.pg_current_xact_id()")  # a transaction with an id commits in the log

    def _await_flow(self, conn: Connection) -> None:
        deadline = self._clock.monotonic() + self._start_timeout
        flows = "SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = %s"
        while not (one(conn, flows, [self._slot]) and any(self.directory.glob("*" + PARTIAL))):
            if not self.is_alive() or self._clock.monotonic() > deadline:
                reason = self._failure or f"nothing came within {self._start_timeout:g} s"
                self.stop(0.0)
                raise ArchiveFailed(self.name, reason)
            self._clock.sleep(_POLL)
