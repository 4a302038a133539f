"""The service under the drill: `sispat serve --demo` as a child, in a data directory of its own, with default settings
but for those of `_SETTINGS`: nobody is refused for asking much, and what a fault waits for takes less long.

Promises: what the drill does to it reaches no other process of the machine. A supervisor that dies is started again
after `RESTART_AFTER` seconds, and is passed what it had stored, as by systemd (`RestartSec`, `FileDescriptorStoreMax`); what
it started goes on meanwhile (`KillMode=process`). Whatever ends the drill ends all of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Self

import psutil

from esteio.postgres import Dsn
from esteio.system import atomic_write
from esteio.testing.service_manager import ServiceManager
from sispat.drill.disks import SmallDisk
from sispat.drill.leftovers import end_processes, processes_of
from sispat.drill.surroundings import OwnEtc
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["RESTART_AFTER", "DrilledService", "ServiceNotReady", "free_port", "lives"]

RESTART_AFTER = 1.0
_STARTS_WITHIN = 120.0
_DATA_DISK, _BACKUP_DISK, _HISTORY_DISK = 3 << 30, 2 << 30, 64 << 20  # bytes, taken as they are written
_MANY = "1000000/1min"  # one person does the work of a whole city hall; still counted, through Redis where there is one
_SETTINGS = dict.fromkeys(("SISPAT_LIMIT_WRITE", "SISPAT_LIMIT_USER", "SISPAT_LIMIT_REPORT"), _MANY) | {
    "SISPAT_WORKER_MEMORY": "256MB",  # so that a leak need not be watched for long
    "SISPAT_START_TIMEOUT": "30s",
}
_RELEASE = """import sys
{package}
if any("spawn_main" in word for word in sys.orig_argv):
    import os, pathlib, signal, threading, time

    def busy(*_):
        pathlib.Path({place!r}, "hit-%d" % os.getpid()).touch()
        while True:
            pass

    def leak():
        kept = []
        while True:
            kept.append(os.urandom(2 ** 20) * 8)
            time.sleep(0.2)

    def leaking(*_):
        pathlib.Path({place!r}, "hit-%d" % os.getpid()).touch()
        threading.Thread(target=leak, daemon=True).start()

    signal.signal(signal.SIGUSR1, busy)
    signal.signal(signal.SIGUSR2, leaking)
    {what}
"""
"""Workers that a signal makes busy for ever, or leak 40 MB a second: what a bug does, at a moment of ours."""
# Not by sys.path: a worker takes over the supervisor's.
_FOUND_IN = """import importlib.machinery

class Release:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, [{package!r}]) if name == "sispat" else None

sys.meta_path.insert(0, Release)
"""
_OF_THE_MACHINE = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "SISPAT_LANG")


class ServiceNotReady(SispatError):
    """The service under the drill does not serve."""

    code = "drill-service-not-ready"

    def __init__(self, seconds: float, log: str) -> None:
        self.seconds, self.log = seconds, log
        told = _("O serviço do simulado não ficou pronto em %(seconds)s s. O fim do log dele:", seconds=f"{seconds:g}")
        super().__init__(f"{told}\n{log}")


class DrilledService:
    """`async with DrilledService(size=2000) as service:` - ready, with a first verified base, when the block begins."""

    def __init__(self, *, size: int, environment: dict[str, str], etc: OwnEtc | None = None) -> None:
        self.size = size
        self.etc = etc
        """Where names and clock are its own; its disks are then small ones of its own, too."""
        self.restarts = True
        """Whether a supervisor that ended is started again; off while a fault wants it dead."""
        self._environment = environment
        self._supervisor: psutil.Popen | None = None

    async def __aenter__(self) -> Self:
        self.place = Path(tempfile.mkdtemp(prefix="servico-"))
        self.place.chmod(0o711)  # the account of an embedded server has to pass
        self.data_disk = SmallDisk(self.place / "disco-dados", _DATA_DISK)
        self.backup_disk = SmallDisk(self.place / "disco-copias", _BACKUP_DISK)
        self.history_disk = SmallDisk(self.place / "disco-historico", _HISTORY_DISK)
        self._mounted = ExitStack()
        for disk in (self.data_disk, self.backup_disk, self.history_disk) if self.etc is not None else ():
            self._mounted.enter_context(disk)
        # Below the disks, if there are any: what is mounted cannot be renamed or removed.
        self.data = (self.data_disk.directory if self.etc is not None else self.place) / "dados"
        self.backups = (self.backup_disk.directory if self.etc is not None else self.place) / "copias"
        if self.etc is not None:
            self._put_history_apart()
        self.release = self.place / "release"
        """Searched by Python before all else; what each new process finds there is the release."""
        self.release.mkdir()
        self.deploy()
        self._log: IO[bytes] = (self.place / "log.txt").open("ab")
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        here = {name: os.environ[name] for name in _OF_THE_MACHINE if name in os.environ}
        self.environment = here | _SETTINGS | self._environment | {
            "SISPAT_DATA_DIR": str(self.data), "BACKUP_DIR": str(self.backups),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.release), here.get("PYTHONPATH", "")])),
        }  # fmt: skip
        try:
            self._manager = self._mounted.enter_context(ServiceManager(self.place))
            await self.command("backup", "init")
            self.start()
            await self.until_ready()
            await self._until_verified()
            self._watching = asyncio.create_task(self._start_again())
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.to_thread(self._end)

    def _put_history_apart(self) -> None:
        """What the monitor writes lies on a disk of its own, as somebody would move it there: by links."""
        self.data.mkdir()
        for file in self.history:
            file.symlink_to(self.history_disk.directory / file.name)

    # -- its life

    def start(self) -> None:
        """Start the supervisor."""
        command = [
            sys.executable,
            "-m",
            "sispat",
            "serve",
            "--demo",
            "--size",
            str(self.size),
            "--port",
            str(self.port),
        ]
        if self.etc is not None and self.etc.reason is None:
            command = self.etc.command(command)
        self._supervisor = self._manager.start(
            command,
            self.environment,
            psutil.Popen,
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def power_cut(self) -> list[psutil.Process]:
        """Forget what is stored; all that is to be killed then, and stays dead while `restarts` is off."""
        self.restarts = False
        self._manager.drop()
        return self.processes()

    def deploy(self, code: str = "", *, package: Path | None = None) -> None:
        """What workers that are started from now on are: with `code` run first, or from another folder's package."""
        found = _FOUND_IN.format(package=str(package)) if package is not None else ""
        text = _RELEASE.format(package=found, what=code or "pass", place=str(self.release))
        # Whole at each moment: processes are being started meanwhile.
        atomic_write(self.release / "sitecustomize.py", text.encode())

    async def until_ready(self, seconds: float = _STARTS_WITHIN) -> None:
        """Wait until it serves with all its workers; `ServiceNotReady` after `seconds`."""
        await self._until(lambda: self.answers("/api/health/ready") and len(self.workers()) == 2, seconds)

    async def _until_verified(self) -> None:
        """A first start makes its base at once and verifies it: a restore needs one."""
        state = self.data / "operator.json"
        await self._until(
            lambda: state.exists() and bool(json.loads(state.read_text()).get("verified")), _STARTS_WITHIN
        )

    async def _until(self, holds: Callable[[], object], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ServiceNotReady(seconds, self.log()[-2000:]) from None

    async def _start_again(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self.restarts and self.supervisor is None:
                await asyncio.sleep(RESTART_AFTER)
                self.start()

    def _end(self) -> None:
        for signum, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            end_processes(self.place, signum, patience, self._supervisor)
        self._log.close()
        self._mounted.close()
        shutil.rmtree(self.place, ignore_errors=True)

    # -- what is asked of it

    def log(self) -> str:
        """All it has written so far."""
        return (self.place / "log.txt").read_text("utf-8", errors="replace")

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with 200 within two seconds."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    async def command(self, *arguments: str) -> str:
        """Run `sispat ARGUMENTS` on its data, as a person would; `RuntimeError` with its words where it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sispat", *arguments,
            env=self.environment, cwd=self.place,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said, _error = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"sispat {' '.join(arguments)}: {said.decode(errors='replace')[-800:]}")
        return said.decode(errors="replace")

    @property
    def history(self) -> tuple[Path, Path]:
        """What was measured and how the checks stood; which alerts fire, and the incidents."""
        return self.data / "health.sqlite", self.data / "alerts.sqlite"

    def owner(self) -> Dsn:
        """The address of its database, as the server's superuser: who reaches the socket as its account is trusted."""
        url: str = json.loads((self.data / "sispat.lock").read_text())["url"]
        return Dsn.parse(url).with_(user="postgres")

    # -- whose process is whose

    @property
    def supervisor(self) -> psutil.Process | None:
        """The supervisor, while it runs."""
        process = self._supervisor
        return process if process is not None and process.poll() is None else None

    def processes(self) -> list[psutil.Process]:
        """All that has to do with its place: also what a killed supervisor left behind."""
        return processes_of(self.place)

    def workers(self) -> list[psutil.Process]:
        """The processes that serve, also those whose supervisor was killed."""
        found = []
        for name in self._manager.stored:
            kind, _dash, pid = name.partition("-")
            with suppress(psutil.NoSuchProcess):  # it ends just now
                found += [psutil.Process(int(pid))] if kind == "worker" else []
        return found

    def postgres(self) -> list[psutil.Process]:
        """The server's processes, the postmaster first; its supervisor may be another one than started it."""
        try:
            postmaster = psutil.Process(int((self.data / "postgres" / "postmaster.pid").read_text().split()[0]))
        except (OSError, ValueError, IndexError, psutil.Error):
            return []
        return [postmaster, *_children(postmaster)]

    def sessions(self) -> list[psutil.Process]:
        """Of these, all that a crash ends: the postmaster may recover without ending, and then its logger goes on."""
        return [each for each in self.postgres()[1:] if "logger" not in " ".join(_words(each))]

    def operator(self) -> psutil.Process | None:
        """The operator."""
        return next((each for each in self._children() if "operator" in _words(each)), None)

    def receiver(self) -> psutil.Process | None:
        """The receiver of the log."""
        return next((each for each in self._children(recursive=True) if _name(each) == "pg_receivewal"), None)

    def _children(self, *, recursive: bool = False) -> list[psutil.Process]:
        return _children(self.supervisor, recursive=recursive) if self.supervisor is not None else []


def _children(process: psutil.Process, *, recursive: bool = True) -> list[psutil.Process]:
    try:
        return [each for each in process.children(recursive=recursive) if each.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def lives(process: psutil.Process) -> bool:
    """Whether it runs, or would if it were not stopped."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it ended between the two
        return False


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
