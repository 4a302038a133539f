"""A core for those who ask and the others for the service, while it is measured how much the service can do.

Promises: what asks takes nothing from what answers, as clients elsewhere take nothing; what a client costs the kernel of the
service's own machine is not seen then. Processes that start meanwhile stay on their parent's side. Where there is one core
only, or a system that cannot tell processes where to run, nothing changes and nothing fails.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

import psutil

__all__ = ["divide", "unite"]


def divide(service: Iterable[psutil.Process]) -> bool:
    """Move ourselves and what we start to one core, the processes of the service to the others; whether that was done."""
    cores = _cores()
    if len(cores) < 2:
        return False
    ours = max(cores)
    _move(service, cores - {ours})
    os.sched_setaffinity(0, {ours})
    return True


def unite(service: Iterable[psutil.Process]) -> None:
    """All on all cores again."""
    cores = _cores()
    if cores:
        os.sched_setaffinity(0, cores)
        _move(service, cores)


_ALL: set[int] = set()  # what we were given, before we ever divided it


def _cores() -> set[int]:
    if not _ALL and hasattr(os, "sched_getaffinity"):
        _ALL.update(os.sched_getaffinity(0))
    return _ALL


def _move(processes: Iterable[psutil.Process], cores: set[int]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):  # it ended meanwhile
            for thread in process.threads():
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(thread.id, cores)
