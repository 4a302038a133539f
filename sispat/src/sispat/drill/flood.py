"""More requests than a service can answer, from a process of its own: the drill's clock must not stand still for them.

Promises: with a rate, a request is due whether or not others were answered (open loop), on a connection of its own until
it is answered; what finds none of `connections` free is `unsent`. Without a rate, each connection asks again as soon
as it was answered: how much the service can do. Asking begins when all connections are there, or after `_CONNECTED_WITHIN`
seconds; a request counts by when it was due, so that those under way at the end are waited for. Bytes are sent as they are
given, and of an answer only its status and its end are looked at: a client has to cost a small part of what the server
spends, or it would be measured instead. `busy` says which part of a core it took.

`python -m sispat.drill.flood` reads a plan from standard input (JSON) and writes what became of it; SIGTERM ends it early.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Kind", "Seen", "main"]

_STEP = 0.005  # seconds between two looks at what is due
_CONNECTING_AT_ONCE = 50
_CONNECTED_WITHIN = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: what is sent, how often a second (0: as fast as it is answered), by how many connections."""

    name: str
    request: str
    rate: float
    connections: int
    deadline: float = 2.0
    """Seconds within which an answer is good."""


@dataclass(slots=True)
class Seen:
    """What became of the requests of a kind."""

    offered: int = 0
    good: int = 0
    """Answered with 2xx in time."""
    refused: int = 0
    """Answered with 429 or 503."""
    late: int = 0
    failed: int = 0
    """Any other answer, or none."""
    unsent: int = 0
    """All connections still waited for their answers; part of `offered`."""


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._transport: asyncio.Transport | None = None
        self._due: float | None = None
        self._head = b""
        self._left = 0
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, due: float) -> None:
        self._due, self._head, self._status = due, b"", 0
        assert self._transport is not None
        self._transport.write(self._stream.bytes)

    def data_received(self, data: bytes) -> None:
        if self._status == 0:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._status = int(head[9:12])
            fields = head.lower()
            _, length, rest = fields.partition(b"\r\ncontent-length:")
            self._left = int(rest.split(b"\r\n", 1)[0]) if length else -1  # chunked
        if self._left >= 0:
            self._left -= len(data)
            whole = self._left <= 0
        else:
            whole = data.endswith(b"0\r\n\r\n")
        if whole:
            due, self._due = self._due, None
            if due is not None:
                self._stream.answered(self, due, self._status)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._stream.lost(self, asked=self._due is not None)
        self._due = None

    @property
    def asked(self) -> bool:
        return self._due is not None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Stream:
    """All connections of one kind."""

    def __init__(self, kind: Kind, port: int) -> None:
        self.seen = Seen()
        self.bytes = kind.request.encode("latin-1")
        self._kind = kind
        self._port = port
        self._free: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        self._connecting = 0
        self._sent = 0
        self._began = 0.0
        self._ended = False
        self._closing = False

    async def connected(self) -> None:
        """Wait for all connections, but not for ever."""
        end = time.monotonic() + _CONNECTED_WITHIN
        while len(self._open) < self._kind.connections and time.monotonic() < end:
            self._connect()
            await asyncio.sleep(_STEP)

    async def run(self, end: asyncio.Event) -> None:
        """Ask until the end, then wait for what is under way."""
        self._began = time.monotonic()
        while not end.is_set():
            self._connect()
            self._send_due()
            await asyncio.sleep(_STEP)
        self._ended = True
        last = time.monotonic() + self._kind.deadline
        while len(self._free) < len(self._open) and time.monotonic() < last:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_STEP)
        self._closing = True
        for connection in tuple(self._open):
            self.seen.failed += connection.asked
            connection.close()

    def _send_due(self) -> None:
        now = time.monotonic()
        if not self._kind.rate:
            while self._free:
                self._ask(now)
            return
        due = int((now - self._began) * self._kind.rate)
        while self._sent < due:
            self._sent += 1
            if self._free:
                self._ask(self._began + self._sent / self._kind.rate)
            else:
                self.seen.offered += 1
                self.seen.unsent += 1

    def _ask(self, due: float) -> None:
        self.seen.offered += 1
        self._free.popleft().ask(due)

    def answered(self, connection: _Connection, due: float, status: int) -> None:
        now = time.monotonic()
        seen = self.seen
        if 200 <= status < 300:
            if now - due <= self._kind.deadline:
                seen.good += 1
            else:
                seen.late += 1
        elif status in (429, 503):
            seen.refused += 1
        else:
            seen.failed += 1
        self._free.append(connection)
        if not self._kind.rate and not self._ended:
            self._ask(now)

    def lost(self, connection: _Connection, *, asked: bool) -> None:
        self.seen.failed += asked and not self._closing
        self._open.discard(connection)
        if connection in self._free:
            self._free.remove(connection)

    def _connect(self) -> None:
        while len(self._open) + self._connecting < self._kind.connections and self._connecting < _CONNECTING_AT_ONCE:
            self._connecting += 1
            task = asyncio.ensure_future(
                asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            )
            task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Future[tuple[asyncio.Transport, _Connection]]) -> None:
        self._connecting -= 1
        if task.cancelled() or task.exception() is not None:
            return  # a full backlog: tried again at the next step
        _, connection = task.result()
        self._open.add(connection)
        self._free.append(connection)


async def flood(port: int, kinds: Sequence[Kind], seconds: float) -> Mapping[str, Any]:
    """Ask for `seconds`, or until SIGTERM."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    streams = {kind.name: _Stream(kind, port) for kind in kinds}
    await asyncio.gather(*(stream.connected() for stream in streams.values()))
    loop.call_later(seconds, end.set)
    began, spent = time.monotonic(), time.process_time()
    asking = [asyncio.ensure_future(stream.run(end)) for stream in streams.values()]
    await end.wait()
    lasted = time.monotonic() - began
    busy = (time.process_time() - spent) / lasted
    await asyncio.gather(*asking)
    return {"seconds": lasted, "busy": busy, "kinds": {name: asdict(stream.seen) for name, stream in streams.items()}}


def main() -> None:
    """Read the plan, carry it out, say what became of it."""
    plan: dict[str, Any] = json.load(sys.stdin)
    kinds = [Kind(**kind) for kind in plan["kinds"]]
    json.dump(asyncio.run(flood(plan["port"], kinds, plan["seconds"])), sys.stdout)


if __name__ == "__main__":
    main()
