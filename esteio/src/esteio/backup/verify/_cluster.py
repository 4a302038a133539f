"""A base backup verified: brought back with all it needs, started, every table read, every page's checksum compared.

Promises: what was looked at is in `checked`, in order; what is wrong is a `VerificationFailed` that names it. Everything
happens in the directory of the verification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

from esteio.backup._details import DetailCode
from esteio.backup._errors import DatabaseRefused, ToolFailed, VerificationFailed
from esteio.backup._progress import Progress
from esteio.backup._session import Connection, connect, one
from esteio.backup.archive._fetch import Key
from esteio.backup.restore._plan import Plan
from esteio.backup.restore._recover import recover
from esteio.backup.restore._replay import databases
from esteio.backup.restore._tablespaces import OWN
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.clock import Clock
from esteio.postgres import DatabaseUnavailable
from esteio.postgres.embedded import Embedded

__all__ = ["ClusterVerification"]

# An index would do to count rows; the pages of the table itself are to be read.
_SCANS = "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off"
_TABLES = """
SELECT n.nspname, c.relname, c.relkind <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' AND c.relispopulated
ORDER BY 1, 2"""
_KEPT = 16 * 1024  # bytes of what amcheck finds
_AMCHECK = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck')"


class ClusterVerification:
    """Of the backup that `plan` brings back into `directory`, with the programs in `toolbox`."""

    def __init__(self, plan: Plan, directory: Path, toolbox: Toolbox, progress: Progress, clock: Clock) -> None:
        self.checked: list[str] = []
        self.rows = 0
        """Of all tables in all databases, without PostgreSQL's own."""
        self.restore_seconds = 0.0
        """What bringing it back took, without what was looked at, or making it durable."""
        self._plan = plan
        self._directory = directory
        self._toolbox = toolbox
        self._progress = progress
        self._clock = clock
        self._looking = 0.0

    def run(self, stores: Stores, key: Key) -> None:
        """Bring it back and look at it; VerificationFailed, ToolFailed, and what `recover` raises."""
        done = recover(
            self._plan,
            self._directory,
            stores,
            self._toolbox,
            key,
            durable=False,
            look_at_files=self._files,
            look_at_server=self._server,
            progress=self._progress,
            clock=self._clock,
        )
        self.restore_seconds = done.seconds - self._looking
        if self._plan.base.details["checksums"] and self._toolbox.has("pg_checksums"):
            self._progress("checksums", 0, 0, "")
            self._toolbox.run("pg_checksums", ["--check", f"--pgdata={self._directory}"])
            self.checked.append("checksums")

    def _files(self, directory: Path) -> None:
        self.checked.append("list of files")
        if self._toolbox.has("pg_verifybackup"):
            with self._looked():
                # Without pg_waldump it can't read the log; the server is going to.
                parse = [] if self._toolbox.has("pg_waldump") else ["--no-parse-wal"]
                self._toolbox.run("pg_verifybackup", ["--quiet", f"--ignore={OWN}", *parse, str(directory)])
            self.checked.append("pg_verifybackup")

    def _server(self, server: Embedded) -> None:
        self.checked.append("restore")
        with self._looked():
            for number, name in enumerate(names := databases(server)):
                self._progress("tables", number, len(names), "databases")
                self.rows += _read(server, name, self._plan.base.id)
            self.checked.append("every table read")
            if self._amcheck(server):
                self.checked.append("amcheck")

    def _amcheck(self, server: Embedded) -> bool:
        """Look at the structure of tables and indexes; False where the program or the extension is not installed."""
        with connect(server.dsn()) as conn:
            available = one(conn, _AMCHECK)
        if not available or not self._toolbox.has("pg_amcheck"):
            return False
        self._progress("amcheck", 0, 0, "tables")
        arguments, found = ["--all", "--install-missing", "--no-password"], b""
        try:
            with self._toolbox.start("pg_amcheck", arguments, dsn=server.dsn(), stdout=True) as running:
                for piece in running.chunks():
                    found = (found + piece)[:_KEPT]
        except ToolFailed as error:
            said = tuple(re.sub(r"\n\s+", " ", found.decode(errors="replace")).splitlines())
            raise VerificationFailed(self._plan.base.id, said or (error.detail,)) from error
        return True

    @contextmanager
    def _looked(self) -> Iterator[None]:
        """What happens inside is no part of the time a restore takes."""
        began = self._clock.monotonic()
        yield
        self._looking += self._clock.monotonic() - began


def _read(server: Embedded, database: str, backup: str) -> int:
    """Read every table of a database once; its rows, without those of PostgreSQL's own tables."""
    rows, reading = 0, ""
    try:
        with connect(server.dsn(database)) as conn:
            conn.execute(_SCANS)
            for schema, table, counts in conn.execute(_TABLES).fetchall():
                reading = f"{schema}.{table}"
                found = _count(conn, schema, table)
                rows += found if counts else 0
    except (DatabaseRefused, DatabaseUnavailable) as error:
        unread = DetailCode.TABLE_UNREADABLE(database=database, table=reading, reason=str(error))
        raise VerificationFailed(backup, (unread,)) from error
    return rows


def _count(conn: Connection, schema: str, table: str) -> int:
    return int(one(conn, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))))
