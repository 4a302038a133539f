"""The continuous archive: every byte of WAL, received as it is written.

Promises: a service for `esteio.serve` (name, start, is_alive, stop). What pg_receivewal has received is synchronised
before the server is told so, and lies in the spool, a directory of its own: a crash of everything loses what was on its
way, less than a second. The slot keeps WAL on the server while we are away. A heartbeat commits now and then, so that the
archive knows that it is alive, and a quiet database can be restored to any second too. What each store lacks, and a spool
that fills up, is in `status()` and in the file `read_status` reads; nothing is dropped silently.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg

from esteio import events
from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError, ToolFailed
from esteio.backup._problem import brief
from esteio.backup._session import Connection, connect, one
from esteio.backup.archive._inventory import ASIDE, RECEIVED
from esteio.backup.archive._segments import PARTIAL, Segment, lsn_bytes
from esteio.backup.archive._ship import Shipping
from esteio.backup.archive._spool import Limit, Spool, WalGap, fill_up, move_unsorted
from esteio.backup.archive._status import STATUS_FILE, WalStatus, write_status
from esteio.backup.packing import Packing
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["ArchiveFailed", "WalArchive"]

_POLL = 0.1
_WRITE_STATUS = 10.0
_logger = logging.getLogger("esteio.backup")
_SLOT = """
SELECT wal_status, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), restart_lsn)::int8
FROM pg_catalog.pg_replication_slots WHERE slot_name = %s"""


class ArchiveFailed(BackupError):
    """WAL is not being received."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        self.retry_after = 5.0
        super().__init__(f"{name}: WAL is not being received: {reason}; it is tried again")


class WalArchive:
    """Receives the WAL of the server at `dsn()` into the spool below `directory`, and ships it to each of `stores`.

    `packing` is asked once how files are packed, when a store first answers. `limit` bounds the spool. `slot` is the
    replication slot; `heartbeat`, `ship_every` and `partial_every` are seconds, `start_timeout` those that `start` waits
    for the first byte.
    """

    name = "wal archive"

    def __init__(
        self,
        dsn: Callable[[], Dsn],
        directory: Path,
        stores: Stores,
        toolbox: Toolbox,
        packing: Callable[[], Packing],
        *,
        limit: Limit | None = None,
        slot: str = "esteio_wal",
        heartbeat: float = 10.0,
        ship_every: float = 1.0,
        partial_every: float = 60.0,
        start_timeout: float = 30.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self.root = directory / RECEIVED
        self.limit = limit or Limit()
        self._dsn = dsn
        self._toolbox = toolbox
        self._slot = slot
        self._heartbeat = heartbeat
        self._ship_every = ship_every
        self._start_timeout = start_timeout
        self._clock = clock
        self.shipping = Shipping(self.name, stores, packing, self.limit, clock, partial_every=partial_every)
        self._spool: Spool | None = None
        self._ending = threading.Event()
        self._receiver: threading.Thread | None = None
        self._threads: list[threading.Thread] = []
        self._failure = ""
        self._beat_at = float("-inf")

    @property
    def directory(self) -> Path:
        """Where the WAL of the present cluster is received; known once it was started."""
        return self._spool.directory if self._spool else self.root

    # As a service

    def start(self) -> None:
        """Receive; returns when WAL flows, ArchiveFailed when it does not within the start timeout."""
        self.stop(0.0)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._start()
        except DatabaseUnavailable as error:
            self._failure = brief(error)
            self._write_status()
            raise

    def _start(self) -> None:
        with connect(self._dsn()) as conn:
            self._prepare(conn)
            self._ending = threading.Event()
            self._failure = ""
            self._receiver = self._thread(self._receive)
            self._threads = [
                self._thread(shipper.run, self._ending, self._ship_every) for shipper in self.shipping.shippers
            ]
            self._threads += [self._thread(self._watch)]
            self._await_flow(conn)

    def is_alive(self) -> bool:
        """Whether WAL is received, or will be when there is room in the spool."""
        return self._receiver is not None and self._receiver.is_alive()

    def stop(self, timeout: float) -> None:
        """End it, then try once to ship what is complete, unless `timeout` is 0."""
        in_order = self.is_alive()
        self._ending.set()
        for thread in (self._receiver, *self._threads):
            if thread is not None:
                thread.join(max(timeout, 10.0))
        if self._threads and timeout > 0:
            with suppress(Exception):  # it stays in the spool, and is shipped by the next start
                self.shipping.ship()
        if in_order:
            (self.root / STATUS_FILE).unlink(missing_ok=True)
        elif self._receiver is not None:
            self._write_status()  # it did not end because it was told to
        self._receiver, self._threads = None, []

    # Looking at it

    def status(self) -> WalStatus:
        """How it is now."""
        system, slot, lag = self._ask_server()
        received = [stamp for spool in self.shipping.spools for stamp in _written(spool)]
        full = self.shipping.full()
        return WalStatus(
            at=self._clock.time(),
            system=system,
            receiving=self.is_alive() and not full,
            lag=lag,
            received_at=max(received, default=None),
            stores=self.shipping.lags(),
            spool=self.shipping.size(),
            spool_limit=self.limit.bytes,
            free=shutil.disk_usage(self.root).free,
            slot=slot,
            error=self._failure,
        )

    def _ask_server(self) -> tuple[str, str, int | None]:
        known = self._spool.system if self._spool else ""
        try:
            with connect(self._dsn()) as conn:
                row = conn.execute(_SLOT, [self._slot]).fetchone()
        except DatabaseUnavailable:
            return known, "unknown", None
        return (known, row[0] or "unknown", row[1]) if row else (known, "missing", None)

    def _write_status(self) -> None:
        try:
            write_status(self.root, self.status())
        except (OSError, BackupError) as error:
            _logger.warning("%s: how it is cannot be written to %s: %s", self.name, self.root / STATUS_FILE, error)

    # At work

    def _thread(self, run: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=run, args=arguments, name=f"esteio {self.name}", daemon=True)
        thread.start()
        return thread

    def _prepare(self, conn: Connection) -> None:
        """The spools, and a slot that holds WAL from now on, unless there is one that does already."""
        system = str(one(conn, "SELECT system_identifier FROM pg_catalog.pg_control_system()"))
        size = int(one(conn, "SELECT bytes_per_wal_segment FROM pg_catalog.pg_control_init()"))
        move_unsorted(self.root, system)
        (self.root / system).mkdir(mode=0o700, exist_ok=True)
        self._spool = Spool(self.root / system)
        for path in self._spool.partial():
            fill_up(path, size)
        about = "SELECT wal_status, restart_lsn::text FROM pg_catalog.pg_replication_slots WHERE slot_name = %s"
        found, begins = conn.execute(about, [self._slot]).fetchone() or (None, None)
        if found == "lost":
            events.emit(WalGap(self.name, self._slot))
            conn.execute("SELECT pg_catalog.pg_drop_replication_slot(%s)", [self._slot])
        if found is None or found == "lost":
            # Another slot begins elsewhere, perhaps on another timeline; pg_receivewal goes on from what lies here.
            self._set_aside()
            conn.execute("SELECT pg_catalog.pg_create_physical_replication_slot(%s, true)", [self._slot])
        elif begins is not None and self._ends_before(lsn_bytes(begins), size):
            # Another machine has received since, or Patroni made a lost slot anew: what comes next here may be gone from the
            # server, which then would refuse us for ever. What lacks in the stores, `status` and `base_backup_due` find.
            self._set_aside()
        # What other clusters left here, and what was set aside, is shipped too, first: it was there before.
        closed = [path for path in (*self.root.glob("[0-9]*"), *self.root.glob(f"{ASIDE}/[0-9]*")) if path.is_dir()]
        others = [Spool(path, closed=True) for path in sorted(closed) if path != self._spool.directory]
        self.shipping.spools = (*others, self._spool)

    def _ends_before(self, position: int, size: int) -> bool:
        """Whether pg_receivewal would go on, from what lies in the spool, before the segment with `position`."""
        assert self._spool is not None
        unfinished = [Segment.parse(path.name.removesuffix(PARTIAL), size) for path in self._spool.partial()]
        finished = [Segment.parse(path.name, size) for path in self._spool.complete()]
        wanted = [*(each for each in unfinished if each), *(each.next for each in finished if each)]
        return bool(wanted) and max(each.number for each in wanted) < position // size

    def _set_aside(self) -> None:
        """Move what lies in the spool to where it is shipped from, but nothing goes on from."""
        assert self._spool is not None
        aside = self.root / ASIDE / self._spool.system
        for path in (*self._spool.complete(), *self._spool.partial()):
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.rename(aside / path.name)

    def _receive(self) -> None:
        """Run pg_receivewal as long as there is room; what it does not take the server keeps."""
        try:
            while not self._ending.is_set():
                if self.shipping.full():
                    self._ending.wait(self._ship_every)
                elif not self._receive_until_full():
                    return
        except (BackupError, OSError) as error:
            self._failure = brief(error)

    def _receive_until_full(self) -> bool:
        """Whether it was stopped here; False when it ended by itself. ToolFailed when it ended badly."""
        assert self._spool is not None
        arguments = [f"--directory={self._spool.directory}", f"--slot={self._slot}", "--synchronous", "--no-loop"]
        arguments += ["--no-password", "--status-interval=1"]
        stopped = False
        try:
            with self._toolbox.start("pg_receivewal", arguments, dsn=self._dsn()) as running:
                while running.is_alive() and not self._ending.wait(_POLL) and not self.shipping.full():
                    pass
                stopped = running.is_alive()
                if stopped:
                    running.stop()
        except ToolFailed:
            if not stopped:
                raise
        return stopped

    def _watch(self) -> None:
        """Beat, and say how it is, as long as it is received."""
        wrote_at = float("-inf")
        while not self._ending.wait(min(1.0, self._ship_every)):
            if self.is_alive():
                self._beat()
            if self._clock.monotonic() - wrote_at >= _WRITE_STATUS:
                wrote_at = self._clock.monotonic()
                self._write_status()

    def _beat(self) -> None:
        if self._clock.monotonic() - self._beat_at < self._heartbeat:
            return
        self._beat_at = self._clock.monotonic()
        with suppress(DatabaseUnavailable, psycopg.Error), connect(self._dsn()) as conn:
            conn.execute("SELECT pg_catalog.pg_current_xact_id()")  # a transaction with an id commits in the log

    def _await_flow(self, conn: Connection) -> None:
        deadline = self._clock.monotonic() + self._start_timeout
        flows = "SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = %s"
        assert self._spool is not None
        while not self.shipping.full() and not (one(conn, flows, [self._slot]) and self._spool.partial()):
            if not self.is_alive() or self._clock.monotonic() > deadline:
                self._failure = self._failure or DetailCode.NOTHING_RECEIVED(seconds=self._start_timeout)
                reason = self._failure
                self._ending.set()
                if self._receiver is not None:
                    self._receiver.join(10.0)
                self.stop(0.0)
                raise ArchiveFailed(self.name, reason)
            self._clock.sleep(_POLL)


def _written(spool: Spool) -> list[float]:
    """When each of its files was last written, in seconds since the epoch."""
    found = []
    for path in (*spool.complete(), *spool.partial()):
        with suppress(FileNotFoundError):
            found.append(path.stat().st_mtime)
    return found
