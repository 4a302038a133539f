"""The programs that fit a server, in one place.

Promises: each comes from the directory of one installation and is of the wanted major, or `ToolMissing` says which
one is not; nothing is searched for in PATH, where anything may lie.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from esteio.backup._errors import ToolFailed, ToolMissing
from esteio.backup.tools._environment import environment
from esteio.backup.tools._running import Running
from esteio.postgres import Dsn
from esteio.postgres.embedded import BinariesMissing, find_binaries

__all__ = ["Toolbox"]

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


class Toolbox:
    """The client programs of PostgreSQL `major` in `directory` (None: where the embedded server's are)."""

    def __init__(self, major: int, directory: Path | None = None) -> None:
        self.major = major
        try:
            self.directory = directory or find_binaries(major).directory
        except BinariesMissing as error:
            raise ToolMissing("the programs", major, str(error)) from error
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
        path = self.directory / program
        return Running(path, arguments, environment(dsn), stdin=stdin, stdout=stdout, on_line=on_line)

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
            raise ToolMissing(program, self.major, f"does not run in {self.directory} ({error})") from error
        if said.returncode != 0:
            raise ToolMissing(program, self.major, str(ToolFailed(program, said.returncode, said.stderr)))
        match = _VERSION.search(said.stdout)
        version = f"{match[1]}.{match[2] or 0}" if match else "of unknown version"
        if match is None or int(match[1]) != self.major:
            raise ToolMissing(program, self.major, f"the one in {self.directory} is {version}")
        return version
