"""Signals as a queue the supervisor's loop waits on.

Promises: inside the `with` block no handled signal is lost or acts on its own; each wakes the loop at once.
The handlers found before are put back at the end. Main thread only (ValueError elsewhere, from `signal`).
"""

from __future__ import annotations

import signal
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self

__all__ = ["Signals", "sigint_held"]

_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP", "SIGTTIN", "SIGTTOU")


class Signals:
    """A context manager; `waitable` is readable when there is something to `take`."""

    def __init__(self) -> None:
        self._caught: deque[int] = deque()
        self._previous: dict[int, Any] = {}
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)
        self._waker.setblocking(False)
        self._previous_fd = -1

    def __enter__(self) -> Self:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None:
                self._previous[number] = signal.signal(number, self._catch)
        if hasattr(signal, "SIGCHLD"):  # its only purpose is to wake the loop when a child has died
            self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._previous_fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._awake.close()
        self._waker.close()

    @property
    def waitable(self) -> socket.socket:
        """For waiting."""
        return self._awake

    def wake(self) -> None:
        """End the loop's present wait; any thread may call it."""
        with suppress(OSError):  # full: it wakes anyway; closed: nobody waits
            self._waker.send(b"\0")

    def take(self) -> list[int]:
        """The signals since the last call, in order."""
        with suppress(BlockingIOError):
            while self._awake.recv(4096):
                pass
        taken = []
        while self._caught:
            taken.append(self._caught.popleft())
        return taken

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self._caught.append(number)


@contextmanager
def sigint_held() -> Iterator[None]:
    """Keep SIGINT back, in this thread and in what it starts, until the end of the block.

    A worker is born with it held and ignores it from then on, so Ctrl-C can't hit its interpreter's start.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
