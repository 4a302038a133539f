"""A server that outlives a killed supervisor, so that the next one takes it over, but not its unit.

Promises: where the unit is stopped while no supervisor lives, or systemd kills one that does not end, the server is
told to end all the same. Its *guard*, a shell, waits for the end of a channel that we hold, and systemd for us
(`_service_manager`): it comes when neither does. It signals the process only if that still works in the server's
directory, as its number may be another's by then. Where nobody holds sockets there is no guard, and such a server
goes on until somebody ends it.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from esteio.serve._service import Service
from esteio.serve._service_manager import forget, store, taken

__all__ = ["EndsWithUnit"]

_logger = logging.getLogger("esteio.serve")
_SCRIPT = """read -r dismissed || { [ "$(readlink "/proc/$1/cwd")" = "$2" ] && kill -s INT "$1"; }"""
_PATIENCE = 5.0  # seconds until a guard that was dismissed has ended


class _Server(Service, Protocol):
    @property
    def pid(self) -> int | None: ...

    @property
    def data_dir(self) -> Path: ...


class EndsWithUnit:
    """A service: `server`, which works in its `data_dir`, ends in order by SIGINT and is taken over by a `start`."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._stored = f"guard-{server.name}"
        self._guarded: int | None = None
        self._channel: socket.socket | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self._server.name

    def start(self) -> None:
        """Start it, or take it over."""
        self._server.start()
        if os.environ.get("NOTIFY_SOCKET") and self._server.pid not in (None, self._guarded):
            self._dismiss()
            self._begin(str(self._server.pid), str(self._server.data_dir))
            self._guarded = self._server.pid

    def is_alive(self) -> bool:
        """As the server says."""
        return self._server.is_alive()

    def stop(self, timeout: float) -> None:
        """End it."""
        self._server.stop(timeout)
        self._dismiss()

    def _begin(self, *pid_and_directory: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._guard = subprocess.Popen(  # noqa: S603
                    ["/bin/sh", "-c", _SCRIPT, "guard", *pid_and_directory],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:  # it serves all the same
                ours.close()
                _logger.warning("service %s has no guard, and could outlive its unit: %s", self.name, error)
                return
        self._channel = ours
        store(self._stored, ours)

    def _dismiss(self) -> None:
        """Also a guard that a killed supervisor left."""
        forget(self._stored)
        ours = [self._channel] if self._channel is not None else []
        for channel in (*ours, *(left for _, left in taken(self._stored))):
            with channel, suppress(OSError):  # it has ended
                channel.send(b"\n")
        if self._guard is not None:
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(_PATIENCE)
        self._channel = self._guard = self._guarded = None
