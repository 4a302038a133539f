"""The database a command works on: the one of DATABASE_URL, or our own PostgreSQL in the data directory.

Promises: `database` yields its address, made for the owner of the schema. Our own server is ended with the block; one
that a running service holds is used and left running. Two services never share a data directory. An empty database is
made only where there never was one: not after the data directory vanished, and not where there are backups.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from esteio.postgres import Dsn
from sispat.cli._backups import open_backups
from sispat.cli._data_lock import DataInUse, DataLock
from sispat.cli._failures import Terminated
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings

if TYPE_CHECKING:
    from esteio.postgres.embedded import Embedded

__all__ = [
    "DatabaseVanished",
    "EmbeddedDatabase",
    "database",
    "database_in_use",
    "database_of_service",
    "own_server",
    "terminable",
]

NAME = "sispat"  # of the database and of its owner
SERVICE_ROLE = "sispat_app"  # what the workers act as; see migration 0001


class DatabaseVanished(SispatError):
    """There was a database, and there is none: an accident, which an empty one would hide."""

    code = "banco-sumido"

    def __init__(self, directory: Path, sign: str, remedy: str) -> None:
        self.directory, self.sign = directory, sign
        super().__init__(
            _(
                "Não há banco em %(directory)s, mas já houve: %(sign)s. Nenhum banco vazio "
                "toma o lugar dele. Devolva a pasta, "
                "ou restaure uma cópia: `sispat backup restore cluster --replace` (de uma base e do log) ou `sispat backup "
                "restore database --replace` (de um dump, com o serviço encerrado). Só para começar de novo, sem nada: "
                "%(remedy)s.",
                directory=directory,
                sign=sign,
                remedy=remedy,
            )
        )


class EmbeddedDatabase:
    """Our own server, as the supervisor wants its services."""

    name = "PostgreSQL"

    def __init__(self, server: Embedded, lock: DataLock) -> None:
        from esteio.serve import EndsWithUnit

        self._server = server
        self._service = EndsWithUnit(server)
        self._lock = lock

    def start(self) -> None:
        """Start it, or start it again after it died."""
        from esteio.postgres.embedded import DataDirectoryVanished

        try:
            self._service.start()
        except DataDirectoryVanished as vanished:
            noted = vanished.marker.exists()
            sign = _("%(file)s o diz", file=vanished.marker) if noted else _("estava em uso")
            remedy = _("remova %(file)s e inicie outra vez", file=vanished.marker)
            raise DatabaseVanished(vanished.data_dir, sign, remedy) from vanished
        _allow_login(self._server.dsn())  # also after a restore brought back a cluster from before it had one

    def is_alive(self) -> bool:
        """Whether it runs, has its data and answers."""
        return self._server.is_alive()

    def stop(self, timeout: float = 30.0) -> None:
        """End it; open transactions are rolled back."""
        self._service.stop(timeout)

    def prepare(self) -> Dsn:
        """The address of our database, made when it is not there; for processes of the account that runs us."""
        self._server.ensure_database(NAME, owner=NAME)
        _grant_service_role(self._server.dsn())
        dsn = self._server.dsn(NAME, NAME)
        self._lock.note(dsn.url)
        return dsn


def own_server(settings: Settings, *, create: bool | None = None) -> Embedded:
    """Our own server, not started; with `create` an empty one is made also where there was one."""
    from esteio.postgres.embedded import Embedded

    # It notes what changes, so that a backup can be of that alone.
    noted = {"summarize_wal": "on"}
    return Embedded(
        settings.data_dir / "postgres",
        account=settings.pg_account,
        settings=noted,
        unresponsive_after=settings.pg_timeout,
        create=create,
    )


@contextmanager
def database(settings: Settings, *, create: bool = False) -> Iterator[tuple[Dsn, EmbeddedDatabase | None]]:
    """The address, and the server where it is ours to keep up; with `create` an empty one if need be, come what may."""
    if settings.database_url is not None:
        yield settings.database_url, None
        return
    with DataLock(settings.data_dir) as lock:
        server = own_server(settings, create=create or None)
        embedded = EmbeddedDatabase(server, lock)
        if not create:
            _refuse_empty_where_backups_are(settings, server)
        try:
            embedded.start()
            yield embedded.prepare(), embedded
        finally:
            embedded.stop()


def _refuse_empty_where_backups_are(settings: Settings, server: Embedded) -> None:
    """A first start has no backups: where there are some, or nobody can tell, the database was lost."""
    from esteio.postgres.embedded import has_cluster

    directory = server.locate()
    if has_cluster(directory):
        return
    from esteio.backup.store import AllStoresFailed, StoreError

    try:
        backups = open_backups(settings, Dsn()).entries()
    except (AllStoresFailed, StoreError) as error:
        sign = _("não se sabe se há cópias (%(reason)s)", reason=error)
        raise DatabaseVanished(directory, sign, _("espere até que se saiba")) from error
    if backups:
        where = ", ".join(sorted({store for backup in backups for store in backup.stores}))
        newest = max(backups, key=lambda backup: backup.began)
        known = {"number": len(backups), "stores": where, "newest": newest.id}
        sign = _("há %(number)s cópias em %(stores)s, a mais nova %(newest)s", **known)
        raise DatabaseVanished(directory, sign, _("leve as cópias para outro lugar"))


@contextmanager
def database_in_use(settings: Settings, *, create: bool = False) -> Iterator[Dsn]:
    """As `database`, but where a service runs already, the database of that service."""
    with ExitStack() as stack:
        try:
            dsn, _ = stack.enter_context(database(settings, create=create))
        except DataInUse as error:
            if error.url is None:
                raise
            dsn = Dsn.parse(error.url)
        yield dsn


def database_of_service(settings: Settings) -> Dsn | None:
    """The address of a database that is in use: the one of DATABASE_URL, or of whoever works on the data directory."""
    if settings.database_url is not None:
        return settings.database_url
    try:
        with DataLock(settings.data_dir):
            return None
    except DataInUse as error:
        return Dsn.parse(error.url) if error.url else None


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM (and SIGHUP) end the block as Ctrl-C does, so that what was started is ended."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    earlier = {number: signal.signal(number, terminate) for number in numbers}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _grant_service_role(dsn: Dsn) -> None:
    """The owner is no superuser and may make no role, so the role of migration 0001 is made for it."""
    import psycopg
    from psycopg import errors

    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        found = conn.execute(
            "select pg_has_role(%s, oid, 'member') from pg_roles where rolname = %s", [NAME, SERVICE_ROLE]
        )
        row = found.fetchone()
        if row is None:
            with suppress(errors.DuplicateObject, errors.UniqueViolation):
                conn.execute(f"create role {SERVICE_ROLE} login")
        if row is None or not row[0]:
            conn.execute(f"grant {SERVICE_ROLE} to {NAME}")


def _allow_login(dsn: Dsn) -> None:
    """The workers log in as what they may be, and cannot become the owner; the socket admits our account as any role."""
    import psycopg
    from psycopg import errors

    with psycopg.connect(dsn.conninfo, autocommit=True) as conn, suppress(errors.ReadOnlySqlTransaction):
        closed = conn.execute("select from pg_roles where rolname = %s and not rolcanlogin", [SERVICE_ROLE])
        if closed.fetchone() is not None:
            conn.execute(f"alter role {SERVICE_ROLE} login")
