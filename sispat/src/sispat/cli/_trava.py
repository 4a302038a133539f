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

__all__ = ["DadosEmUso", "PastaInutilizavel", "Trava"]


class DadosEmUso(SispatError):
    """Another process works on the data directory."""

    code = "dados-em-uso"

    def __init__(self, pasta: Path, pid: int | None, url: str | None) -> None:
        self.pasta, self.pid, self.url = pasta, pid, url
        quem = _("processo %(pid)s", pid=pid) if pid else _("outro processo")
        super().__init__(
            _(
                "A pasta de dados %(directory)s já está em uso por outro SISPAT (%(who)s). "
                "Encerre-o, ou inicie este com outra "
                "pasta (SISPAT_DATA_DIR=...). Várias instâncias podem dividir um banco quando DATABASE_URL está definida.",
                directory=pasta,
                who=quem,
            )
        )


class PastaInutilizavel(SispatError):
    """The data directory cannot be made or written to."""

    code = "pasta-inutilizavel"

    def __init__(self, pasta: Path, causa: OSError) -> None:
        self.pasta, self.causa = pasta, causa
        super().__init__(
            _(
                "Não é possível gravar na pasta de dados %(directory)s: %(cause)s. Dê ao usuário atual permissão de escrita "
                "nela, ou escolha outra com SISPAT_DATA_DIR=...",
                directory=pasta,
                cause=causa.strerror or causa,
            )
        )


class Trava:
    """The lock of `pasta`, held from `__enter__` to `__exit__`; raises `DadosEmUso` or `PastaInutilizavel`."""

    def __init__(self, pasta: Path) -> None:
        self._pasta = pasta
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            self._pasta.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._pasta / "sispat.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as erro:
            raise PastaInutilizavel(self._pasta, erro) from erro
        try:
            _travar(self._fd)
        except OSError:
            achado = self._ler()
            os.close(self._fd)
            raise DadosEmUso(self._pasta, achado.get("pid"), achado.get("url")) from None
        self.anotar()
        return self

    def __exit__(self, tipo: type[BaseException] | None, erro: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._fd)

    def anotar(self, url: str | None = None) -> None:
        """Say who we are, and how the database is reached once it is."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def _ler(self) -> dict[str, Any]:
        try:
            lido = json.loads(os.pread(self._fd, 4096, 0))
        except (OSError, ValueError):  # being written right now
            return {}
        return lido if isinstance(lido, dict) else {}


def _travar(fd: int) -> None:
    """Without waiting; OSError when somebody else holds it."""
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
