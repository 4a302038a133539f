"""One process at a time tells a channel.

Promises: the lock dies with its process. Where its file can't be made or locked, on a full disk or a share without locks,
there is none: to tell twice is better than not to tell.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esteio.clock import Clock
from esteio.system import try_lock

__all__ = ["claimed"]

_POLL = 0.1


@contextmanager
def claimed(path: Path, until: float, clock: Clock) -> Iterator[bool]:
    """Whether the lock file `path` is ours within the block; waited for until `until`, in monotonic seconds."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        yield True
        return
    try:
        while not (ours := _try_lock(handle)) and clock.monotonic() < until:
            clock.sleep(_POLL)
        yield ours
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        return try_lock(handle)
    except OSError:
        return True
