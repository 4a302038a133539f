"""A server for one verification where there are no Unix sockets and no accounts to change to: Windows.

Promises: it listens on 127.0.0.1 alone, with a password of its own that nobody sees. By construction: not yet run on
Windows. A program that is killed leaves it running; its data lies in a temporary directory.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from esteio.backup._errors import ToolFailed
from esteio.backup.tools import Toolbox
from esteio.postgres import Dsn

__all__ = ["LoopbackServer"]

_PATIENCE = 120.0  # seconds for pg_ctl, which has a time limit of 60 s of its own
_INITDB = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--no-sync",
    "--no-instructions",
)


class LoopbackServer:
    """A server of PostgreSQL `major` in the new directory `data`; `binaries` as for `Embedded`."""

    def __init__(self, data: Path, *, major: int, binaries: Path | None, settings: Mapping[str, str]) -> None:
        self._data = data
        self._settings = settings
        self._tools = Toolbox(major, binaries)
        self._password = secrets.token_urlsafe(24)
        self._port = 0

    def start(self) -> None:
        """Make it and start it; ToolFailed when a program of PostgreSQL refuses."""
        secret = self._data.with_name("password")
        secret.touch(mode=0o600)
        secret.write_text(self._password, encoding="ascii")
        self._run("initdb", f"--pgdata={self._data}", f"--pwfile={secret}", *_INITDB)
        secret.unlink()
        self._port = _free_port()
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
        }
        with (self._data / "postgresql.conf").open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", f"--pgdata={self._data}", f"--log={self._log}")

    def stop(self, timeout: float) -> None:
        """End it, with what it has; nothing of it is needed any more."""
        self._run("pg_ctl", "stop", "--mode=immediate", f"--timeout={timeout:.0f}", f"--pgdata={self._data}")

    def dsn(self) -> Dsn:
        """Its superuser's address."""
        return Dsn.parse(f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres")

    @property
    def _log(self) -> Path:
        return self._data.with_name("server.log")

    def _run(self, program: str, *arguments: str) -> None:
        self._tools.version(program)
        # Without pipes: the server would inherit them, and who reads them would wait for its end.
        done = subprocess.run(  # noqa: S603
            [self._tools.directory / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode != 0:
            said = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
            raise ToolFailed(program, done.returncode, said)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port
