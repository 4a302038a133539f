"""Reaping what dead processes leave behind, where we are process 1, as in a container.

A process whose parent has died becomes a child of process 1, and stays in the system's table after its own end until that one
waits for it: PostgreSQL's processes, when their postmaster is killed. Promises: each is reaped, within two looks. The child
of something in this process is not taken from it: whoever started it asks for its end many times between two looks. In a
process that is not 1, and where there is no /proc, nothing is done.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["Orphans"]

_LOOK_EVERY = 5.0  # seconds


class Orphans:
    """Of this process. `reap` is called in each turn of a loop that asks for the ends of its own children as well."""

    def __init__(self) -> None:
        self._ours = os.getpid() == 1
        self._looked_at = -math.inf
        self._ended: set[tuple[int, str]] = set()

    def reap(self, now: float) -> None:
        """Wait for those that had ended at the last look already, and still have at this one."""
        if not self._ours or now < self._looked_at + _LOOK_EVERY:
            return
        self._looked_at = now
        ended = set(_ended_children())
        for pid, _ in ended & self._ended:
            with suppress(ChildProcessError):  # its owner was faster
                os.waitpid(pid, os.WNOHANG)
        self._ended = ended - self._ended


def _ended_children() -> Iterator[tuple[int, str]]:
    """The process id of each child that has ended and was not waited for, and when it began."""
    for thread in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, ValueError):  # the thread, or the child, is gone
            for pid in map(int, thread.read_text().split()):
                with suppress(OSError, IndexError):
                    state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    if state == "Z":
                        yield pid, fields[18]
