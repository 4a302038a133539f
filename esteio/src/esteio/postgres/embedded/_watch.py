"""Looking at a running server: does it answer, and is its data still there.

Promises: a server whose data directory was deleted or replaced is ended within seconds, so that nothing is
acknowledged into files that nobody finds any more. One that gives no answer on its socket for `patience` seconds is
`silent`, for whoever started it to replace. Only time in which we ourselves looked and got no answer counts, so a
machine that slept, or a process that was stopped, makes no server silent.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from esteio.clock import Clock
from esteio.postgres.embedded._process import Postmaster, identity, read_postmaster_file

__all__ = ["Silence", "Watch", "answers"]

_logger = logging.getLogger("esteio.postgres")

_INTERVAL = 0.5
_ANSWER_SECONDS = 2.0
_LONGEST_LOOK = 5.0  # seconds that one look may take, with the pause before it
_LOOKS_GONE = 2  # a server that is ending removes its pid file a moment before its process is gone
# Asking for TLS is the shortest question there is: the server forks, says no with one byte, and logs nothing.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def answers(socket_dir: Path, port: int) -> bool:
    """Whether a server on that socket says anything, be it that it is starting or has no place left."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_ANSWER_SECONDS)
            asking.connect(str(socket_dir / f".s.PGSQL.{port}"))
            asking.sendall(_SSL_REQUEST)
            return bool(asking.recv(1))
    except OSError:
        return False


class Silence:
    """How long a server has given no answer, of the time in which somebody asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked = clock.monotonic()
        self.seconds = 0.0

    def note(self, answered: bool) -> None:
        """It was asked just now. What is longer than a look can take was not spent asking: the machine slept."""
        now = self._clock.monotonic()
        self.seconds = 0.0 if answered else self.seconds + min(now - self._looked, _LONGEST_LOOK)
        self._looked = now


class Watch:
    """Watches `postmaster` in a thread, until `end`; `ask` says whether it answers. None for `patience`: never silent.

    `tend` is called at each look: what is kept for the server's next start.
    """

    def __init__(
        self, postmaster: Postmaster, directory: Path, ask: Callable[[], bool], patience: float | None, clock: Clock,
        tend: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._postmaster = postmaster
        self._directory = directory
        self._ask = ask
        self._patience = patience
        self._silence = Silence(clock)
        self._tend = tend
        self._missing = 0
        self._ended = threading.Event()
        self.gone = False
        """Whether its data directory was deleted or replaced under it."""
        self.silent = False
        """Whether it has not answered for so long that it has to be replaced."""

    def begin(self) -> None:
        """Look at it from now on."""
        threading.Thread(target=self._run, name="esteio: watch PostgreSQL", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> None:
        """One look."""
        self._tend()
        self._missing = 0 if self._is_there() else self._missing + 1
        if self._missing >= _LOOKS_GONE and not self.gone:
            self.gone = True
            _logger.critical(
                "PostgreSQL %d: its data directory %s was deleted or replaced while it ran; the server is ended, so that "
                "nothing more is acknowledged into files that nobody finds", self._postmaster.pid, self._directory,
            )  # fmt: skip
            self._postmaster.kill()
        if self._patience is not None and not self.silent:
            self._silence.note(self._ask())
            if self._silence.seconds >= self._patience:
                self.silent = True
                _logger.error(
                    "PostgreSQL %d has not answered for %.1f s: it is taken for dead",
                    self._postmaster.pid,
                    self._silence.seconds,
                )

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL) and self._postmaster.is_alive():
            try:
                self.look()
            except Exception:
                _logger.exception("PostgreSQL %d: looking at it failed", self._postmaster.pid)

    def _is_there(self) -> bool:
        found = read_postmaster_file(self._directory)
        return (
            found is not None
            and found.pid == self._postmaster.pid
            and identity(self._directory) == self._postmaster.data
        )
