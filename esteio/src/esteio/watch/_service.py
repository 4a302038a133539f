"""The watcher as a service of `esteio.serve`: the engine and its server, in one event loop of a thread of its own.

Promises: `start` returns when it listens and raises when it cannot. Whatever ends the engine or the server ends both, so that
whoever keeps services starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from esteio.errors import EsteioError
from esteio.extras import needs
from esteio.health import HistoryReader
from esteio.health._history import History
from esteio.serve import ConnectionLimits, http_protocol
from esteio.serve._service_manager import notify, watchdog_interval
from esteio.watch._config import Config
from esteio.watch._engine import Engine
from esteio.watch._server import application
from esteio.watch._state import StateFile

with needs("watch"):
    import uvicorn

__all__ = ["CannotListen", "Watcher"]

_logger = logging.getLogger("esteio.watch")
_BACKLOG = 128
_LIMITS = ConnectionLimits(
    connections=500, per_address=100, requests=200, head_bytes=8192, probe_paths=("/health", "/peer")
)
_READY = 20.0  # seconds that a start may take
_ENDING = 2.0  # seconds that looks on their way have at the end


class CannotListen(EsteioError):
    """The address of `listen` cannot be had: `reason`."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__(f"[watch] listen is {host}:{port}: {reason}; choose another one, or end what has it")


class Watcher:
    """Watches what `config` says; `history` and `state` are files in its directory."""

    name = "watcher"

    def __init__(self, config: Config, *, engine: Callable[[Config, StateFile, History], Engine] = Engine) -> None:
        self.config = config
        self.engine: Engine | None = None
        self.port = 0
        """Where it listens, once it was started."""
        self._make = engine
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()

    def start(self) -> None:
        """Listen, and begin to look; CannotListen, StateTooNew, OSError."""
        self.stop(0.0)
        directory = self.config.directory
        listening = _listen(*self.config.watch.listen)
        try:
            state = StateFile(directory / "watch.sqlite")
            state.keep(each.name for each in self.config.heartbeats)
            engine = self._make(self.config, state, History(directory / "history.sqlite"))
        except BaseException:
            listening.close()
            raise
        self.engine, self.port = engine, int(listening.getsockname()[1])
        self._ready.clear()
        work = threading.Thread(
            target=self._work, args=(engine, state, listening), name=f"esteio {self.name}", daemon=True
        )
        self._thread = work
        work.start()
        self._ready.wait(_READY)

    def is_alive(self) -> bool:
        """Whether it watches."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it; answers on their way have a moment."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self, engine: Engine, state: StateFile, listening: socket.socket) -> None:
        loop = self._loop = asyncio.new_event_loop()
        reader = HistoryReader(self.config.directory / "history.sqlite")
        try:
            self._task = loop.create_task(self._run(engine, reader, listening))
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(self._task)
        except Exception:
            _logger.exception("the watcher ended")
        finally:
            listening.close()
            _end_what_is_left(loop)
            state.close()
            # Not `asyncio.Runner`: that waits for the threads that resolve names, which a dead name server holds for long.
            loop.close()
            self._ready.set()

    async def _run(self, engine: Engine, history: HistoryReader, listening: socket.socket) -> None:
        protocol: Any = http_protocol(_LIMITS)  # which uvicorn calls as it would call a class
        config = uvicorn.Config(
            application(engine, history), http=protocol, log_config=None, access_log=False, lifespan="off",
            timeout_keep_alive=5, timeout_graceful_shutdown=2, server_header=False, ws="none",
        )  # fmt: skip
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        watching = asyncio.create_task(engine.run())
        living = asyncio.create_task(_signs_of_life())
        self._ready.set()
        try:
            done, _ = await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # what ended it, if that was an error
        finally:
            server.should_exit = True
            for task in (watching, living):
                task.cancel()
            await asyncio.gather(watching, living, serving, return_exceptions=True)


def _end_what_is_left(loop: asyncio.AbstractEventLoop) -> None:
    """Looks on their way are shielded from who waits for them: they have a moment to end."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_ENDING))


async def _signs_of_life() -> None:
    """To systemd, from the loop that looks: one that stands still is replaced."""
    notify("READY=1")
    every = watchdog_interval(os.environ, os.getpid())
    while every is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(every)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(host, port, str(error.strerror or error)) from error
    try:
        if os.name != "nt":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise CannotListen(host, port, str(error.strerror or error)) from error
    return listening
