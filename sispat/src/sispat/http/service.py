"""What lives as long as the process: the database, its health, the limits, what the slices hold, the settings.

Promises: starting never fails because the database is away; the process says "not ready" until the schema
is the one this code needs, migrating it if it is the first to get there, and recovers by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from psycopg import AsyncConnection
from starlette.requests import HTTPConnection

from esteio import EsteioError
from esteio.health import Check, HistoryReader, Measurements, Monitor, checks
from esteio.limit import RateLimiter
from esteio.maintenance import Maintenance
from esteio.postgres import Database, DiskRoom
from esteio.serve import lifecycle
from sispat.http import idempotency, limit_store
from sispat.http.backup_state import OPERATOR_STATE, backup_age, backup_places, history_file
from sispat.http.database import (
    DATABASE_ROLE,
    ROOM_KEPT,
    NoDatabase,
    ServiceDatabase,
    address_and_role,
    is_local,
    room_of,
    session_settings,
)
from sispat.http.document_store import store_checks
from sispat.http.job_state import jobs_waiting
from sispat.http.known_sessions import KnownSessions
from sispat.http.maintenance import UnderMaintenance, maintenance_switch
from sispat.kernel import i18n, schema, sessions
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.kernel.sealing import Sealer
from sispat.kernel.sessions import SessionLifetime
from sispat.settings import Settings

__all__ = ["DATABASE_ROLE", "MigrationUnsuccessful", "Service", "service_of"]

_LONGEST_WAIT = 5.0  # seconds between two looks at a database that is not ready
_CLEANUP_EVERY = 3600.0  # seconds

_logger = logging.getLogger("sispat.servico")

_R = TypeVar("_R")


class MigrationUnsuccessful(SispatError):
    """The schema is older than this code needs, and `sispat migrate` ended with `status`."""

    code = "migracao-sem-sucesso"

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(
            _(
                "O banco está numa versão anterior à deste programa, e a migração falhou (saída %(status)s). "
                "Este processo não atende; se uma versão anterior está atendendo, ela continua.",
                status=status,
            )
        )


class Part(Protocol):
    """What a slice gives to the process (`http.slices` says what each is); slices stand above this file."""

    @property
    def resources(self) -> Sequence[Callable[[Service], object | None]]: ...
    @property
    def cleanup(self) -> Callable[[AsyncConnection[Any]], Awaitable[object]] | None: ...
    @property
    def sweep(self) -> Callable[[Service], Awaitable[object]] | None: ...


@runtime_checkable
class _Closable(Protocol):
    async def close(self) -> None: ...


def service_of(request: HTTPConnection) -> Service:
    """The process' own things."""
    service: Service = request.app.state.service
    return service


def _application_name() -> str:
    """Which worker this is, for the server's list of sessions."""
    return "sispat" if lifecycle.slot is None else f"sispat w{lifecycle.slot}"


@dataclass(slots=True)
class Service:
    """The process' own; `app.state.service`."""

    settings: Settings
    db: Database
    health: Monitor
    lifetime: SessionLifetime
    limit_store: limit_store.LimitStore
    limiter: RateLimiter
    maintenance: Maintenance
    measurements: Measurements
    sealer: Sealer
    parts: Sequence[Part] = ()
    resources: list[object] = field(default_factory=list)
    sessions: KnownSessions = field(default_factory=KnownSessions)
    room: DiskRoom | None = None
    """Of our own server's disks; None where the server is somebody else's."""
    number_queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    groups: dict[object, object] = field(default_factory=dict)
    """Of `http.group_commit`."""
    _behind: asyncio.Event = field(default_factory=asyncio.Event)
    _serving: bool = False

    @classmethod
    def build(cls, settings: Settings, parts: Sequence[Part] = ()) -> Service:
        """Put the parts together; nothing connects yet."""
        address, role = address_and_role(settings)
        if address is None:
            raise NoDatabase
        db = ServiceDatabase(
            address,
            name="sispat",
            application_name=_application_name(),
            settings=session_settings(address, **role),
        )
        store = limit_store.limit_store(settings)
        limiter, measurements = RateLimiter(store), Measurements.of_environment()
        service = cls(
            settings,
            db,
            Monitor(_health_checks(settings, db, limiter, measurements)),
            SessionLifetime(timedelta(seconds=settings.session_idle), timedelta(seconds=settings.session_max)),
            store,
            limiter,
            maintenance_switch(settings),
            measurements,
            Sealer(settings.secrets),
            parts,
            room=room_of(settings, db.dsn),
        )
        service.resources += [made for each in parts for make in each.resources if (made := make(service)) is not None]
        return service

    def resource(self, kind: type[_R]) -> _R:
        """What a slice holds, by its type."""
        return next(each for each in self.resources if isinstance(each, kind))

    def require_open(self) -> None:
        """Raise `UnderMaintenance` while the service is closed; before anything that needs the database."""
        notice = self.maintenance.state()
        if notice is not None:
            raise UnderMaintenance(notice)

    def require_room(self) -> None:
        """Raise `DiskNearlyFull` while the disk of our own server has no room for what people write."""
        if self.room is not None:
            self.room.require()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open for the life of the process; on leaving, everything is closed in order."""
        lifecycle.ready = False
        for each in i18n.LANGUAGES:
            await asyncio.to_thread(i18n.load, each)  # reads a file: not while a request waits
        await self.db.open()
        await limit_store.start(self.limit_store)
        tasks = [asyncio.create_task(self._prepare()), asyncio.create_task(self._clean_up())]
        try:
            await self._first_look(tasks[0])
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for resource in self.resources:
                if isinstance(resource, _Closable):
                    await resource.close()
            await limit_store.close(self.limit_store)
            await self.db.close()

    async def _first_look(self, preparing: asyncio.Task[None]) -> None:
        """With the database there, ready before the first request; without it, serve and say so.

        With a schema that is too old, serve nobody: this code would read columns that are not there. Where its migration
        fails, this process ends; a supervisor that was about to roll to it keeps the ones it has.
        """
        behind = asyncio.create_task(self._behind.wait())
        await asyncio.wait([preparing, behind], timeout=2.0, return_when=asyncio.FIRST_COMPLETED)
        behind.cancel()
        if preparing.done() or self._behind.is_set():
            await preparing
        self._serving = True

    async def _prepare(self) -> None:
        wait = 0.2
        while not await self._is_current():
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            wait = min(wait * 2, _LONGEST_WAIT)
        lifecycle.ready = True

    async def _is_current(self) -> bool:
        try:
            if await schema.is_current(self.db):
                return True
        except EsteioError as error:
            _logger.warning("esperando pelo banco %s: %s", self.db.dsn.masked, error)
            return False
        if self.settings.database_url is None:
            _logger.warning(
                "o banco não está em dia, e só o dono das tabelas o migra: rode `sispat migrate` com o endereço dele"
            )
            return False
        self._behind.set()
        # A process of its own: a worker never carries the migration tools in memory.
        migration = await asyncio.create_subprocess_exec(sys.executable, "-m", "sispat", "migrate")
        try:
            status = await migration.wait()
        except asyncio.CancelledError:
            migration.terminate()
            raise
        if status and not self._serving:
            raise MigrationUnsuccessful(status)
        if status:
            _logger.error("a migração falhou (saída %s); nova tentativa em instantes", status)
        return False  # look again

    async def _clean_up(self) -> None:
        own = [sessions.remove_expired, idempotency.remove_expired]
        while True:
            await asyncio.sleep(_CLEANUP_EVERY * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            try:
                async with self.db.connection() as conn:
                    for clean in [*own, *(each.cleanup for each in self.parts if each.cleanup)]:
                        await clean(conn)
                for sweep in [each.sweep for each in self.parts if each.sweep]:
                    await sweep(self)
            except EsteioError as error:
                _logger.warning("faxina adiada: %s", error)


def _health_checks(settings: Settings, db: Database, limiter: RateLimiter, measurements: Measurements) -> list[Check]:
    # With the database on this disk nothing can be saved when it is full; with another machine's, only documents can't.
    keep = 0 if room_of(settings, db.dsn) is None else ROOM_KEPT
    disk = checks.disk(settings.data_dir, keep=keep, essential=is_local(db.dsn))
    found = [checks.postgres(db), disk, jobs_waiting(db)]
    if settings.redis_url is not None:
        redis = limit_store.redis_probe(limiter)
        found.append(Check("redis:responseTime", redis, essential=False))
    found += store_checks(settings)
    if OPERATOR_STATE in os.environ:
        found.append(Check("backup:age", backup_age, unit="h", cache=5.0, essential=False))
        found += backup_places(settings)
    if measurements.shared:
        found.append(checks.workers(measurements))
        if settings.enable_health_monitor:
            history = HistoryReader(history_file(settings))
            found.append(checks.watched(measurements, history, beside=[each.name for each in found]))
    return found
