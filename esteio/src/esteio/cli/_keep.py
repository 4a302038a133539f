"""One service in the foreground, for a container or a unit of systemd.

Promises: kept running until we are interrupted; started again when it dies, each time later, with jitter. It is stopped
in order on the way out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import random
from typing import TYPE_CHECKING

from esteio.clock import SYSTEM
from esteio.errors import EsteioError

if TYPE_CHECKING:
    from esteio.serve import Service

__all__ = ["keep", "running"]

_POLL = 0.5
_STABLE = 60.0  # seconds after which a death counts as the first again
_PATIENCE = 30.0


def keep(service: Service) -> None:
    """Run `service` until an exception such as KeyboardInterrupt arrives; its first start has to succeed."""
    from esteio.serve import Backoff

    backoff, failures = Backoff(), 0
    service.start()
    try:
        since = SYSTEM.monotonic()
        while True:
            SYSTEM.sleep(_POLL)
            if service.is_alive():
                continue
            failures = 1 if SYSTEM.monotonic() - since > _STABLE else failures + 1
            delay = backoff.delay(failures, random())  # noqa: S311 - jitter
            print(f"{service.name} ended; started again in {delay:.1f} s", file=sys.stderr, flush=True)
            SYSTEM.sleep(delay)
            since = SYSTEM.monotonic()
            try:
                service.start()
            except EsteioError as error:
                print(f"{service.name}: {error}", file=sys.stderr, flush=True)
    finally:
        service.stop(_PATIENCE)


@contextmanager
def running(service: Service | None) -> Iterator[None]:
    """Have a service that needs no keeping beside the block."""
    if service is None:
        yield
        return
    service.start()
    try:
        yield
    finally:
        service.stop(_PATIENCE)
