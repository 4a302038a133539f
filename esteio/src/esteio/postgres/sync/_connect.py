# Generated from ../_connect.py by tools/async_to_sync.py: change that file and run the tool.
"""Opening a connection to the server that is wanted, of all there are.

Promises: the likeliest server is asked first; when it is silent for a moment the next is asked as well, and
when it fails the next at once; who answers first as wanted is taken, and no attempt outlives the call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import RowFactory, tuple_row

from esteio import events
from esteio.clock import Clock
from esteio.postgres._errors import DatabaseUnavailable, first_line, is_configuration, translate
from esteio.postgres._events import FailedOver
from esteio.postgres._hosts import Fleet, Host, Role, Target
from esteio.postgres._identity import ORIGIN, read_origin
from esteio.postgres._outcome import History
from esteio.postgres._pooler import Demands, Pooler, comparison, for_the_session, refuses_options
from esteio.postgres._restore import RESET
from esteio.postgres._watch import Watch
from esteio.postgres.sync._concurrency import Lock, Race, TimeLimit
from esteio.postgres.sync._connection import SyncConnection

__all__ = ["Opener"]

_logger = logging.getLogger("esteio.postgres")

_STAGGER = 0.25
_IDENTITY_SECONDS = 3.0
_CONFIGURE_SECONDS = 10.0


class Opener:
    """Opens connections for one purpose: to whichever of `fleet` is `target`, or to `only` this host."""

    def __init__(
        self,
        fleet: Fleet,
        history: History,
        target: Target,
        *,
        name: str,
        prepare_threshold: int | None,
        clock: Clock,
        only: Host | None = None,
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
        self._only = only
        self._watch = watch
        self._demands = demands
        self._row_factory = row_factory
        self._configure = configure
        self._lock = Lock()  # of `failovers` and `last`
        self.failovers = 0
        self.last: Host | None = None
        """The server the last connection was opened to."""

    def wait(self) -> float:
        """Seconds until an attempt makes sense."""
        now = self._clock.monotonic()
        return self._fleet.wait(now) if self._only is None else max(0.0, self._only.retry_at - now)

    def refusal(self) -> DatabaseUnavailable | None:
        """Why no attempt makes sense for now."""
        return self._fleet.refusal() if self._only is None else self._only.refusal

    def open(self) -> SyncConnection:
        """A connection; psycopg's error, or DatabaseUnavailable, when there is none to be had now."""
        hosts = self._candidates()
        if len(hosts) == 1:
            return self._arrived(self._attempt(hosts[0]), {})
        return self._race(hosts)

    def _race(self, hosts: list[Host]) -> SyncConnection:
        race: Race[Host, SyncConnection] = Race(_drop)
        winner: SyncConnection | None = None
        try:
            winner = self._first(race, hosts)
            return winner
        finally:
            try:
                race.end()
            except BaseException:  # interrupted while the others end: nobody gets it any more
                if winner is not None:
                    winner.drop()
                raise

    def _first(self, race: Race[Host, SyncConnection], hosts: list[Host]) -> SyncConnection:
        """The first that is as wanted; where none is, the first that came at all."""
        running: dict[Host, float] = {}  # since when
        error: Exception = DatabaseUnavailable(self._name, self._why_not())
        second_best: SyncConnection | None = None
        try:
            while hosts or running:
                if hosts:
                    host = hosts.pop(0)
                    running[host] = self._clock.monotonic()
                    race.begin(host, self._attempt, f"{self._name}: connect to {host.address}")
                answer = race.next(_STAGGER if hosts or second_best else None)
                if answer is None:
                    if not hosts:
                        break
                    continue
                host, result = answer
                del running[host]
                if isinstance(result, Exception):
                    error = result
                elif self._is_best(result):
                    return self._arrived(result, running)
                elif second_best is None:
                    second_best = result
                else:
                    result.drop()
            if second_best is None:
                raise error
            result, second_best = second_best, None
            return self._arrived(result, running)
        finally:
            if second_best is not None:
                second_best.drop()

    def refresh(self, conn: SyncConnection) -> None:
        """Make the session of `conn` what it was when it was opened; any exception says that it is not."""
        conn.forget_prepared()
        conn.execute(RESET, prepare=False)
        self._make_ready(conn)

    def _candidates(self) -> list[Host]:
        now = self._clock.monotonic()
        if self._only is None:
            return self._fleet.candidates(self._target, now)
        return [self._only] if self._only.retry_at <= now else []

    def _why_not(self) -> str:
        hosts = self._fleet.hosts if self._only is None else (self._only,)
        return (
            "; ".join(f"{host.address}: {host.error}" for host in hosts if host.error) or "no server may be asked yet"
        )

    def _is_best(self, conn: SyncConnection) -> bool:
        return self._target is not Target.PREFER_STANDBY or conn.role is Role.STANDBY

    def _arrived(self, conn: SyncConnection, outrun: dict[Host, float]) -> SyncConnection:
        now = self._clock.monotonic()
        for host, began in outrun.items():
            if now - began >= _STAGGER:
                self._fleet.failed(host, f"silent for {now - began:.2f} s while another server answered", now)
        conn.watch = self._watch
        with self._lock:
            before, self.last = self.last, conn.host
            changed = before is not None and conn.host is not None and before is not conn.host and self._only is None
            self.failovers += changed
        if changed and before is not None and conn.host is not None:
            _logger.warning("database %s: %s takes over from %s", self._name, conn.host.address, before.address)
            events.emit(FailedOver(self._name, before.address, conn.host.address))
        return conn

    def _attempt(self, host: Host) -> SyncConnection:
        try:
            conn = self._connect(host)
        except Exception as error:
            self._fleet.failed(host, first_line(error), self._clock.monotonic(), self._refusal_in(error))
            raise
        try:
            return self._examine(conn, host)
        except BaseException as error:
            conn.drop()
            if isinstance(error, Exception) and not isinstance(error, DatabaseUnavailable):  # that one is noted already
                self._fleet.failed(host, first_line(error), self._clock.monotonic())
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
        """What callers are told at once when the server answers, and does not want us."""
        refusal = translate(error, self._name, 0) if is_configuration(error) else None
        return refusal if isinstance(refusal, DatabaseUnavailable) else None

    def _examine(self, conn: SyncConnection, host: Host) -> SyncConnection:
        """Find out what `conn` leads to; DatabaseUnavailable when that is not what was wanted."""
        with TimeLimit(_IDENTITY_SECONDS, conn):
            self._identify(conn)
        now = self._clock.monotonic()
        conn.host, conn.role = host, conn.role_now()
        if self._left_behind(conn, now):
            self._fleet.failed(host, "its timeline was left behind by a promotion", now)
            raise DatabaseUnavailable(self._name, f"{host.address}: {host.error}")
        if not self._fleet.connected(host, conn.role, self._target, now):
            raise DatabaseUnavailable(self._name, f"{host.address}: {host.error}")
        with TimeLimit(_CONFIGURE_SECONDS, conn):
            self._settle(conn, host)
            self._make_ready(conn)
        return conn

    def _settle(self, conn: SyncConnection, host: Host) -> None:
        """Find out whether a pooler is in between, and what of our settings is in force then."""
        demands = self._demands
        if demands.pooler is None and host.takes_options and conn.served_by == conn.pid:
            return
        cursor = conn.execute(comparison(demands.settings), prepare=False)
        reason = demands.apply(conn, cursor.fetchone() or (), host.takes_options)
        if reason is not None:
            refusal = DatabaseUnavailable(self._name, f"{host.address}: {reason}")
            self._fleet.failed(host, reason, self._clock.monotonic(), refusal)
            raise refusal

    def _make_ready(self, conn: SyncConnection) -> None:
        """What every borrower is to find in a session that has its first settings."""
        if conn.lent is Pooler.SESSION:
            conn.execute(for_the_session(self._demands.settings), prepare=False)
        conn.row_factory = self._row_factory
        if self._configure is not None:
            self._configure(conn)
            _check_configured(conn)
        conn.remember()

    def _left_behind(self, conn: SyncConnection, now: float) -> bool:
        if conn.life is None or self._target not in (Target.READ_WRITE, Target.PRIMARY):
            return False
        return not self._fleet.leads(conn.life.system, conn.life.timeline, now)

    def _identify(self, conn: SyncConnection) -> None:
        conn.pid = conn.info.backend_pid
        with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction, TypeError, ValueError):
            row = (conn.execute(ORIGIN, prepare=False)).fetchone()
            if row is None:
                return
            pid, life, start = read_origin(row)
            conn.knows_origin, conn.served_by = True, pid
            if life is not None and pid == conn.pid:  # another pid: a proxy, behind which servers may change
                conn.life = self._history.witness(life, start)


def _check_configured(conn: psycopg.BaseConnection[Any]) -> None:
    """ProgrammingError when `configure` left `conn` in the middle of something."""
    status = conn.pgconn.transaction_status
    if status != TransactionStatus.IDLE:
        msg = f"configure left the connection in status {TransactionStatus(status).name}; end its transaction there"
        raise psycopg.ProgrammingError(msg)


def _drop(conn: SyncConnection) -> None:
    conn.drop()
