"""One worker process, seen from the supervisor.

Promises: no call here waits for the worker. The channel is a pair of sockets that carries single bytes (`Phase`
one way, `Order` the other), so a message is never half there; the worker holds only its own end, and reads end
of file the moment the supervisor is gone, however it went, unless systemd holds our end too (`_handover`).

uvicorn's own `Process` is not used: it hands both ends of its pipe to the child, answers its health check in a
thread whether or not the event loop turns, and waits for the answer.
"""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Sequence
from contextlib import suppress

from esteio.serve._handover import forget_worker, store_worker
from esteio.serve._release import release_of_new_processes
from esteio.serve._settings import WorkerSpec
from esteio.serve._signals import sigint_held
from esteio.serve._slot import Order, Phase

__all__ = ["WorkerProcess"]

_SPAWN = multiprocessing.get_context("spawn")


def _work(spec: WorkerSpec, slot: int, sockets: list[socket.socket], channel: socket.socket) -> None:
    """Serve until told to end; exits with uvicorn's code 3 when the application can't start, 4 when it can't be imported."""
    # Imported in the worker alone: the supervisor itself does without uvicorn.
    from esteio.serve._lifecycle import lifecycle
    from esteio.serve._worker import ignore_terminal_signals, serve

    ignore_terminal_signals()
    lifecycle.slot = slot
    serve(spec, sockets, channel)


class WorkerProcess:
    """A started process; OSError when the system could not start one."""

    def __init__(self, spec: WorkerSpec, slot: int, sockets: Sequence[socket.socket]) -> None:
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        self._process = _SPAWN.Process(target=_work, args=(spec, slot, list(sockets), theirs), name=f"worker-{slot}")
        try:
            with sigint_held(), release_of_new_processes():
                self._process.start()
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._closed = False
        self._problem: bytearray | None = None
        store_worker(self.pid, self._channel)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """Readable once the process has ended."""
        return self._process.sentinel

    @property
    def exitcode(self) -> int | None:
        """None while it runs; minus the signal's number when one killed it."""
        return self._process.exitcode

    @property
    def waitables(self) -> list[int | socket.socket]:
        """What to wait on: its end, and its messages until it closes its side (it may live on for a while)."""
        return [self.sentinel] if self._closed else [self.sentinel, self._channel]

    def received(self) -> list[Phase]:
        """The phases it reported since the last call, oldest first."""
        if self._closed:
            return []
        try:
            said = self._channel.recv(4096)
        except BlockingIOError:
            return []
        except OSError:
            said = b""
        self._closed = not said
        if self._problem is not None:
            self._problem += said
            return []
        phases, unusable, problem = said.partition(Phase.UNUSABLE.value)
        if unusable:
            self._problem = bytearray(problem)
        return [Phase(phases[i : i + 1]) for i in range(len(phases))]

    @property
    def problem(self) -> str | None:
        """Why it could not import the application; None when it did, or has not said so yet."""
        return None if self._problem is None else self._problem.decode(errors="replace")

    def send(self, order: Order) -> None:
        """Send the order; without effect when it has ended."""
        with suppress(OSError):
            self._channel.send(order.value)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def close(self) -> None:
        """Give back what is held, after its end."""
        forget_worker(self.pid)
        self._channel.close()
        self._process.join()
        self._process.close()
