"""How long after a process of a real SISPAT was killed its notice is on its way."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from benchmarks.alerting.receivers import Receiver, receiver

from esteio.alert.monitor import Alerts

_STARTS = 120.0  # seconds
_PATIENCE = 90.0
_CALM = 5.0  # seconds of observation before something is killed


def detection(rounds: int) -> dict[str, list[float]]:
    """Seconds from each kill until its notice arrived, by the name of the alert."""
    times: dict[str, list[float]] = {"worker:died": [], "postgresql:died": [], "operator:died": []}
    victims: dict[str, Callable[[psutil.Process], psutil.Process]] = {
        "worker:died": lambda service: _first(service, lambda line: "spawn_main" in line),
        "postgresql:died": _postmaster,
        "operator:died": lambda service: _first(service, lambda line: line.endswith(" operator")),
    }
    for _ in range(rounds):
        with receiver() as told, _service(told) as (service, data):
            alerts = Alerts(data / "alerts.sqlite")
            _wait(lambda a=alerts: a.ledger().over(600, time.time()).seen > _CALM, _STARTS)  # type: ignore[misc]
            for name, victim in victims.items():
                killed = time.time()
                os.kill(victim(service).pid, 9)
                _wait(lambda n=name, t=told: _arrived(t, n) is not None, _PATIENCE)  # type: ignore[misc]
                times[name].append((_arrived(told, name) or 0.0) - killed)
    return times


def _arrived(told: Receiver, name: str) -> float | None:
    return next((at for at, notice in told.taken if name in notice["message"]), None)


@contextmanager
def _service(told: Receiver) -> Iterator[tuple[psutil.Process, Path]]:
    with tempfile.TemporaryDirectory(prefix="sispat-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o711)  # the server's account has to pass
        environment = {
            key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ
        } | {
            "SISPAT_DATA_DIR": str(home / "data"), "WEBHOOK_URL": told.url, "SISPAT_QUIET_HOURS": "não",
            "SISPAT_BACKUP": "não",
        }  # fmt: skip
        command = [sys.executable, "-m", "sispat", "serve", "--port", "0", "--workers", "2"]
        with (home / "log").open("wb") as log:
            process = psutil.Popen(command, env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process, home / "data"
        finally:
            every = [process, *process.children(recursive=True)]
            process.terminate()
            _, alive = psutil.wait_procs(every, timeout=30)
            for each in alive:
                each.kill()
            process.wait(10)


def _first(service: psutil.Process, fits: Callable[[str], bool]) -> psutil.Process:
    for each in service.children(recursive=True):
        try:
            if fits(" ".join(each.cmdline())):
                return each
        except psutil.NoSuchProcess:  # it ended between the list and the look
            continue
    raise LookupError("no such process below the service")


def _postmaster(service: psutil.Process) -> psutil.Process:
    found = []
    for each in service.children(recursive=True):
        try:
            if "postgres" in each.name():
                found.append((each.create_time(), each.pid, each))
        except psutil.NoSuchProcess:
            continue
    return min(found)[2]


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"nothing within {seconds:.0f} s")
        time.sleep(0.05)
