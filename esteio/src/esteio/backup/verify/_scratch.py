"""A server for one trial: made in a temporary directory, gone afterwards.

Promises: its data is removed whatever happens in the block. It is as fast as a server that may lose everything can be.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

__all__ = ["Scratch"]

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "max_connections": "20",
    "logging_collector": "off",
}


class Scratch:
    """A running server of PostgreSQL `major` within the block; its data below `directory` (None: the temporary one).

    `binaries` is the directory of its programs (None: those of the embedded server).
    """

    def __init__(self, major: int, *, directory: Path | None = None, binaries: Path | None = None) -> None:
        self._major = major
        self._parent = directory
        self._binaries = binaries

    def __enter__(self) -> Self:
        self._home = Path(tempfile.mkdtemp(prefix="esteio-trial-", dir=self._parent))
        try:
            self._home.chmod(0o711)  # as root, the server's account has to pass
            self._server = Embedded(self._home / "data", major=self._major, binaries=self._binaries, settings=_SETTINGS)
            self._server.start()
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._server.stop(timeout=5.0)
        finally:
            shutil.rmtree(self._home, ignore_errors=True)

    @property
    def home(self) -> Path:
        """The directory its data lies below."""
        return self._home

    @property
    def dsn(self) -> Dsn:
        """Its superuser's address."""
        return self._server.dsn()
