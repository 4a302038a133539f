"""A network that misbehaves on cue: a proxy in front of a real server.

Promises: what a method says holds when it returns, for all connections of this proxy, from any thread. Bytes pass in
order and unchanged until a fault is asked for; `heal()` ends every fault but brings no cut connection back. Nothing is
left running after `stop()`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from esteio.clock import SYSTEM

__all__ = ["Direction", "FlakyProxy"]

Direction = Literal["up", "down"]
"""`up` is from the client to the server, `down` is what the server answers."""

_CHUNK = 65536
_BOTH: tuple[Direction, Direction] = ("up", "down")
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class FlakyProxy:
    """Passes connections on to `target`: a (host, port), or the path of a Unix socket.

    Listens on a free port of 127.0.0.1, or on a Unix socket when `listen` names a path. Use it as a context manager,
    or `start()` and `stop()`; a stopped proxy refuses connections, and a started one has the same address again.
    """

    def __init__(self, target: tuple[str, int] | str | Path, *, listen: str | Path | None = None) -> None:
        self._target = target if isinstance(target, tuple) else str(target)
        self._listen = None if listen is None else str(listen)
        self._port = 0
        self._listener: socket.socket | None = None
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._delay: dict[Direction, float] = {}
        self._frozen: set[Direction] = set()
        self._swallowed: set[Direction] = set()
        self._rest: dict[Direction, int] = {}
        self._spoiled: dict[Direction, int] = {}
        self.accepted = 0
        """Connections taken since the beginning."""
        self.passed: dict[Direction, int] = {"up": 0, "down": 0}
        """Bytes passed on since the beginning."""

    @property
    def address(self) -> tuple[str, int]:
        """The (host, port) that clients connect to; only of a proxy that listens on a port and was started."""
        if not self._port:
            msg = "FlakyProxy.address: it has no port; start() it, and leave `listen` out"
            raise RuntimeError(msg)
        return "127.0.0.1", self._port

    def start(self) -> Self:
        """Listen; a second call does nothing."""
        if self._listener is None:
            self._listener = listener = self._bound()
            threading.Thread(target=self._accept, args=(listener,), name="flaky-proxy", daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse new connections and cut those there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
            listener.close()
            if self._listen is not None:
                Path(self._listen).unlink(missing_ok=True)
        self.heal()
        self.cut()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Faults

    def cut(self, *, reset: bool = False) -> int:
        """End all connections, with a reset instead of an orderly end if wanted; how many there were."""
        with self._lock:
            links = tuple(self._links)
        for link in links:
            link.cut(reset=reset)
        return len(links)

    def cut_after(self, count: int, direction: Direction = "down") -> None:
        """Let `count` more bytes pass in `direction`, all connections together, then cut the one that wants more."""
        with self._changed:
            self._rest[direction] = count

    def delay(self, seconds: float, direction: Direction | None = None) -> None:
        """Hold each piece back for `seconds`, in one direction or in both."""
        with self._changed:
            self._delay.update(dict.fromkeys(_BOTH if direction is None else (direction,), seconds))

    def freeze(self, direction: Direction | None = None) -> None:
        """Pass nothing on, keep everything: a cable that is out for a while, until `heal()`."""
        with self._changed:
            self._frozen.update(_BOTH if direction is None else (direction,))

    def swallow(self, direction: Direction = "down") -> None:
        """Lose whatever is sent in `direction` while both ends believe that they are connected."""
        with self._changed:
            self._swallowed.add(direction)

    def corrupt(self, count: int, direction: Direction = "down") -> None:
        """Flip all bits of the next `count` bytes in `direction`."""
        with self._changed:
            self._spoiled[direction] = count

    def heal(self) -> None:
        """End every fault; what was frozen passes now."""
        with self._changed:
            for faults in (self._delay, self._rest, self._spoiled):
                faults.clear()
            self._frozen.clear()
            self._swallowed.clear()
            self._changed.notify_all()

    # At work

    def _bound(self) -> socket.socket:
        if self._listen is not None:
            Path(self._listen).unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self._listen)
            listener.listen(128)
            return listener
        listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
        self._port = listener.getsockname()[1]
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = self._reached()
            except OSError:
                _close(client, reset=True)
                continue
            link = _Link(client, server)
            with self._lock:
                self._links.add(link)
            for direction in _BOTH:
                name = f"flaky-proxy {direction}"
                threading.Thread(target=self._pump, args=(link, direction), name=name, daemon=True).start()

    def _reached(self) -> socket.socket:
        if isinstance(self._target, tuple):
            server = socket.create_connection(self._target, timeout=5)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            server.connect(self._target)
        server.settimeout(None)
        return server

    def _pump(self, link: _Link, direction: Direction) -> None:
        source, sink = (link.client, link.server) if direction == "up" else (link.server, link.client)
        try:
            while data := source.recv(_CHUNK):
                allowed = self._weathered(data, direction, link.is_cut)
                sink.sendall(allowed)
                self.passed[direction] += len(allowed)
                if len(allowed) < len(data) and direction not in self._swallowed:
                    break
        except OSError:
            pass  # either end is gone: so is the other
        finally:
            link.cut()
            with self._lock:
                self._links.discard(link)

    def _weathered(self, data: bytes, direction: Direction, is_cut: Callable[[], bool]) -> bytes:
        """What of `data` passes, after however long that takes."""
        if pause := self._delay.get(direction, 0.0):
            SYSTEM.sleep(pause)
        with self._changed:
            while direction in self._frozen and not is_cut():
                self._changed.wait(0.05)
            if direction in self._swallowed:
                return b""
            if spoil := self._spoiled.get(direction, 0):
                spoil = min(spoil, len(data))
                self._spoiled[direction] -= spoil
                data = bytes(255 - byte for byte in data[:spoil]) + data[spoil:]
            if direction in self._rest:
                data = data[: self._rest[direction]]
                self._rest[direction] -= len(data)
            return data


class _Link:
    """One client and its connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self._cut = False

    def is_cut(self) -> bool:
        return self._cut

    def cut(self, *, reset: bool = False) -> None:
        if self._cut:  # an orderly end would overtake the reset
            return
        self._cut = True
        for end in (self.client, self.server):
            _close(end, reset=reset)


def _close(end: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset and end.family != getattr(socket, "AF_UNIX", None):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        else:
            end.shutdown(socket.SHUT_RDWR)
    if reset:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RD)  # wakes who reads; the close below sends the reset
    end.close()
