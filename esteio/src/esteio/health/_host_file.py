"""The file in which the workers of one service measure together, for as long as the service runs.

Promises: it is there before the first worker and goes with the service; what a killed service left is removed by the next
one of the same account. Where it can't be made the workers measure each for itself, and the log says so.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esteio.health._measurements import MEASUREMENTS, Measurements, MeasurementsError
from esteio.limit.host import HostStore

__all__ = ["measuring"]

_SUFFIX = ".measurements"
_YOUNG = 60.0  # seconds; a file this young may be one that another service is about to hold
_logger = logging.getLogger("esteio.health")


@contextmanager
def measuring(name: str, *, workers: int) -> Iterator[Measurements | None]:
    """Make the file of the service `name` and name it in the environment, where workers find it; None without one."""
    before = os.environ.pop(MEASUREMENTS, None)
    made = _made(re.sub(r"[^0-9A-Za-z.-]", "_", name)[:64], workers)
    try:
        if made is not None:
            os.environ[MEASUREMENTS] = str(made.path)
        yield made
    finally:
        os.environ.pop(MEASUREMENTS, None)
        if before is not None:
            os.environ[MEASUREMENTS] = before
        if made is not None:
            made.close()


def _made(name: str, workers: int) -> Measurements | None:
    try:
        path = HostStore.place(name).with_suffix(_SUFFIX)
        made = Measurements.create(path, workers=workers)
    except (MeasurementsError, OSError, ValueError) as error:
        _logger.warning("each process measures for itself, and no number is of all of them: %s", error)
        return None
    made.hold()
    _sweep(path)
    return made


def _sweep(ours: Path) -> None:
    """Remove what killed services left: files that nobody holds."""
    owner = ours.name.split("-")[1]
    for path in ours.parent.glob(f"esteio-{owner}-*{_SUFFIX}"):
        with suppress(OSError, MeasurementsError):
            if path == ours or time.time() - path.stat().st_ctime < _YOUNG:
                continue
            with Measurements(path) as left:
                if left.hold():
                    path.unlink(missing_ok=True)
