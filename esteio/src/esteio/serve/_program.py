"""A service that is a program of its own.

Promises: it has a session of its own, so a Ctrl-C at the terminal does not reach it before `stop` does. It ends with
us, even when we are killed (see `esteio.system`). `stop` asks with SIGTERM; after the timeout it and its process group
are killed. What it writes joins our stderr line by line. One that runs with our own Python is of the release in force when it
is started (`_release`); `outdated` says that another one is since.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from esteio.serve._errors import ProgramMissing
from esteio.serve._release import release_in_force
from esteio.system import die_with_parent

__all__ = ["Program"]

_LONGEST_LINE = 64 * 1024  # bytes; what is longer is passed on in pieces
_LAST_WORDS = 1.0  # seconds for what it wrote at its end

Started = SimpleQueue["subprocess.Popen[bytes] | Exception"]


class Program:
    """Runs `argv`, for a supervisor that calls it `name`; `env` None: our own environment as it is at each start.

    `nice`, from 0 to 19, is how far it stands back for others.
    """

    def __init__(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, nice: int = 0) -> None:
        self._name = name
        self._argv = tuple(argv)
        self._env = None if env is None else dict(env)
        self._nice = nice
        self._child: subprocess.Popen[bytes] | None = None
        self._runner: threading.Thread | None = None
        self._release = release_in_force()

    @property
    def name(self) -> str:
        """For people."""
        return self._name

    @property
    def pid(self) -> int | None:
        """The process id of the last one that was started."""
        return self._child.pid if self._child else None

    @property
    def outdated(self) -> bool:
        """Whether it would be of another release if it were started now."""
        return self._argv[0] == sys.executable and release_in_force() != self._release

    def start(self) -> None:
        """Start it, unless it runs; ProgramMissing when that can't be done."""
        if self.is_alive():
            return
        self._release = release_in_force()
        path = shutil.which(self._program())
        if path is None:
            raise ProgramMissing(self._name, self._argv[0], "it is not there, or not executable")
        started: Started = SimpleQueue()
        command = die_with_parent([path, *self._argv[1:]], nice=self._nice)
        # The kernel counts the end of the thread that starts it as ours; the one we are called in may end soon.
        runner = threading.Thread(target=self._run, args=(command, started), name=f"esteio {self._name}", daemon=True)
        runner.start()
        child = started.get()
        if isinstance(child, Exception):
            raise ProgramMissing(self._name, path, str(child)) from child
        self._child, self._runner = child, runner

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.poll() is None

    def stop(self, timeout: float) -> None:
        """Ask it to end; after `timeout` seconds, kill it and its group."""
        child = self._child
        if child is None:
            return
        if timeout > 0:
            with suppress(ProcessLookupError):
                child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout)
        if child.poll() is None:
            _kill(child)
            child.wait()
        if self._runner is not None:
            self._runner.join(_LAST_WORDS)

    def _program(self) -> str:
        if self._argv[0] != sys.executable or self._release == Path(sys.prefix):
            return self._argv[0]
        return str(self._release / "bin" / "python")

    def _run(self, command: list[str], started: Started) -> None:
        try:
            child = subprocess.Popen(  # noqa: S603
                command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except Exception as error:  # noqa: BLE001 - whoever called `start` waits for one or the other
            started.put(error)
            return
        started.put(child)
        assert child.stdout is not None
        with child.stdout:
            while line := child.stdout.readline(_LONGEST_LINE):
                _pass_on(line)
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()


def _pass_on(line: bytes) -> None:
    # Whatever stderr is or raises: the thread that calls this must go on, or the kernel ends the program with it.
    with suppress(Exception):
        sys.stderr.write(line.decode(errors="replace"))
        sys.stderr.flush()
