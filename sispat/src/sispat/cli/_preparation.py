"""What has to be true of the database before the service is ready: its schema, and the demo where it was asked for.

Promises: the tools for migrating are imported only when a migration is pending. While the server cannot be reached,
`Preparation` tries again for as long as it takes, in a thread of its own, and says so each time; what cannot get better
by waiting (a failed migration, a database with other data) ends the service with that error.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from esteio.errors import EsteioError
from esteio.policy import Exponential
from esteio.postgres import Dsn
from sispat.cli._progress import ProgressBar
from sispat.kernel import schema
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["Preparation", "bring_up_to_date", "with_time_limit"]

_logger = logging.getLogger("sispat.preparo")
_CONNECT_TIMEOUT = "3"  # seconds per host until a connection attempt counts as failed


@dataclass(frozen=True, slots=True)
class SchemaUpdate:
    """Versions of the schema before and after; '' is an empty database."""

    before: str
    after: str


def with_time_limit(dsn: Dsn) -> Dsn:
    """The same address with a limit on the time to connect, unless it names one."""
    if any(name == "connect_timeout" for name, _ in dsn.parameters):
        return dsn
    return dsn.with_(parameters=(*dsn.parameters, ("connect_timeout", _CONNECT_TIMEOUT)))


def bring_up_to_date(dsn: Dsn) -> SchemaUpdate:
    """Bring the schema up to date; raises `MigrationFailed`, or psycopg's `OperationalError` when unreachable."""
    dsn = with_time_limit(dsn)
    version = _version(dsn)
    if version >= schema.expected_version():
        return SchemaUpdate(version, version)
    return SchemaUpdate(*schema.migrate(dsn))


def _version(dsn: Dsn) -> str:
    with psycopg.connect(dsn.conninfo) as conn:
        found = conn.execute("select to_regclass('alembic_version') is not null").fetchone()
        if not found or not found[0]:
            return ""
        row = conn.execute("select coalesce(max(version_num), '') from alembic_version").fetchone()
    return str(row[0]) if row else ""


class Preparation:
    """Makes the database of `dsn` ready, with `demo` assets where it is a number; then `check` has a look at it."""

    def __init__(self, dsn: Dsn, demo: int | None, check: Callable[[], None] = lambda: None) -> None:
        self._dsn = dsn
        self._demo = demo
        self._check = check
        self._given_up = threading.Event()
        self._cause = ""
        self.error: SispatError | EsteioError | None = None

    def attempt(self) -> bool:
        """Do it now; False when the server cannot be reached yet."""
        try:
            done = bring_up_to_date(self._dsn)
            if done.before != done.after:
                _logger.info("banco migrado da versão %s para a %s", done.before or "vazia", done.after)
            if self._demo is not None:
                self._populate(self._demo)
            self._check()
        except psycopg.OperationalError as error:
            self._cause = str(error).strip().splitlines()[-1]
            return False
        return True

    def keep_trying(self, on_failure: Callable[[], None]) -> None:
        """Keep trying in a thread; `on_failure` is called when there is no hope, with `error` set."""
        threading.Thread(target=self._retry, args=(on_failure,), name="sispat-preparo", daemon=True).start()

    def give_up(self) -> None:
        """End the thread's waiting."""
        self._given_up.set()

    def _retry(self, on_failure: Callable[[], None]) -> None:
        try:
            for pause in Exponential(initial=1.0, cap=10.0):
                seconds = pause * (0.8 + 0.2 * random.random())  # noqa: S311 - jitter
                _logger.warning(
                    "esperando pelo banco em %s; nova tentativa em %.1f s (%s)", self._dsn.masked, seconds, self._cause
                )
                if self._given_up.wait(seconds):
                    return
                if self.attempt():
                    _logger.info("o banco em %s respondeu e está em dia", self._dsn.masked)
                    return
        except (SispatError, EsteioError) as error:
            self.error = error
            on_failure()

    def _populate(self, size: int) -> None:
        from sispat.demo import populate

        with ProgressBar(_("Criando a cidade de demonstração")) as progress:
            summary = populate(with_time_limit(self._dsn), size=size, progress=progress)
        if summary.created:
            _logger.info("demonstração criada: %d bens em %d setores", summary.patrimonios, summary.setores)
