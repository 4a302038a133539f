"""One lock for each set of the file, across processes.

Promises: nobody waits longer than agreed; the kernel releases the locks of a process that ends, however it ends.
The locks belong to the open file (OFD locks), so two stores of one process exclude each other too, and a forked
child has to open the file again. Threads of one store are kept apart by its own lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack_from
from time import monotonic, sleep

try:
    import fcntl
except ImportError:  # Windows
    SUPPORTED = False
else:
    SUPPORTED = hasattr(fcntl, "F_OFD_SETLK")

__all__ = ["SUPPORTED", "SetLocks"]

_FIRST_PAUSE, _LONGEST_PAUSE = 20e-6, 1e-3  # seconds between two attempts


class SetLocks:
    """Locks of the sets of the file that `descriptor` has open; set number n is byte n."""

    def __init__(self, descriptor: int, patience: float) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._stuck: set[int] = set()  # nobody waits for these again before they were free once

    @property
    def stuck(self) -> int:
        """Locks whose holders did not let go in time."""
        return len(self._stuck)

    def acquire(self, numbers: Sequence[int]) -> bool:
        """Take all of them, in their order, within the patience; False: none is taken."""
        deadline = monotonic() + self._patience
        for position, number in enumerate(numbers):
            if not self._take(number, deadline):
                self.release(numbers[:position])
                return False
        return True

    def release(self, numbers: Sequence[int]) -> None:
        """Let go of all of them."""
        for number in numbers:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, number))

    def held(self, number: int) -> bool:
        """Whether another open file, of this process or another one, holds a lock; nothing is taken."""
        asked = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, number))
        return bool(unpack_from("h", asked)[0] != fcntl.F_UNLCK)

    def _take(self, number: int, deadline: float) -> bool:
        wanted = _flock(fcntl.F_WRLCK, number)
        pause = _FIRST_PAUSE
        while True:
            try:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, wanted)
            except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as POSIX leaves open: somebody has it
                if number in self._stuck or monotonic() >= deadline:
                    self._stuck.add(number)
                    return False
                sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._stuck.discard(number)
                return True


def _flock(kind: int, number: int) -> bytes:
    """`struct flock` of one byte from the start of the file."""
    return pack("hhqqi4x", kind, 0, number, 1, 0)
