"""A real PostgreSQL server for tests: started in half a second, databases made from templates.

Promises: nothing of it is left when it is stopped. It does not survive a power failure (fsync is off).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

__all__ = ["PostgresServer"]

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "log_checkpoints": "off",
}


class PostgresServer:
    """An `Embedded` server in a temporary directory, which is `embedded` itself to tests that break it."""

    def __init__(self, *, major: int = 18, settings: Mapping[str, str] | None = None) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
        self._home.chmod(0o711)  # as root, the server's account has to pass
        self.embedded = Embedded(self._home / "data", major=major, settings={**_SETTINGS, **(settings or {})})

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self.embedded.start()

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.embedded.stop(timeout=10.0)
        shutil.rmtree(self._home, ignore_errors=True)

    def dsn(self, database: str = "postgres", user: str = "postgres") -> Dsn:
        """The address of `database`."""
        return self.embedded.dsn(database, user)

    def create_database(self, name: str, *, template: str = "template1", owner: str = "postgres") -> Dsn:
        """Make database `name` as a copy of `template`, to which nobody may be connected; its address for `owner`."""
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(template), sql.Identifier(owner)
        )
        self._run(command)
        return self.dsn(name, owner)

    def drop_database(self, name: str) -> None:
        """Remove database `name`, cutting off who is connected."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, command: sql.Composed) -> None:
        with psycopg.connect(self.dsn().conninfo, autocommit=True) as conn:
            conn.execute(command)
