"""What outlives a supervisor that is killed: its listening socket, and its workers until those of the next one are ready.

Promises: systemd holds a duplicate of the socket and of the supervisor's end of each worker's channel, and passes
them to the next start. So a worker does not read end of file when the supervisor alone is gone: it serves on. It does
when the unit is stopped, as systemd closes what it held, and ends in order. For each worker of ours that is ready one
of these *predecessors* is told to retire. Who does not end in time is killed, by its number, which is its own as long
as its channel is not at its end.

Where nobody holds descriptors, all is as if this were not here: workers end with their supervisor. Why so: docs/adr/0026.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from esteio.serve._events import WorkerStopped, log_and_emit
from esteio.serve._service_manager import forget, store, taken
from esteio.serve._settings import Timeouts
from esteio.serve._slot import Order, Phase

__all__ = ["Predecessors", "forget_listeners", "forget_worker", "left_listener", "store_listeners", "store_worker"]

_LISTENER, _WORKER = "listener", "worker"
_SAID_WITHIN = 1.0  # seconds until a worker whose loop runs has said how it is: twice its heartbeat
_logger = logging.getLogger("esteio.serve")


def store_worker(pid: int, channel: socket.socket) -> None:
    """The worker `pid` is to outlive us; `channel` is our end of its channel."""
    store(f"{_WORKER}-{pid}", channel)


def forget_worker(pid: int) -> None:
    """It has ended."""
    forget(f"{_WORKER}-{pid}")


def store_listeners(sockets: Sequence[socket.socket]) -> None:
    """The sockets that we listen on are to outlive us, in place of those before, of which the ones left are closed."""
    for _, left in taken(_LISTENER):
        left.close()
    forget_listeners()
    for each in sockets:
        store(_LISTENER, each)


def forget_listeners() -> None:
    """An end in order: who comes now is refused, and not left to wait."""
    forget(_LISTENER)


def left_listener(family: int, address: tuple[str, int]) -> socket.socket | None:
    """The socket that a killed supervisor listened on at `address`; None where there is none."""
    found = taken(_LISTENER, lambda sock: sock.family == family and sock.getsockname()[:2] == address)
    return found[0][1] if found else None


class Predecessors:
    """The workers of supervisors that were killed, which ours replace; `now` is always monotonic seconds.

    They count in no slot. Of what they say about themselves it only counts who is ready: those are the last to go.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        left = [(name.partition("-")[2], channel) for name, channel in taken(_WORKER)]
        self._all = [_Predecessor(int(pid), channel) for pid, channel in left if pid.isdecimal()]
        self._timeouts = timeouts
        self._heard_by: float | None = None
        if self._all:
            pids = ", ".join(str(each.pid) for each in self._all)
            _logger.warning("workers of a supervisor that was killed serve on until others are ready: pid %s", pids)

    @property
    def left(self) -> int:
        """How many have not ended."""
        return len(self._all)

    def look(self, now: float) -> None:
        """See who has ended, and kill who is late."""
        if self._heard_by is None:
            self._heard_by = now + _SAID_WITHIN
        for each in list(self._all):
            if each.ended():
                self._all.remove(each)
                each.channel.close()
                forget_worker(each.pid)
                log_and_emit(WorkerStopped("worker of a killed supervisor", each.pid, None, each.reason))
            elif each.kill_at is not None and now >= each.kill_at:
                each.kill("killed: did not end in time")

    def retire_to(self, wanted: int, now: float) -> None:
        """Leave no more than `wanted` of them serving, those that are ready if there are some; `look` comes first.

        After several kills there are more of them than slots, and some of those never got ready.
        """
        if self._heard_by is None or now < self._heard_by:
            return
        serving = [each for each in self._all if each.kill_at is None]
        serving.sort(key=lambda each: each.said != Phase.READY.value)
        for each in serving[max(wanted, 0) :]:
            each.order(Order.RETIRE, now + self._timeouts.retire_budget)

    def stop(self, now: float) -> None:
        """End all."""
        for each in self._all:
            each.order(Order.STOP, now + self._timeouts.stop_budget)

    def kill(self) -> None:
        """End all at once."""
        for each in self._all:
            if not each.ended():
                each.kill("killed: the stop was forced")


class _Predecessor:
    """`kill_at` is its deadline once it was told to end."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        channel.setblocking(False)
        self.pid = pid
        self.channel = channel
        self.kill_at: float | None = None
        self.reason = "it ended by itself"
        self.said = b""

    def ended(self) -> bool:
        """Whether nobody holds the other end any more; otherwise its last word has been heard."""
        try:
            while said := self.channel.recv(4096):
                self.said = said[-1:]
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def order(self, order: Order, kill_at: float) -> None:
        """Tell it to end until then; an earlier deadline stands."""
        if self.kill_at is None:
            self.reason = "told to end"
        self.kill_at = kill_at if self.kill_at is None else min(kill_at, self.kill_at)
        with suppress(OSError):  # it has ended
            self.channel.send(order.value)

    def kill(self, reason: str) -> None:
        """SIGKILL. Only where its channel was not at its end a moment ago, or its number may be another's."""
        self.reason = reason
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
