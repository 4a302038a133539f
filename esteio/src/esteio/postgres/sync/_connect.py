"""Opening a connection, in a thread, to the server that is wanted, of all there are.

Promises: what asyncio's opener promises: the likeliest server is asked first; when it is silent for a moment the
next is asked as well, and when it fails the next at once; who answers first as wanted is taken. A thread whose
server stays silent ends with libpq's connect_timeout and closes what it may have got.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from threading import Lock, Thread, Timer
from typing import Any

import psycopg
from psycopg.rows import RowFactory, tuple_row

from esteio import events
from esteio.clock import Clock
from esteio.postgres._connect import CONFIGURE_SECONDS, check_configured
from esteio.postgres._errors import DatabaseUnavailable, first_line, is_configuration, translate
from esteio.postgres._events import FailedOver
from esteio.postgres._hosts import Fleet, Host, Role, Target
from esteio.postgres._identity import ORIGIN, read_origin
from esteio.postgres._outcome import History
from esteio.postgres._pooler import Demands, Pooler, comparison, for_the_session, refuses_options
from esteio.postgres._restore import RESET
from esteio.postgres._watch import Watch
from esteio.postgres.sync._connection import SyncConnection

__all__ = ["SyncOpener"]

_logger = logging.getLogger("esteio.postgres")

_STAGGER = 0.25
_IDENTITY_SECONDS = 3.0
_Answer = tuple[Host, SyncConnection | Exception]


class SyncOpener:
    """Opens connections to whichever of `fleet` is `target`; used by several threads at once."""

    def __init__(
        self,
        fleet: Fleet,
        history: History,
        target: Target,
        *,
        name: str,
        prepare_threshold: int | None,
        clock: Clock,
        watch: Watch | None = None,
        demands: Demands,
        row_factory: RowFactory[Any] = tuple_row,
        configure: Callable[[SyncConnection], None] | None = None,
    ) -> None:
        self._fleet = fleet
        self._history = history
        self._target = target
        self._name = name
        self._prepare_threshold = prepare_threshold
        self._clock = clock
        self._watch = watch
        self._demands = demands
        self._row_factory = row_factory
        self._configure = configure
        self._last: Host | None = None
        self.failovers = 0
        self._lock = Lock()  # the fleet and the history are pure and know nothing of threads

    def wait(self) -> float:
        """Seconds until an attempt makes sense."""
        with self._lock:
            return self._fleet.wait(self._clock.monotonic())

    def refusal(self) -> DatabaseUnavailable | None:
        """Why no attempt makes sense for now."""
        with self._lock:
            return self._fleet.refusal()

    def open(self) -> SyncConnection:
        """A connection; psycopg's error, or DatabaseUnavailable, when there is none to be had now."""
        with self._lock:
            hosts = self._fleet.candidates(self._target, self._clock.monotonic())
        if len(hosts) == 1:
            return self._attempt(hosts[0])
        return self._race(hosts)

    def refresh(self, conn: SyncConnection) -> None:
        """Make the session of `conn` what it was when it was opened; any exception says that it is not."""
        conn.forget_prepared()
        conn.execute(RESET, prepare=False)
        self._make_ready(conn)

    def _race(self, hosts: list[Host]) -> SyncConnection:
        race = _Race()
        running: dict[Host, float] = {}
        second_best: SyncConnection | None = None
        error: Exception = DatabaseUnavailable(self._name, self._why_not())
        try:
            while hosts or running:
                if hosts:
                    running[hosts[0]] = self._clock.monotonic()
                    self._begin(hosts.pop(0), race)
                answer = race.wait(_STAGGER if hosts or second_best else None)
                if answer is None:
                    if not hosts:
                        break
                    continue
                host, result = answer
                del running[host]
                if isinstance(result, Exception):
                    error = result
                elif self._is_best(result):
                    self._outrun(running)
                    return result
                elif second_best is None:
                    second_best = result
                else:
                    result.drop()
            if second_best is None:
                raise error
            result, second_best = second_best, None
            return result
        finally:
            if second_best is not None:
                second_best.drop()
            race.end()

    def _is_best(self, conn: SyncConnection) -> bool:
        return self._target is not Target.PREFER_STANDBY or conn.role is Role.STANDBY

    def _begin(self, host: Host, race: _Race) -> None:
        def attempt() -> None:
            try:
                race.finish(host, self._attempt(host))
            except Exception as error:  # noqa: BLE001 - whatever it is, the next server is asked
                race.finish(host, error)

        try:
            Thread(target=attempt, name=f"{self._name}: connect to {host.address}", daemon=True).start()
        except RuntimeError as error:  # the system has no thread for us now
            race.finish(host, error)

    def _outrun(self, running: dict[Host, float]) -> None:
        now = self._clock.monotonic()
        for host, began in running.items():
            if now - began >= _STAGGER:
                self._failed(host, f"silent for {now - began:.2f} s while another server answered")

    def _why_not(self) -> str:
        hosts = self._fleet.hosts
        return (
            "; ".join(f"{host.address}: {host.error}" for host in hosts if host.error) or "no server may be asked yet"
        )

    def _failed(self, host: Host, error: str, refused: DatabaseUnavailable | None = None) -> None:
        with self._lock:
            self._fleet.failed(host, error, self._clock.monotonic(), refused)

    def _attempt(self, host: Host) -> SyncConnection:
        try:
            conn = self._connect(host)
        except Exception as error:
            self._failed(host, first_line(error), self._refusal_in(error))
            raise
        try:
            return self._examine(conn, host)
        except BaseException as error:
            conn.drop()
            if isinstance(error, Exception) and not isinstance(error, DatabaseUnavailable):  # that one is noted already
                self._failed(host, first_line(error))
            raise

    def _connect(self, host: Host) -> SyncConnection:
        if self._demands.pooler is None and host.takes_options:
            try:
                return SyncConnection.connect(host.conninfo, autocommit=True, prepare_threshold=self._prepare_threshold)
            except psycopg.OperationalError as error:
                if not refuses_options(error):
                    raise
            host.takes_options = False
        return SyncConnection.connect(
            host.conninfo, options="", autocommit=True, prepare_threshold=self._prepare_threshold
        )

    def _refusal_in(self, error: Exception) -> DatabaseUnavailable | None:
        refusal = translate(error, self._name, 0) if is_configuration(error) else None
        return refusal if isinstance(refusal, DatabaseUnavailable) else None

    def _examine(self, conn: SyncConnection, host: Host) -> SyncConnection:
        """Find out what `conn` leads to; DatabaseUnavailable when that is not what was wanted."""
        self._identify(conn)
        now = self._clock.monotonic()
        conn.host, conn.role = host, conn.role_now()
        with self._lock:
            life = conn.life if self._target in (Target.READ_WRITE, Target.PRIMARY) else None
            if life is not None and not self._fleet.leads(life.system, life.timeline, now):
                self._fleet.failed(host, f"its timeline {life.timeline} was left behind by a promotion", now)
                raise DatabaseUnavailable(self._name, f"{host.address}: {host.error}")
            if not self._fleet.connected(host, conn.role, self._target, now):
                raise DatabaseUnavailable(self._name, f"{host.address}: {host.error}")
        self._settle(conn, host)
        with _ending(conn, CONFIGURE_SECONDS) if self._configure is not None else nullcontext():
            self._make_ready(conn)
        with self._lock:
            before, self._last = self._last, host
        conn.watch = self._watch
        if before is not None and before is not host:
            self._took_over(before, host)
        return conn

    def _settle(self, conn: SyncConnection, host: Host) -> None:
        """Find out whether a pooler is in between, and what of our settings is in force then."""
        demands = self._demands
        if demands.pooler is None and host.takes_options and conn.served_by == conn.pid:
            return
        with _ending(conn, _IDENTITY_SECONDS):
            row = conn.execute(comparison(demands.settings), prepare=False).fetchone()
        with self._lock:
            reason = demands.apply(conn, row or (), host.takes_options)
        if reason is not None:
            refusal = DatabaseUnavailable(self._name, f"{host.address}: {reason}")
            self._failed(host, reason, refusal)
            raise refusal

    def _make_ready(self, conn: SyncConnection) -> None:
        """What every borrower is to find in a session that has its first settings."""
        if conn.lent is Pooler.SESSION:
            conn.execute(for_the_session(self._demands.settings), prepare=False)
        conn.row_factory = self._row_factory
        if self._configure is not None:
            self._configure(conn)
            check_configured(conn)
        conn.remember()

    def _took_over(self, before: Host, host: Host) -> None:
        with self._lock:
            self.failovers += 1
        _logger.warning("database %s: %s takes over from %s", self._name, host.address, before.address)
        events.emit(FailedOver(self._name, before.address, host.address))

    def _identify(self, conn: SyncConnection) -> None:
        with _ending(conn, _IDENTITY_SECONDS):
            self._ask(conn)

    def _ask(self, conn: SyncConnection) -> None:
        conn.pid = conn.info.backend_pid
        with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction, TypeError, ValueError):
            row = conn.execute(ORIGIN, prepare=False).fetchone()
            if row is None:
                return
            pid, life, start = read_origin(row)
            conn.knows_origin, conn.served_by = True, pid
            if life is not None and pid == conn.pid:  # another pid: a proxy, behind which servers may change
                with self._lock:
                    conn.life = self._history.witness(life, start)


@contextmanager
def _ending(conn: SyncConnection, seconds: float) -> Iterator[None]:
    """A block in which whoever waits for `conn` gets an error after `seconds`."""
    limit = Timer(seconds, conn.cut)
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


class _Race:
    """What the threads of one call bring back; after its end nobody wants it."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._lock = Lock()
        self._over = False

    def finish(self, host: Host, result: SyncConnection | Exception) -> None:
        with self._lock:
            if not self._over:
                self._answers.put((host, result))
                return
        if isinstance(result, SyncConnection):
            result.drop()

    def wait(self, seconds: float | None) -> _Answer | None:
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            return None

    def end(self) -> None:
        with self._lock:
            self._over = True
        while not self._answers.empty():
            _, result = self._answers.get()
            if isinstance(result, SyncConnection):
                result.drop()
