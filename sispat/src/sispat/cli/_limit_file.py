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

__all__ = ["limit_file", "sweep"]

_NAME = "sispat"


@contextmanager
def limit_file(settings: Settings, port: int) -> Iterator[None]:
    """Make the file and name it to the workers, for as long as the block lasts; with Redis there is none."""
    os.environ.pop(HOST_LIMITS, None)
    if settings.redis_url is not None:
        yield
        return
    name = re.sub(r"[^0-9A-Za-z.-]", "_", f"{_NAME}-{port}-{settings.host}")[:64]
    try:
        file = HostStore.create(HostStore.place(name), workers=settings.workers)
    except HostStoreError as error:
        logging.getLogger("sispat").warning(
            "cada processo conta os limites sozinho, e os %d juntos permitem mais: %s", settings.workers, error
        )
        yield
        return
    with file:
        held = _hold(file.path)
        try:
            sweep()
            os.environ[HOST_LIMITS] = str(file.path)
            yield
        finally:
            os.environ.pop(HOST_LIMITS, None)
            if held is not None:
                os.close(held)


def sweep() -> None:
    """Remove the files of services that were killed: nobody holds those any more."""
    ours = HostStore.place(_NAME)
    for file in ours.parent.glob(f"{ours.stem}-*{ours.suffix}"):
        free = _hold(file)
        if free is not None:
            file.unlink(missing_ok=True)
            os.close(free)


def _hold(file: Path) -> int | None:
    """Hold the file until the process ends or closes the number; None where another process holds it, or it is gone."""
    import fcntl  # not on every system; a file to hold is

    with suppress(OSError):
        number = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(number)
        else:
            return number
    return None
