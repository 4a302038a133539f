"""A uvicorn server in a worker process.

Promises: it reports to the supervisor twice a second *from its event loop*, so silence means a loop that stands
still. It ends in order when told, on SIGTERM, and when the supervisor is gone; if it can't within its budget
after that last case, it ends itself hard, because nobody else can. SIGINT and SIGHUP, which a terminal sends to
all, are left to the supervisor. Ending: readiness says no; it stops accepting (what waits in the shared backlog
goes to siblings); each further response says `Connection: close`; idle connections get their grace; requests in
flight get `graceful_shutdown` seconds and are cancelled then.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import uvicorn

from esteio.clock import SYSTEM
from esteio.serve._connections import CROWD
from esteio.serve._drain import Drain
from esteio.serve._errors import ApplicationUnusable
from esteio.serve._events import UNUSABLE
from esteio.serve._http import http_protocol
from esteio.serve._lifecycle import lifecycle
from esteio.serve._slot import Order, Phase
from esteio.serve._tls import CertificateWatch

if TYPE_CHECKING:
    from esteio.serve._settings import ServerOptions, Timeouts, WorkerSpec

__all__ = ["WorkerServer", "ignore_terminal_signals", "serve"]

_logger = logging.getLogger("esteio.serve")
_TURN = 0.1  # seconds between two looks at the own state
_TURNS_PER_HEARTBEAT = 5
_OTHER_FILES = 512  # of the application: its database connections, its log, its modules
_DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)  # a stopped supervisor must not stop us


def ignore_terminal_signals() -> None:
    """Called first in the process, which was born with SIGINT held back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def serve(spec: WorkerSpec, sockets: list[socket.socket], channel: socket.socket) -> None:
    """Run until the end of this worker."""
    app = _loaded(spec, channel)
    _allow_open_files(CROWD * spec.options.limits.connections + _OTHER_FILES)
    server = WorkerServer(_config(app, spec), channel, spec.timeouts)
    threading.Thread(target=server.follow_orders, name="esteio-orders", daemon=True).start()
    server.run(sockets)


def _loaded(spec: WorkerSpec, channel: socket.socket) -> Any:
    try:
        return _load(spec.app, factory=spec.options.factory)
    except ApplicationUnusable as error:
        _logger.error("%s", error, exc_info=error.__cause__)
        with suppress(OSError):  # the supervisor is gone
            channel.sendall(Phase.UNUSABLE.value + error.problem.encode())
        sys.exit(UNUSABLE)


def _config(app: Any, spec: WorkerSpec) -> uvicorn.Config:
    options = spec.options
    arguments: dict[str, Any] = {
        "loop": options.loop,
        "http": _http(options),
        "backlog": options.backlog,
        "limit_max_requests": options.limit_max_requests,
        "timeout_keep_alive": options.keep_alive,
        "timeout_graceful_shutdown": max(1, round(spec.timeouts.graceful_shutdown)),
        "access_log": options.access_log,
        "log_level": options.log_level,
        "log_config": dict(options.log_config) if options.log_config is not None else None,
        "proxy_headers": options.proxy_headers,
        "forwarded_allow_ips": options.forwarded_allow_ips,
        "root_path": options.root_path,
        "server_header": False,
        "workers": 1,
    }
    if options.tls is not None:
        certificate = CertificateWatch(options.tls)
        threading.Thread(target=certificate.follow, name="esteio-certificate", daemon=True).start()
        arguments["ssl_context_factory"] = lambda _config, _default: certificate.context
    return uvicorn.Config(app, **{**arguments, **options.extra})


def _http(options: ServerOptions) -> Any:
    """Our own protocol, unless another one is asked for or httptools is not installed."""
    if options.http != "auto" or find_spec("httptools") is None:
        return options.http
    return http_protocol(options.limits, trusted=options.forwarded_allow_ips, words=options.refusals)


def _allow_open_files(wanted: int) -> None:
    """Raise the soft limit of open files, usually 1024, towards `wanted`: out of files, nobody is accepted any more."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class WorkerServer(uvicorn.Server):
    """`channel` is this worker's end of the socket pair to the supervisor."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket, timeouts: Timeouts) -> None:
        super().__init__(config)
        self._channel = channel
        self._timeouts = timeouts
        self._order = Order.RETIRE  # SIGTERM to this worker alone: siblings take over
        self._heartbeat_task: asyncio.Task[None] | None = None

    def follow_orders(self) -> None:
        """Follow the supervisor's orders; runs in a thread, so that it works while the loop does not."""
        while True:
            try:
                order = self._channel.recv(1)
            except OSError:
                order = b""
            self._order = Order.RETIRE if order == Order.RETIRE.value else Order.STOP
            self.should_exit = True
            if not order:
                break
        SYSTEM.sleep(self._timeouts.stop_budget)
        os._exit(1)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """SIGTERM only; and it is not raised again after the end, so an orderly end has exit code 0."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, unless the order to end came first."""
        self._heartbeat_task = asyncio.create_task(self._heartbeat())
        if not self.should_exit:
            await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then let uvicorn end what is left and the application."""
        lifecycle.draining = True
        drain = Drain(self.config, self.server_state)
        if self._order is Order.STOP and self._timeouts.drain_delay:
            await drain.wait(self._timeouts.drain_delay)
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        ended = await drain.run(self._grace, self._timeouts.graceful_shutdown)
        # uvicorn waits once more, then cancels: nothing is left to wait for, or the time is up already.
        self.config.timeout_graceful_shutdown = 1 if ended else 0
        await super().shutdown(sockets)

    def _grace(self) -> float:
        grace = self._timeouts.keep_alive_grace
        return grace if self._order is Order.RETIRE else min(grace, 0.2)

    def _phase(self) -> Phase:
        if lifecycle.draining:
            return Phase.DRAINING
        if not self.started:
            return Phase.STARTING
        return Phase.READY if lifecycle.ready else Phase.SERVING

    async def _heartbeat(self) -> None:
        reported, turns = Phase.BOOTING, 0
        while True:
            try:
                phase = self._phase()
                if phase is not reported or turns % _TURNS_PER_HEARTBEAT == 0:
                    with suppress(OSError):  # full or closed: the thread that follows orders sees the supervisor's end
                        self._channel.send(phase.value, _DONTWAIT)
                    reported = phase
            except Exception:  # a worker that serves would be killed for its silence
                _logger.exception("a heartbeat failed; they go on")
            turns += 1
            await asyncio.sleep(_TURN)


# Importing the application: what is raised says which part of its name is wrong, or where in its code an error came from.


def _load(app: str, *, factory: bool = False) -> Any:
    """The object that `app` names, or with `factory` what it returns; ApplicationUnusable when that can't be had."""
    module_name, _, path = app.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            problem = f"there is no module {error.name!r} in the current directory or the Python path"
            raise ApplicationUnusable(app, problem) from None  # its traceback would show only our own call
        raise ApplicationUnusable(app, _raised("importing it", error)) from error
    except (Exception, SystemExit) as error:
        raise ApplicationUnusable(app, _raised("importing it", error)) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise ApplicationUnusable(app, f"{module_name!r} has no {name!r}{_similar(name, found)}")
        found = getattr(found, name)
    if not callable(found):
        raise ApplicationUnusable(
            app, f"it is {type(found).__name__!r} and can't be called, as an ASGI application can"
        )
    if not factory:
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise ApplicationUnusable(app, _raised("calling it", error)) from error


def _raised(doing: str, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{doing} raised {type(error).__name__}: {error}{where}"


def _similar(name: str, found: object) -> str:
    near = difflib.get_close_matches(name, [each for each in dir(found) if not each.startswith("_")], n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
