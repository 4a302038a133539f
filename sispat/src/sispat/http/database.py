"""The database as this service uses it: writers share a part of the pool, so that reading goes on while they wait.

Promises: of a process' connections at most `writers_of` are in transactions that may write; whoever has to wait for one
of these waits without a connection, for at most `pool_timeout`, and is then told so (`PoolExhausted`). A lock that
somebody holds - on the counter row, or on a table that a migration changes - thus stops those who want it, and nobody
else. No statement waits for a lock longer than `LOCK_WAIT`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from psycopg import IsolationLevel

from esteio.postgres import Connection as _Connection
from esteio.postgres import Database, DiskRoom, Dsn, PoolExhausted
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings

__all__ = [
    "DATABASE_ROLE", "LOCK_WAIT", "RESERVED", "ROOM_KEPT", "NoDatabase", "ServiceDatabase", "address_and_role", "is_local",
    "reserve_of", "room_of", "session_settings", "writers_of",
]  # fmt: skip

DATABASE_ROLE = "sispat_app"  # the application's role: see migration 0001

LOCK_WAIT = 1000
"""Milliseconds: a commit's locks are held for some, and who waits keeps a connection from others."""
RESERVED = frozenset({"administrator", "entering"})
"""The levels of `http.shedding` that may use the reserve."""
ROOM_KEPT = 64 << 20
"""Bytes of the disk of our own server that are not for what people write: four segments of its log."""
_MOST_WAITING = 1000
_FEWEST = 4  # connections of a pool of which one can be spared


class NoDatabase(SispatError):
    """The application alone starts no database."""

    code = "sem-banco"

    def __init__(self) -> None:
        super().__init__(
            _("DATABASE_URL não está definida. Defina-a, ou use `sispat serve`, que inicia um PostgreSQL próprio.")
        )


def reserve_of(connections: int) -> int:
    """How many of a process' connections are kept for `RESERVED`."""
    return 1 if connections >= _FEWEST else 0


def writers_of(connections: int) -> int:
    """How many of a pool's connections may be writing: three in five, at least one."""
    return max(1, connections * 3 // 5)


def session_settings(dsn: Dsn, **more: str) -> dict[str, str]:
    """The settings of each session; what the URL says of locks goes before ours."""
    said = dict(dsn.parameters).get("options", "")
    return more if "lock_timeout" in said else {"lock_timeout": str(LOCK_WAIT), **more}


def address_and_role(settings: Settings) -> tuple[Dsn | None, dict[str, str]]:
    """Where the service's processes log in, and what their sessions become there.

    A login of its own is what the service may be; the owner of the tables has to become it in each session.
    """
    if settings.database_app_url is not None:
        return settings.database_app_url, {}
    return settings.database_url, {"role": DATABASE_ROLE}


def is_local(dsn: Dsn) -> bool:
    """Whether the server is on this machine, by its socket."""
    return dsn.hosts[0][0].startswith("/")


def room_of(settings: Settings, dsn: Dsn) -> DiskRoom | None:
    """The disks of our own server; None where the server is somebody else's."""
    own = settings.data_dir / "postgres"
    return DiskRoom("sispat", [own, own / "pg_wal"], keep=ROOM_KEPT) if is_local(dsn) and own.is_dir() else None


class ServiceDatabase(Database):
    """`Database` whose transactions that may write take turns at a part of the pool, and that keeps a reserve."""

    def __init__(self, dsn: Dsn | str, **options: Any) -> None:
        dsn = Dsn.parse(dsn) if isinstance(dsn, str) else dsn
        limit, reserve = dsn.connection_limit, reserve_of(dsn.connection_limit)
        super().__init__(dsn.with_(connection_limit=limit - reserve), **options)
        self._most = writers_of(limit)
        self._turns = asyncio.Semaphore(self._most)
        self._waiting = 0
        # A pool of its own, whose one connection is there before anything goes wrong.
        name = f"{self.name} reserve"
        spare = (
            Database(dsn.with_(connection_limit=reserve), **{**options, "name": name, "min_size": 1})
            if reserve
            else None
        )
        self._reserve = spare

    async def open(self, wait: float | None = None) -> None:
        """As `Database.open`, with the reserve."""
        if self._reserve is not None:
            await self._reserve.open()
        await super().open(wait)

    async def close(self, timeout: float = 5.0) -> None:
        """As `Database.close`, with the reserve."""
        if self._reserve is not None:
            await self._reserve.close(timeout)
        await super().close(timeout)

    def connection(
        self, timeout: float | None = None, *, read_only: bool = False, even_stale: bool = False
    ) -> AbstractAsyncContextManager[_Connection]:
        """As `Database.connection`; of the reserve for who may use it, while all others are in use."""
        reserve = self._reserve_now()
        if reserve is not None:
            return reserve.connection(timeout, read_only=read_only, even_stale=even_stale)
        return super().connection(timeout, read_only=read_only, even_stale=even_stale)

    def transaction(
        self, timeout: float | None = None, *, read_only: bool = False, isolation: IsolationLevel | None = None
    ) -> AbstractAsyncContextManager[_Connection]:
        """As `Database.transaction`; one that may write waits for its turn first, within the same time."""
        reserve = self._reserve_now()
        if reserve is not None:
            return reserve.transaction(timeout, read_only=read_only, isolation=isolation)
        inner = super().transaction(timeout, read_only=read_only, isolation=isolation)
        return inner if read_only else self._in_turn(inner, timeout)

    def _reserve_now(self) -> Database | None:
        if self._reserve is None:
            return None
        from esteio.web.shedding import current_level  # late: a job's process has no use for the web framework

        level = current_level()
        if level is None or level.name not in RESERVED:
            return None
        stats = self.stats()
        busy = stats.in_use >= stats.max_size or self._turns.locked()
        return self._reserve if busy else None

    @asynccontextmanager
    async def _in_turn(
        self, inner: AbstractAsyncContextManager[_Connection], timeout: float | None
    ) -> AsyncIterator[_Connection]:
        await self._take(self.dsn.pool_timeout if timeout is None else timeout)
        try:
            async with inner as conn:
                yield conn
        finally:
            self._turns.release()

    async def _take(self, wait: float) -> None:
        if self._waiting >= _MOST_WAITING:
            raise self._exhausted(0.0)
        self._waiting += 1
        try:
            async with asyncio.timeout(wait):
                await self._turns.acquire()
        except TimeoutError:
            raise self._exhausted(wait) from None
        finally:
            self._waiting -= 1

    def _exhausted(self, waited: float) -> PoolExhausted:
        return PoolExhausted(
            f"{self.name} (writing)", waited=waited, in_use=self._most, size=self._most, max_size=self._most,
            waiting=self._waiting, max_waiting=_MOST_WAITING,
        )  # fmt: skip
