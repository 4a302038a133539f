"""PostgreSQL's own programs, run without a shell: found, matched with the server, watched and ended.

Promises: each comes from the directory of one installation and is of the wanted major, or `ToolMissing` says which one
is not; nothing is searched for in PATH, where anything may lie. The address of a database goes by environment variables,
which only the same account can read. Leaving the block of a program normally waits for its end and raises `ToolFailed`
for any exit code but 0; leaving it by an exception ends the program first, and it does not outlive us even when we are
killed (on Linux; elsewhere it ends when it next reads or writes). Of what it says on stderr the last 16 kB are kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError, ToolFailed, ToolMissing
from esteio.postgres import Dsn
from esteio.postgres.embedded import BinariesMissing, find_binaries
from esteio.system import die_with_parent

__all__ = ["Running", "Toolbox", "environment"]


def environment(dsn: Dsn | None) -> dict[str, str]:
    """Our own environment, in plain English, with the address `dsn` in it; BackupError for what has no variable."""
    variables = {**os.environ, "LC_ALL": "C", "LC_MESSAGES": "C", "PGAPPNAME": "esteio backup"}
    if dsn is None:
        return variables
    known = {option.keyword.decode(): option for option in pq.Conninfo.get_defaults()}
    for keyword, value in conninfo_to_dict(dsn.conninfo).items():
        option = known[keyword]
        if option.envvar:
            variables[option.envvar.decode()] = str(value)
        elif option.dispchar == b"*" or keyword.startswith("scram_"):
            raise BackupError(DetailCode.HIDDEN_PARAMETER(keyword=keyword))
    return variables


CHUNK = 256 * 1024  # bytes read from a program at once
_KEPT = 16 * 1024
_PATIENCE = 5.0  # seconds a program has to end after it was asked to


class Running:
    """A started program; `stdin` and `stdout` are there where they were asked for.

    `on_line` receives each line of stderr as it comes, in another thread. Enter and leave it in one thread, and
    keep that thread while it runs: the kernel counts the end of the thread as ours. `nice` as in `esteio.system`.
    """

    def __init__(
        self,
        program: Path,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        *,
        stdin: bool = False,
        stdout: bool = False,
        on_line: Callable[[str], None] | None = None,
        nice: int = 0,
    ) -> None:
        self.name = program.name
        self._on_line = on_line
        self._said: deque[str] = deque()
        self._kept = 0
        self._child = subprocess.Popen(  # noqa: S603
            die_with_parent([str(program), *arguments], nice=nice),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(variables),
            # An interrupt at the terminal reaches us, and we end it in order.
            process_group=0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        if stdout:
            _widen(self._child.stdout)
        self._listener = threading.Thread(target=self._listen, name=f"{self.name} stderr", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def stdout(self) -> IO[bytes]:
        """What it writes."""
        assert self._child.stdout is not None
        return self._child.stdout

    @property
    def stdin(self) -> IO[bytes]:
        """What it reads."""
        assert self._child.stdin is not None
        return self._child.stdin

    @property
    def said(self) -> str:
        """The end of what it wrote to stderr."""
        return "\n".join(self._said)

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._child.poll() is None

    def read(self, size: int = CHUNK, /) -> bytes:
        """Up to `size` bytes of its output; none when it has ended well, ToolFailed when it ended badly."""
        data = self.stdout.read(size)
        if not data:
            self.wait()
        return data

    def chunks(self) -> Iterator[bytes]:
        """Its output, piece by piece, then the check that it ended well: ToolFailed otherwise."""
        while chunk := self.read():
            yield chunk

    def write(self, data: bytes, /) -> int:
        """Hand it `data` to read; ToolFailed when it has ended."""
        try:
            return self.stdin.write(data)
        except BrokenPipeError:
            self.wait()
            raise ToolFailed(self.name, 0, DetailCode.ENDED_EARLY()) from None

    def finish(self) -> None:
        """End its input and wait for its end; ToolFailed when it ended before, or badly."""
        try:
            self.stdin.close()
        except BrokenPipeError:
            self.wait()
            raise ToolFailed(self.name, 0, DetailCode.ENDED_EARLY()) from None
        self.wait()

    def wait(self) -> None:
        """Wait for its end; ToolFailed when the exit code is not 0."""
        code = self._child.wait()
        self._listener.join()
        if code != 0:
            raise ToolFailed(self.name, code, self.said)

    def ask_to_end(self) -> None:
        """Send it SIGTERM, and go on; any thread may. Who reads from it or writes to it then sees ToolFailed."""
        if self.is_alive():
            self._child.terminate()

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.is_alive():
            self._child.terminate()
            try:
                self._child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._listener.join()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                with suppress(OSError):  # what could not be written no longer matters
                    pipe.close()

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write `chunks` to it and wait for its end; ToolFailed when it ended before, or badly."""
        for chunk in chunks:
            self.write(chunk)
        self.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if error is None:
                if self._child.stdin is not None:
                    with suppress(BrokenPipeError):  # it ended before; how, its exit code says
                        self._child.stdin.close()
                self.wait()
        finally:
            self.stop()

    def _listen(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            text = line[:_KEPT].decode(errors="replace").rstrip()
            self._said.append(text)
            self._kept += len(text)
            while self._kept > _KEPT and len(self._said) > 1:
                self._kept -= len(self._said.popleft())
            if self._on_line is not None:
                self._on_line(text)


def _widen(pipe: IO[bytes] | None) -> None:
    """Let more than the usual 64 kB wait in `pipe`: fewer changes between the programs, a tenth of the time."""
    if sys.platform == "linux" and pipe is not None:
        # Beyond what this account may have in pipes it is an OSError.
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 1024 * 1024)


_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


_WITHOUT_TLS = ("disable", "allow", "prefer")
"""Of libpq's sslmode, what goes on without."""


class Toolbox:
    """The client programs of PostgreSQL `major` in `directory` (None: where the embedded server's are)."""

    def __init__(self, major: int, directory: Path | None = None) -> None:
        self.major, self._given = major, directory is not None
        try:
            self.directory = directory or find_binaries(major).directory
        except BinariesMissing as error:
            raise ToolMissing(DetailCode.THE_PROGRAMS(), major, str(error)) from error
        self._versions: dict[str, str] = {}

    def version(self, program: str) -> str:
        """Of a program, such as `18.4`; ToolMissing when it is not there, does not run or is of another major."""
        if program not in self._versions:
            self._versions[program] = self._probe(program)
        return self._versions[program]

    def has(self, program: str) -> bool:
        """Whether a program can be used: some installations lack some."""
        try:
            self.version(program)
        except ToolMissing:
            return False
        return True

    def start(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        dsn: Dsn | None = None,
        stdin: bool = False,
        stdout: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> Running:
        """Start a program on the database `dsn`; use it as `with toolbox.start(...) as running:`."""
        self.version(program)
        path = self._directory_for(dsn) / program
        return Running(path, arguments, environment(dsn), stdin=stdin, stdout=stdout, on_line=on_line)

    def _directory_for(self, dsn: Dsn | None) -> Path:
        """Where the programs are that reach `dsn`: those of the wheel know no TLS."""
        wants_tls = dsn is not None and dict(dsn.parameters).get("sslmode", "prefer") not in _WITHOUT_TLS
        if wants_tls and not self._given:
            with suppress(BinariesMissing):  # then the program says that it knows none
                return find_binaries(self.major, wheel=False).directory
        return self.directory

    def run(self, program: str, arguments: Sequence[str] = (), *, dsn: Dsn | None = None, given: bytes = b"") -> None:
        """Run a program to its end with `given` as its input; ToolFailed when it fails."""
        with self.start(program, arguments, dsn=dsn, stdin=True) as running:
            running.feed((given,))

    def _probe(self, program: str) -> str:
        try:
            said = subprocess.run(  # noqa: S603
                [self.directory / program, "--version"], capture_output=True, text=True, check=False, timeout=30
            )
        except (OSError, subprocess.SubprocessError) as error:
            problem = DetailCode.PROGRAM_NOT_RUNNING(directory=str(self.directory), error=str(error))
            raise ToolMissing(program, self.major, problem) from error
        if said.returncode != 0:
            raise ToolMissing(program, self.major, ToolFailed(program, said.returncode, said.stderr).detail)
        match = _VERSION.search(said.stdout)
        if match is None:
            raise ToolMissing(program, self.major, DetailCode.PROGRAM_VERSION_UNKNOWN(directory=str(self.directory)))
        version = f"{match[1]}.{match[2] or 0}"
        if int(match[1]) != self.major:
            problem = DetailCode.PROGRAM_VERSION(directory=str(self.directory), version=version)
            raise ToolMissing(program, self.major, problem)
        return version
