"""The file in which the workers of one `sispat serve` count the limits together.

Promises: it is there before the first worker and goes with the service; a service that was killed leaves it, and the
next one, on whatever port, removes it. Where the system cannot share such a file the workers count alone, and the log
says what that means.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esteio.limit import HostStore, HostStoreError
from sispat.http.limit_store import HOST_LIMITS
from sispat.settings import Settings

__all__ = ["contagem", "varrer"]

_NOME = "sispat"


@contextmanager
def contagem(settings: Settings, porta: int) -> Iterator[None]:
    """Make the file and name it to the workers, for as long as the block lasts; with Redis there is none."""
    os.environ.pop(HOST_LIMITS, None)
    if settings.redis_url is not None:
        yield
        return
    nome = re.sub(r"[^0-9A-Za-z.-]", "_", f"{_NOME}-{porta}-{settings.host}")[:64]
    try:
        arquivo = HostStore.create(HostStore.place(nome), workers=settings.workers)
    except HostStoreError as erro:
        logging.getLogger("sispat").warning(
            "cada processo conta os limites sozinho, e os %d juntos permitem mais: %s", settings.workers, erro
        )
        yield
        return
    with arquivo:
        vigia = _tomar(arquivo.path)
        try:
            varrer()
            os.environ[HOST_LIMITS] = str(arquivo.path)
            yield
        finally:
            os.environ.pop(HOST_LIMITS, None)
            if vigia is not None:
                os.close(vigia)


def varrer() -> None:
    """Remove the files of services that were killed: nobody holds those any more."""
    nossa = HostStore.place(_NOME)
    for arquivo in nossa.parent.glob(f"{nossa.stem}-*{nossa.suffix}"):
        livre = _tomar(arquivo)
        if livre is not None:
            arquivo.unlink(missing_ok=True)
            os.close(livre)


def _tomar(arquivo: Path) -> int | None:
    """Hold the file until the process ends or closes the number; None where another process holds it, or it is gone."""
    import fcntl  # not on every system; a file to hold is

    with suppress(OSError):
        numero = os.open(arquivo, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(numero, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(numero)
        else:
            return numero
    return None
