"""A `sispat serve` that runs, seen from outside: which release its workers are of, whether it serves, what it answered.

Promises: it is only asked and watched, and told by SIGHUP to replace its workers. A process that ends meanwhile is an answer,
not an error.
"""

from __future__ import annotations

import os
import signal
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import psutil

__all__ = ["Answers", "RunningService"]

_STEP = 0.2  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Answers:
    """Requests that were answered, and of them those that failed for a reason of ours (5xx); 503 is none: it is refused."""

    all: int
    failed: int


class RunningService:
    """The supervisor with the number `pid`."""

    def __init__(self, pid: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._process = psutil.Process(pid)
        self._now = now
        self._environment = self._process.environ()

    def workers(self) -> dict[int, Path]:
        """The environment that each worker runs from, by its number."""
        found = {}
        for child in self._children():
            try:
                words = child.cmdline()
                if any("spawn_main" in word for word in words) and child.status() != psutil.STATUS_ZOMBIE:
                    found[child.pid] = _environment_of(words[0])
            except psutil.Error:  # it ended between two looks
                continue
        return found

    def used(self) -> set[Path]:
        """The environments that any of its processes run from."""
        found = set()
        for each in [self._process, *self._children()]:
            try:
                words = each.cmdline()
            except psutil.Error:
                continue
            if words and words[0].startswith("/"):
                found.add(_environment_of(words[0]))
        return found

    def is_ready(self) -> bool:
        """Whether a worker says that it serves."""
        port, host = self._address()
        connection: HTTPConnection
        if self._variable("SISPAT_TLS_CERTIFICATE"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is for another name than 127.0.0.1
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = HTTPSConnection(host, port, timeout=5, context=context)
        else:
            connection = HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/api/health/ready", headers={"Connection": "close"})
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def answers(self) -> Answers:
        """What all workers answered since the service was started; nothing where it is not measured."""
        from esteio.health import MEASUREMENTS, Measurements, MeasurementsError

        path = self._variable(MEASUREMENTS)
        if not path:
            return Answers(0, 0)
        try:
            with Measurements(path) as measured:
                outcomes = measured.read().outcomes
        except MeasurementsError:
            return Answers(0, 0)
        return Answers(sum(outcomes.values()), outcomes.get("5xx", 0))

    def roll(self, release: Path, patience: float, size: int) -> str:
        """Have all workers replaced by ones of `release`; '' when they are and serve, else what went wrong.

        `size`: how many there should be. There may be one more just now, in whose place another one serves already.
        """
        before, release = self.workers(), Path(os.path.realpath(release))
        wanted = max(1, min(size, len(before)))
        self._process.send_signal(signal.SIGHUP)
        deadline, begun = self._now() + patience, set[int]()
        while self._now() < deadline:
            time.sleep(_STEP)
            workers = self.workers()
            new = {pid for pid, environment in workers.items() if environment == release and pid not in before}
            if not workers.keys() & before.keys() and len(new) >= wanted and self.is_ready():
                return ""
            if begun - new and not new:
                return "aborted"  # the first of the new ones ended, and the old ones go on
            begun |= new
            if not self._process.is_running():
                return "ended"
        return "late"

    def _children(self) -> list[psutil.Process]:
        try:
            return list(self._process.children())
        except psutil.Error:
            return []

    def _variable(self, name: str) -> str:
        """Of a worker: the supervisor decides some only after its own start."""
        for pid in self.workers():
            try:
                return str(psutil.Process(pid).environ().get(name, ""))
            except psutil.Error:
                continue
        return str(self._environment.get(name, ""))

    def _address(self) -> tuple[int, str]:
        host = self._variable("SISPAT_HOST")
        return int(self._variable("SISPAT_PORT") or 8000), host if host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104


def _environment_of(program: str) -> Path:
    """Of `ENVIRONMENT/bin/python`; the link itself is followed to the release, the interpreter's own is not."""
    return Path(os.path.realpath(Path(program).parent.parent))
