"""One service per data directory, by a lock the operating system takes back whatever happens.

Promises: the lock dies with its process, so nothing stale ever has to be removed by hand. While it is held, the file
says which process holds it and how its database is reached (a local socket: no secret in it).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["DataInUse", "DataLock", "UnusableDataDirectory"]


class DataInUse(SispatError):
    """Another process works on the data directory."""

    code = "dados-em-uso"

    def __init__(self, directory: Path, pid: int | None, url: str | None) -> None:
        self.directory, self.pid, self.url = directory, pid, url
        who = _("processo %(pid)s", pid=pid) if pid else _("outro processo")
        super().__init__(
            _(
                "A pasta de dados %(directory)s já está em uso por outro SISPAT (%(who)s). "
                "Encerre-o, ou inicie este com outra "
                "pasta (SISPAT_DATA_DIR=...). Várias instâncias podem dividir um banco quando DATABASE_URL está definida.",
                directory=directory,
                who=who,
            )
        )


class UnusableDataDirectory(SispatError):
    """The data directory cannot be made or written to."""

    code = "pasta-inutilizavel"

    def __init__(self, directory: Path, cause: OSError) -> None:
        self.directory, self.cause = directory, cause
        super().__init__(
            _(
                "Não é possível gravar na pasta de dados %(directory)s: %(cause)s. Dê ao usuário atual permissão de escrita "
                "nela, ou escolha outra com SISPAT_DATA_DIR=...",
                directory=directory,
                cause=cause.strerror or cause,
            )
        )


class DataLock:
    """The lock of `directory`, held from `__enter__` to `__exit__`; raises `DataInUse` or `UnusableDataDirectory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._directory / "sispat.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UnusableDataDirectory(self._directory, error) from error
        try:
            _lock_at_once(self._fd)
        except OSError:
            found = self._read()
            os.close(self._fd)
            raise DataInUse(self._directory, found.get("pid"), found.get("url")) from None
        self.note()
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def note(self, url: str | None = None) -> None:
        """Say who we are, and how the database is reached once it is."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(os.pread(self._fd, 4096, 0))
        except (OSError, ValueError):  # being written right now
            return {}
        return content if isinstance(content, dict) else {}


def _lock_at_once(fd: int) -> None:
    """Without waiting; OSError when somebody else holds it."""
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
